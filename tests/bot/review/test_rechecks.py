from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.store.channels import ChannelConfig
from retrieval.records import PUBLIC, Answer, AnswerRequest
from tests.bot.conftest import House, settled
from tests.bot.story import CUP, LEAVE, Story, story
from tests.fakes import SentenceAnswerer, SentenceDocuments, passage
from tests.slack_server import Fault, direct_message, event

FIXES = "SELECT turn_id, answer, curated_id FROM fixes"


class RenewedAnswerer(SentenceAnswerer):
    """Finds what is in its documents, which a test may renew."""

    def __init__(self, documents: SentenceDocuments) -> None:
        super().__init__()
        self._documents = documents

    def answer(self, request: AnswerRequest, **rest: Any) -> Answer:
        self.passages = self._documents.passages
        return replace(super().answer(request, **rest), generation=self._documents.generation)

    def renew(self) -> None:
        """A new index holds who won the cup."""
        known = passage("Sports", "Heron won the cup.")
        self._documents.passages = [*self._documents.passages, known]
        self._documents.generation = "g2"


async def library(house: House) -> tuple[Story, RenewedAnswerer]:
    documents = SentenceDocuments()
    answerer = RenewedAnswerer(documents)
    return await story(house, answerer, documents=documents), answerer


async def rechecked(told: Story) -> int:
    """How many people were told after one look."""
    found = await told.bot.rechecker.check()
    told.done += found
    await settled(told.bot, done=told.done)
    return found


def news(told: Story, user: str) -> list[str]:
    """What the bot has written to somebody directly."""
    return [message["text"] for message in told.slack.posted(user.replace("U", "D", 1))]


async def test_an_answer_where_there_was_none_is_news_for_who_wants_it(house: House) -> None:
    told, answerer = await library(house)
    _, turn_id = await told.ask(CUP)
    for user in ("U1", "U2"):
        await told.rate(turn_id, "bad", user=user)
    await told.press_home("news_on", "1", user="U2")
    answerer.renew()
    assert await rechecked(told) == 1
    assert told.rows(FIXES) == [(turn_id, "Heron won the cup. [1]", None)]
    ((said),) = news(told, "U2")
    assert "Heron won the cup." in said
    assert news(told, "U1") == []


async def test_nobody_hears_of_the_same_question_twice(house: House) -> None:
    told, answerer = await library(house)
    _, turn_id = await told.ask(CUP)
    await told.rate(turn_id, "bad")
    await told.press_home("news_on", "1", user="U1")
    answerer.renew()
    assert await rechecked(told) == 1
    answerer.renew()
    assert await rechecked(told) == 0
    await told.rate(turn_id, "good")
    await told.rate(turn_id, "bad")
    assert await rechecked(told) == 0
    assert len(news(told, "U1")) == 1


async def test_another_answer_is_not_taken_for_a_better_one(house: House) -> None:
    told, answerer = await library(house)
    _, turn_id = await told.ask(LEAVE)
    await told.rate(turn_id, "bad")
    await told.press_home("news_on", "1", user="U1")
    answerer.renew()
    assert await rechecked(told) == 0
    assert told.rows(FIXES) == []


async def test_what_still_has_no_answer_is_asked_once_for_each_index(house: House) -> None:
    told, answerer = await library(house)
    _, turn_id = await told.ask("Who lost the match?")
    await told.rate(turn_id, "bad")
    answerer.renew()
    before = len(answerer.asked)
    for _ in range(2):
        told.bot.rechecker._seen = None  # as after a restart
        await rechecked(told)
    assert len(answerer.asked) == before + 1


async def test_who_corrected_an_answer_hears_that_it_was_approved(house: House) -> None:
    told = await story(house)
    _, turn_id = await told.ask(CUP)
    await told.rate(turn_id, "bad")
    await told.submit({"answer": "Heron won it."})
    await told.press_home("approve_review", "1", jobs=2)
    ((said),) = news(told, "U1")
    assert "Heron won it." in said
    assert "Fixed since" in await told.open_home("U1")


async def test_who_wants_to_hear_nothing_hears_nothing(house: House) -> None:
    told = await story(house)
    _, turn_id = await told.ask(CUP)
    await told.rate(turn_id, "bad")
    await told.submit({"answer": "Heron won it."})
    await told.press_home("news_off", "0", user="U1")
    await told.press_home("approve_review", "1")
    assert await rechecked(told) == 0
    assert news(told, "U1") == []


@pytest.mark.parametrize("wants", [True, False])
async def test_an_approved_answer_is_news_for_others_who_asked_the_same(
    house: House, wants: bool
) -> None:
    told = await story(house)
    _, turn_id = await told.ask(CUP)
    _, other_id = await told.ask("who won the cup please", user="U2")
    await told.rate(turn_id, "bad")
    await told.submit({"answer": "Heron won it."})
    await told.rate(other_id, "bad", user="U2")
    if wants:
        await told.press_home("news_on", "1", user="U2")
    await told.press_home("approve_review", "1", jobs=2 + wants)
    assert len(news(told, "U2")) == wants
    assert len(told.rows(FIXES)) == 2


async def test_news_do_not_carry_what_somebody_may_not_read(house: House) -> None:
    told = await story(house, channel_audiences={"C1": ("hr",)})
    told.bot.channels.set("C1", ChannelConfig(experts=("U9",)), by="U2")
    house.slack.channels["C1"]["is_private"] = True
    _, turn_id = await told.ask("What is the salary band of engineers?")
    await told.rate(turn_id, "bad")
    await told.submit({"answer": "It is E5."})
    await told.press_home("approve_review", "1", jobs=2)
    ((said),) = news(told, "U1")
    assert "ask again" in said
    assert "E5" not in said


async def test_questions_that_wait_come_before_rechecks(house: House) -> None:
    told, answerer = await library(house)
    _, turn_id = await told.ask(CUP)
    await told.rate(turn_id, "bad")
    answerer.renew()
    before = len(answerer.asked)
    with told.bot.inbox.database.transaction() as db:
        db.execute(
            "INSERT INTO inbox (event_id, kind, thread_key, payload, state, not_before, created)"
            " VALUES ('later', 'question', 'k', '{}', 'todo', 9e9, 0)"
        )
    await told.bot.rechecker.check()
    assert len(answerer.asked) == before


async def test_in_direct_messages_too(house: House) -> None:
    told, answerer = await library(house)
    await told.send(event(direct_message(CUP, ts="3.0"), "EvDm"))
    ((turn_id, audience),) = told.rows("SELECT id, audience FROM turns")
    assert audience == f'["in:U1", "{PUBLIC}"]'
    await told.rate(turn_id, "bad")
    await told.press_home("news_on", "1", user="U1")
    answerer.renew()
    assert await rechecked(told) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "faults", [[Fault("dropped_after")], [Fault("throttled")] * 7], ids=["dropped", "throttled"]
)
async def test_news_come_once_whatever_slack_does(house: House, faults: list[Fault]) -> None:
    told, answerer = await library(house)
    _, turn_id = await told.ask(CUP)
    await told.rate(turn_id, "bad")
    await told.press_home("news_on", "1", user="U1")
    answerer.renew()
    house.slack.fail("chat.postMessage", *faults)
    assert await rechecked(told) == 1
    assert len(news(told, "U1")) == 1

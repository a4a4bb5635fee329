"""`POST /v1/feedback`: what people make of answers, in the tables that Slack's ratings go to."""

from __future__ import annotations

from typing import Any

import pytest

from bot.admin.outdated import weigh
from bot.export.admission import admit
from bot.export.log_reader import read_log
from bot.export.records import Policy
from bot.review.document_lookup import DocumentLookup
from bot.review.fixes import Fixes
from bot.store.log import ConversationLog
from bot.store.reviews import Reviews
from retrieval.examples import PassageText
from tests.bot.api.conftest import Counter, Reply
from tests.fakes import SentenceAnswerer

LEAVE = "How many days of leave do I have?"


async def rate(counter: Counter, answer_id: str, *, key: str, **given: Any) -> Reply:
    headers = given.pop("headers", None)
    body = {"answer_id": answer_id, **given}
    return await counter.call("/v1/feedback", body, key=key, headers=headers)


async def asked(counter: Counter, key: str, **more: Any) -> str:
    return str((await counter.ask(LEAVE, key=key, **more)).json["id"])


async def test_each_user_of_a_key_has_one_vote_that_may_change_and_be_taken_back(
    counter: Counter,
) -> None:
    await counter.open()
    key = counter.key()
    turn = await asked(counter, key)
    log = ConversationLog(counter.database())
    scores = []
    for user, rating in (("a", "good"), ("a", "good"), ("b", "bad"), ("b", "withdrawn")):
        told = await rate(counter, turn, key=key, user=user, rating=rating)
        assert told.json["rating"] == (None if rating == "withdrawn" else rating)
        scores.append(log.score(turn))
    assert scores == [1, 1, 0, 1]


async def test_a_correction_waits_for_an_expert_with_its_question(counter: Counter) -> None:
    await counter.open()
    key = counter.key()
    turn = await asked(counter, key)
    given = {"rating": "bad", "reason": "outdated", "correction": "It is 31 days since May."}
    told = (await rate(counter, turn, key=key, **given)).json
    assert (told["reason"], told["correction"]) == ("outdated", "It is 31 days since May.")
    reviews = Reviews(counter.database())
    review = reviews.get(1)
    assert review is not None
    assert (review.proposal.question, review.proposal.answer) == (LEAVE, told["correction"])
    assert review.proposal.document is not None
    assert review.proposal.audience == {"public"}


@pytest.mark.parametrize("whose", ["other", "nobody"])
async def test_an_answer_that_another_key_was_given_cannot_be_rated(
    counter: Counter, whose: str
) -> None:
    await counter.open()
    turn = await asked(counter, counter.key("other")) if whose == "other" else "0123456789ab"
    reply = await rate(counter, turn, key=counter.key(), rating="good")
    assert (reply.status, reply.json["detail"]) == (404, "this key was given no answer of this id")


async def test_feedback_that_is_sent_again_counts_once(counter: Counter) -> None:
    await counter.open()
    key, name = counter.key(per_month=2), {"Idempotency-Key": "rating-1"}
    turn = await asked(counter, key)
    told = [await rate(counter, turn, key=key, rating="bad", headers=name) for _ in range(3)]
    assert [(reply.status, reply.json["rating"]) for reply in told] == [(200, "bad")] * 3


@pytest.mark.parametrize("is_expert", [True, False])
async def test_who_rates_is_nobody_in_slack_and_an_expert_only_if_the_key_says_so(
    counter: Counter, is_expert: bool
) -> None:
    await counter.open()
    key = counter.key(is_expert=is_expert)
    turn = await asked(counter, key, user="U1")
    await rate(counter, turn, key=key, user="U1", rating="bad")
    log = read_log(counter.database())
    (event,) = log.events
    assert event.rater.startswith("api:web:")
    assert "U1" not in event.rater
    assert log.is_expert(event.rater, "api:web") is is_expert
    assert not log.is_expert("U1", "api:web")


async def test_nobody_is_told_in_slack_of_a_better_answer_to_what_a_key_asked(
    counter: Counter,
) -> None:
    await counter.open()
    key = counter.key()
    turn = await asked(counter, key)
    await rate(counter, turn, key=key, rating="bad")
    documents: DocumentLookup = counter.held
    fixes = Fixes(counter.database(), documents)
    assert fixes.record(turn, "31 days.")
    assert fixes.untold() == []


@pytest.mark.parametrize(("may_learn", "channels", "kept"), [
    (True, {"api:web"}, 1),
    (True, set(), 0),
    (False, {"api:web"}, 0),
])  # fmt: skip
async def test_what_a_key_asked_is_learned_from_if_the_key_and_the_export_say_so(
    counter: Counter, may_learn: bool, channels: set[str], kept: int
) -> None:
    await counter.open()
    await asked(counter, counter.key(may_learn=may_learn), user="alice")
    log, policy = read_log(counter.database()), Policy(channels=frozenset(channels))
    found = {
        p.content_hash: PassageText(p.source.id, p.content_hash, "", p.text)
        for p in counter.held.passages
    }
    assert len(admit(log, policy, found, frozenset(found)).log.turns) == kept


async def test_what_users_call_outdated_stands_lower_in_searches_and_answers(
    counter: Counter,
) -> None:
    answerer = SentenceAnswerer()
    await counter.open(answerer)
    key = counter.key()
    for user in ("a", "b", "c"):
        turn = await asked(counter, key, user=user)
        await rate(counter, turn, key=key, user=user, rating="bad", reason="outdated")
    weigh(counter.database(), counter.held)
    await asked(counter, key)
    assert [*answerer.asked[-1].outdated] == ["handbook/Leave.md"]
    query = "leave printer floor employee"
    found = await counter.call("/v1/search", {"query": query}, key=key)
    assert [hit["document"]["title"] for hit in found.json["hits"]] == ["Printer", "Leave"]

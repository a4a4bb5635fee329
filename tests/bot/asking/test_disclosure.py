"""Answers that are there already, shown again by the labels of the moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.asking.disclosure import Disclosure
from bot.store.cards import Cards
from bot.store.database import Database
from bot.store.log import ConversationLog, Turn
from retrieval.records import PUBLIC, Answer, Passage
from tests.bot.asking.test_card_actions import LEAVE, Thread, buttons
from tests.bot.conftest import House
from tests.fakes import SentenceAnswerer, SentenceDocuments, answer_to

EVERYBODY = frozenset({PUBLIC})
BAND = "What is the salary band of engineers?"


def turn(answer: Answer, audience: frozenset[str] = EVERYBODY) -> Turn:
    return Turn(answer, "Ev1", "T1", "C1", "1.0", "U1", audience, ("2.0",), "2026-01-01")


def shown(
    database: Database,
    answer: Answer,
    *,
    audience: frozenset[str] = EVERYBODY,
    readers: frozenset[str] = EVERYBODY,
    documents: SentenceDocuments | None = None,
) -> Answer | None:
    if not Cards(database).is_logged(answer.id):
        ConversationLog(database).add(turn(answer, audience))
    disclosure = Disclosure(database, documents or SentenceDocuments())
    return disclosure.to(answer.id, readers=readers).answer


def test_an_answer_from_public_documents_is_for_everybody_whoever_asked(database: Database) -> None:
    answer = answer_to(LEAVE, audience=frozenset({PUBLIC, "hr"}))
    assert shown(database, answer, audience=frozenset({PUBLIC, "hr", "in:U1"})) == answer


def test_what_cites_a_restricted_document_is_not(database: Database) -> None:
    hr = frozenset({PUBLIC, "hr"})
    answer = answer_to(BAND, audience=hr)
    assert shown(database, answer) is None
    assert shown(database, answer, readers=hr) == answer


def test_what_a_question_was_read_together_with_counts(database: Database) -> None:
    """An attachment, or the history of a private thread."""
    answer = replace(answer_to(LEAVE), query=f"What the letter says. {LEAVE}")
    private = frozenset({PUBLIC, "in:U1"})
    assert shown(database, answer, audience=private) is None
    assert shown(database, answer, audience=private, readers=private) == answer


def test_a_model_has_seen_more_than_it_cites(database: Database) -> None:
    found = answer_to(LEAVE, audience=frozenset({PUBLIC, "hr"}))
    assert shown(database, replace(found, method="generated")) is None


def test_what_a_model_was_shown_besides_passages_counts(database: Database) -> None:
    answer = replace(answer_to(LEAVE), method="generated", background=("in:C7",))
    assert shown(database, answer) is None
    assert shown(database, answer, readers=EVERYBODY | {"in:C7"}) == answer


@pytest.mark.parametrize(("label", "is_expired", "is_for_all"), [
    ("public", False, True),
    ("in:U1", False, False),
    ("public", True, False),
])  # fmt: skip
def test_an_approved_answer_without_a_passage_has_its_own_audience(
    database: Database, label: str, is_expired: bool, is_for_all: bool
) -> None:
    row = {"id": 7, "question": "?", "answer": "!", "audience": f'["{label}"]'}
    expired = "2026-01-01" if is_expired else None
    database.connection.table("curated").insert(row | {"expired": expired})
    answer = replace(answer_to("?"), method="curated", generator="curated/7", citations=())
    assert (shown(database, answer) is not None) == is_for_all


def test_an_abstention_names_what_its_readers_may_see(database: Database) -> None:
    near = tuple(SentenceAnswerer().passages[1:3])
    found = shown(database, replace(answer_to("?"), nearest=near))
    assert found is not None
    assert [passage.source.title for passage in found.nearest] == ["Printer"]


def restrict(passages: list[Passage]) -> list[Passage]:
    return [replace(p, source=replace(p.source, audience="hr")) for p in passages]


def forget(passages: list[Passage]) -> list[Passage]:
    return passages[1:]


@pytest.mark.parametrize("change", [restrict, forget])
async def test_an_old_card_quotes_and_shows_again_only_what_may_be_read_now(
    house: House, change: Callable[[list[Passage]], list[Passage]]
) -> None:
    documents = SentenceDocuments()
    asked = Thread(house, await house.start(documents=documents))
    private = await asked.ask_in_private()
    documents.passages = change(documents.passages)
    await asked.click(private, "why_answer")
    (view,) = house.slack.views.values()
    assert "30 days" not in str(view)
    assert "is not shown" in str(view)
    for name in ("share_answer", "keep_answer"):
        (told,) = await asked.click(private, name)
        assert told["replace_original"] is False
    assert house.slack.posted("C1") == house.slack.posted("D1") == []


async def test_who_may_not_read_a_label_any_more_keeps_nothing_of_it(house: House) -> None:
    granted: Any = {"user_audiences": {"U1": ("hr",)}}
    async with house.bot(settings=house.settings(**granted)) as bot:
        private = await Thread(house, bot).ask_in_private(BAND)
    asked = Thread(house, await house.start())
    asked.done = 1
    await asked.click(private, "why_answer")
    assert "E4" not in str(list(house.slack.views.values()))
    (told,) = await asked.click(private, "keep_answer")
    assert "you may not read by yourself" in told["text"]
    assert house.slack.posted("D1") == []


async def test_in_a_private_channel_its_members_are_told_why(house: House) -> None:
    house.slack.channels["C1"]["is_private"] = True
    settings = house.settings(channel_audiences={"C1": ("hr",)})
    asked = Thread(house, await house.start(settings=settings))
    message = await asked.ask(BAND)
    await asked.click(message, "why_answer", user="U2")
    assert "E4" in str(list(house.slack.views.values()))


async def test_what_was_shared_is_as_public_as_where_it_was_shared(house: House) -> None:
    asked = Thread(house, await house.start())
    private = await asked.ask_in_private()
    audience = "SELECT audience FROM turns"
    rows = asked.bot.inbox.database.connection
    assert rows.execute(audience).fetchone() == ('["in:U1", "public"]',)
    await asked.click(private, "share_answer")
    assert rows.execute(audience).fetchone() == ('["public"]',)
    assert "why_answer" in buttons(house.slack.posted("C1")[0])

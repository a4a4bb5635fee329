from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.store.database import Database
from bot.store.log import ConversationLog, Rating, Turn
from retrieval.records import Message
from tests.fakes import answer_to

NOON = "2026-01-01T12:00:00+00:00"
PUBLIC = frozenset({"public"})


@pytest.fixture
def log(database: Database) -> ConversationLog:
    return ConversationLog(database)


def turn(
    question: str = "How many days of leave?", *, n: int = 1, audience: frozenset[str] = PUBLIC
) -> Turn:
    answer = answer_to(question)
    return Turn(answer, f"Ev{n}", "T1", "C1", "1.0", "U1", audience, (f"{n}.5",), NOON)


def rating(
    turn_: Turn, value: int, *, source: str = "button", rater: str = "U1", withdrawn: bool = False
) -> Rating:
    return Rating(turn_.answer.id, rater, value, source, "Ev9", NOON, withdrawn)  # type: ignore[arg-type]


def test_a_turn_keeps_what_the_answer_was_made_of(log: ConversationLog, database: Database) -> None:
    said = turn()
    log.add(said)
    row = next(iter(database.connection.query("SELECT * FROM turns")))
    assert (row["question"], row["generator"], row["generation"]) == (
        "How many days of leave?",
        "sentences",
        "g1",
    )
    assert json.loads(row["citations"])[0]["document_id"] == "handbook/Leave.md"
    hits = list(database.connection.query("SELECT * FROM hits ORDER BY position"))
    assert [hit["shown"] for hit in hits] == [1, 0, 0]
    assert hits[0]["content_hash"] == said.answer.hits[0].passage.content_hash


def test_a_thread_is_remembered_in_order(log: ConversationLog) -> None:
    for n, question in enumerate(("What is the printer called?", "How many days of leave?")):
        log.add(turn(question, n=n))
    history = log.history("C1", "1.0", audience=PUBLIC)
    assert [message.role for message in history] == ["user", "assistant"] * 2
    assert history[0] == Message("user", "What is the printer called?")


def test_what_others_may_not_read_is_not_remembered_for_them(log: ConversationLog) -> None:
    log.add(turn(audience=frozenset({"public", "hr"})))
    assert log.history("C1", "1.0", audience=PUBLIC) == ()


def test_a_second_vote_by_the_same_person_replaces_the_first(log: ConversationLog) -> None:
    said = turn()
    log.add(said)
    assert log.rate(rating(said, 1))
    assert log.rate(rating(said, -1, source="reaction"))
    assert log.rate(rating(said, 1, rater="U2"))
    assert log.score(said.answer.id) == 0


def test_the_same_vote_again_changes_nothing(log: ConversationLog, database: Database) -> None:
    said = turn()
    log.add(said)
    assert [log.rate(rating(said, 1)) for _ in range(3)] == [True, False, False]
    events = list(database.connection.query("SELECT * FROM vote_events"))
    assert [(e["voter"], e["value"], e["generator"]) for e in events] == [("U1", 1, "sentences")]


def test_only_the_current_vote_can_be_taken_back(log: ConversationLog) -> None:
    said = turn()
    log.add(said)
    log.rate(rating(said, 1, source="reaction"))
    log.rate(rating(said, -1, source="reaction"))
    assert not log.rate(rating(said, 1, source="reaction", withdrawn=True))
    assert log.score(said.answer.id) == -1
    assert log.rate(rating(said, -1, source="reaction", withdrawn=True))
    assert log.score(said.answer.id) == 0


def test_a_vote_on_an_unknown_turn_is_dropped(log: ConversationLog) -> None:
    assert not log.rate(rating(turn(), 1))


def test_every_message_of_a_turn_leads_to_it(log: ConversationLog) -> None:
    said = replace(turn(), messages=("1.5", "1.6"))
    log.add(said)
    assert log.turn_shown_in("C1", "1.6") == said.answer.id
    assert log.turn_shown_in("C2", "1.6") is None


def test_opening_the_database_again_keeps_everything(
    log: ConversationLog, database: Database
) -> None:
    log.add(turn())
    again = Database(database.path, address=database.address)
    assert ConversationLog(again).count() == 1
    again.close()

from __future__ import annotations

import json
from itertools import count

import pytest

from bot.admin.outdated import weigh
from bot.store.database import Database
from bot.store.log import ConversationLog, Rating, Value
from bot.store.outdated import Outdated, current
from bot.store.reasons import Reason, ReasonKind, Reasons
from bot.store.turns import DocumentRef, Turns
from tests.bot.logged import logged
from tests.fakes import SentenceDocuments, passage

LEAVE = "handbook/Leave.md"
PEOPLE = ("U1", "U2", "U3")
_NUMBERS = count()


class Company:
    """People who rate answers and say why, one after the other."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.documents = SentenceDocuments()
        row = {"channel": "C1", "config": json.dumps({"experts": ["U9"]})}
        database.connection.table("channels").insert(row)

    def vote(self, person: str, turn_id: str, value: Value, *, withdrawn: bool = False) -> None:
        event_id = f"v{next(_NUMBERS)}"
        at = "2026-01-02T11:00:00+00:00"
        rating = Rating(turn_id, person, value, "button", event_id, at, is_withdrawn=withdrawn)
        assert ConversationLog(self.database).rate(rating)

    def say(
        self,
        person: str,
        *,
        turn_id: str | None = None,
        reason: ReasonKind = "outdated",
        right: DocumentRef | None = None,
    ) -> str:
        """The turn that a person calls outdated, of their own if none is named."""
        is_new = turn_id is None
        turn_id = turn_id or logged(self.database, asker=person)
        if is_new:
            self.vote(person, turn_id, -1)
        Reasons(self.database).give(Reason(turn_id, person, reason, "", right, "", "e"))
        weigh(self.database, self.documents)
        return turn_id

    @property
    def lowered(self) -> list[str]:
        return [*Outdated(self.database).lowered()]


@pytest.fixture
def company(database: Database) -> Company:
    return Company(database)


def test_a_document_that_three_people_call_outdated_stands_lower(company: Company) -> None:
    company.say("U1")
    company.say("U2")
    assert company.lowered == []
    company.say("U3")
    leave = company.documents.passages[0].source
    assert Outdated(company.database).lowered() == {LEAVE: leave.sha256}


def test_an_expert_and_somebody_else_are_enough(company: Company) -> None:
    company.say("U9")
    assert company.lowered == []
    company.say("U1")
    assert company.lowered == [LEAVE]


@pytest.mark.parametrize("person", ["U1", "U9"])
def test_nobody_is_enough_alone_however_often_they_say_it(company: Company, person: str) -> None:
    for _ in range(6):
        company.say(person)
    assert company.lowered == []
    assert [found.people for found in Outdated(company.database).documents()] == [1]


def test_those_who_rate_together_count_as_one(company: Company) -> None:
    for n in range(9):
        turn_id = logged(company.database, f"Question {n}?", asker="U7")
        for person in PEOPLE:
            company.vote(person, turn_id, 1)
    for person in PEOPLE:
        company.say(person)
    assert company.lowered == []
    company.say("U4")
    company.say("U5")
    assert company.lowered == [LEAVE]


def test_who_mostly_contradicts_experts_does_not_count(company: Company) -> None:
    for n in range(20):
        turn_id = logged(company.database, f"Question {n}?", asker="U7")
        company.vote("U9", turn_id, 1)
        company.vote(PEOPLE[n % 2], turn_id, -1)
    for person in PEOPLE:
        company.say(person)
    assert company.lowered == []


def test_a_vote_that_is_taken_back_and_another_reason_count_no_more(company: Company) -> None:
    turns = [company.say(person) for person in PEOPLE]
    company.vote("U3", turns[2], -1, withdrawn=True)
    assert company.lowered == []
    company.vote("U3", turns[2], -1)
    assert company.lowered == [LEAVE]
    company.say("U1", turn_id=turns[0], reason="wrong")
    assert company.lowered == []


def test_who_says_that_the_document_holds_the_answer_does_not_call_it_outdated(
    company: Company,
) -> None:
    for person in PEOPLE:
        turn_id = logged(company.database, asker=person)
        company.vote(person, turn_id, -1)
        turn = Turns(company.database).get(turn_id)
        assert turn is not None
        company.say(person, turn_id=turn_id, right=turn.cited)
    assert company.lowered == []


def test_what_was_said_is_about_the_document_as_it_was(company: Company) -> None:
    for person in PEOPLE:
        company.say(person)
    old = Outdated(company.database).documents()
    sources = [found.source for found in company.documents.passages]
    assert [source.id for _, source in current(old, sources)] == [LEAVE]
    company.documents.passages[0] = passage("Leave", "Every employee has 32 days of paid leave.")
    assert current(old, [found.source for found in company.documents.passages]) == []
    company.say("U4")  # of an answer from before the change
    assert Outdated(company.database).documents() == old


def test_what_an_admin_has_lifted_takes_enough_people_anew(company: Company) -> None:
    turns = [company.say(person) for person in PEOPLE]
    Outdated(company.database).dismiss(LEAVE)
    assert company.lowered == []
    company.say("U4")
    company.say("U1", turn_id=turns[0])
    assert company.lowered == []
    company.say("U5")
    assert company.lowered == [LEAVE]

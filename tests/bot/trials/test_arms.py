from __future__ import annotations

from dataclasses import replace

import pytest

from bot.store.database import Database
from bot.store.log import ConversationLog, Rating, Turn
from bot.trials.arms import Agreement, read_arms
from retrieval.records import Arm
from retrieval.registry.trials import Trial
from tests.fakes import answer_to

TRIAL = Trial("r1", "generator", "share", 0.5, "2026-01-02T12:00:00.123456+00:00", "base")


def said(
    database: Database,
    id_: str,
    arm: Arm = "served",
    *,
    trial: str = "r1",
    question: str = "How many days of leave?",
    at: str = "2026-01-03T12:00:00+00:00",
) -> None:
    answer = answer_to(question)
    turn = Turn(
        answer=replace(answer, id=id_, trial=trial, arm=arm, share=0.5),
        event_id=id_,
        team="T1",
        channel="C1",
        thread_ts=id_,
        asker="U1",
        audience=frozenset({"public"}),
        messages=(),
        created=at,
    )
    ConversationLog(database).add(turn)


def rated(database: Database, id_: str, value: int, rater: str = "U2") -> None:
    rating = Rating(id_, rater, 1 if value > 0 else -1, "button", f"{id_}{rater}", "2026-01-04")
    ConversationLog(database).rate(rating)


def shadowed(database: Database, id_: str, kind: str, overlap: float = 1.0) -> None:
    row = {"turn_id": id_, "trial": "r1", "kind": kind, "overlap": overlap, "is_cited": 1}
    database.connection.table("shadows").insert(row | {"seconds": 1.0, "at": "2026-01-03T13"})


def test_questions_and_ratings_are_told_apart_by_their_arm(database: Database) -> None:
    said(database, "a", "served")
    said(database, "b", "candidate")
    said(database, "c", "failed")
    for id_, value in (("a", 1), ("b", -1), ("c", -1)):
        rated(database, id_, value)
    arms = read_arms(database, TRIAL)
    assert len(arms.of(is_candidate=False)) == 1
    assert [outcome.has_failed for outcome in arms.of(is_candidate=True)] == [False, True]
    assert sorted(arms.ratings) == [(False, True), (True, False)]


def test_other_trials_and_an_earlier_one_of_the_same_run_do_not_count(database: Database) -> None:
    said(database, "a", trial="r2")
    said(database, "b", trial="")
    said(database, "c", at="2026-01-01T12:00:00+00:00")
    assert read_arms(database, TRIAL).outcomes == ()


def test_one_person_has_only_so_many_ratings_of_an_arm(database: Database) -> None:
    for n in range(8):
        said(database, f"a{n}", "candidate")
        rated(database, f"a{n}", -1)
    said(database, "b", "candidate")
    rated(database, "b", 1, rater="U3")
    assert len(read_arms(database, TRIAL).ratings) == 6


def test_the_shadow_is_compared_to_what_was_shown(database: Database) -> None:
    for id_ in "abc":
        said(database, id_)
    said(database, "d", question="Who is the mayor?")
    for id_, kind in zip("abcd", ("answer", "abstention", "failed", "answer"), strict=True):
        shadowed(database, id_, kind, overlap=0.5)
    arms = read_arms(database, TRIAL)
    assert arms.agreement == Agreement(questions=3, overlap=0.5, gained=1, lost=1)
    assert sum(outcome.has_failed for outcome in arms.of(is_candidate=True)) == 1


def test_what_was_said_in_the_shadow_goes_with_its_question(database: Database) -> None:
    for id_ in "ab":
        said(database, id_)
        shadowed(database, id_, "answer")
    ConversationLog(database).redact("a")
    database.connection.table("hits").delete_where("turn_id = 'b'")
    database.connection.table("turns").delete(id="b")
    assert database.connection.table("shadows").count == 0


def decided(database: Database, raters: list[str], *, turns_of_each: int = 6) -> bool:
    """Whether so many ratings of these people, each about turns of their own, decide a trial."""
    for arm, value in (("served", 1), ("candidate", -1)):
        for n in range(turns_of_each * len(raters)):
            said(database, f"{arm}{n}", arm)  # type: ignore[arg-type]
            rated(database, f"{arm}{n}", value, raters[n % len(raters)])
    return read_arms(database, TRIAL).monitor().verdict == "worse"


@pytest.mark.parametrize(("people", "is_decided"), [(4, False), (5, True)])
def test_few_people_decide_no_trial(database: Database, people: int, is_decided: bool) -> None:
    assert decided(database, [f"U{n}" for n in range(people)]) is is_decided


def test_people_who_rate_together_are_one(database: Database) -> None:
    for arm, value in (("served", 1), ("candidate", -1)):
        for n in range(5):
            said(database, f"{arm}{n}", arm)  # type: ignore[arg-type]
            for rater in range(10):
                rated(database, f"{arm}{n}", value, f"U{rater}")
    arms = read_arms(database, TRIAL)
    assert (arms.people, arms.monitor().verdict) == (1, "unsure")

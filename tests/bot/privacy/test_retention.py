from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bot.privacy.retention import Retention
from bot.replay.files import REPLAYS
from bot.review.curated import CuratedAnswers
from bot.settings import Kept, SlackSettings
from bot.store.audit import DAY_S, AuditLog
from bot.store.database import Database
from bot.store.inbox import Delivery, Inbox
from bot.store.log import ConversationLog, Rating
from bot.store.reasons import Reason, Reasons
from bot.store.reviews import ReviewAccess, Reviews
from bot.store.turns import Turns
from retrieval.commands import doctor
from retrieval.records import PUBLIC
from tests.bot.conftest import House, settled
from tests.bot.logged import logged, proposed
from tests.bot.store.test_audit import filled
from tests.fakes import SentenceDocuments
from tests.slack_server import WAIT_S, slash

OLD, NEW = "2026-01-01T11:00:00+00:00", "2026-03-01T11:00:00+00:00"
NOW_S = datetime.fromisoformat(NEW).timestamp()
NEVER: dict[Kept, int] = SlackSettings(audit_days=0).kept_days


def applied(database: Database, *, now_s: float = NOW_S, **days: int) -> Mapping[Kept, int]:
    retention = Retention(database, {**NEVER, **days}, clock=lambda: now_s)  # type: ignore[dict-item]
    return retention.apply()


def words(database: Database) -> bytes:
    """All that is kept: every byte of SQLite's files, or every value that Postgres still has."""
    if database.address:
        db = database.connection
        return repr([list(db.table(name).rows) for name in db.columns()]).encode()
    folder = database.home
    return b"".join(path.read_bytes() for path in folder.glob("whimbrel.db*"))


def rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    return list(database.connection.execute(sql))


def test_nothing_goes_where_nothing_is_set(database: Database) -> None:
    logged(database, "Who keeps the oldcanary?", created="1999-01-01T00:00:00+00:00")
    assert applied(database) == {}
    assert b"oldcanary" in words(database)


def test_an_old_question_goes_with_its_answer_from_every_file(database: Database) -> None:
    logged(database, "Who keeps the oldcanary?", created=OLD)
    logged(database, "Who keeps the newcanary?", created=NEW)
    inbox = Inbox(database, clock=lambda: NOW_S - 99 * DAY_S)
    inbox.accept(Delivery("Ev", "question", "T", "C1", "U1", "t", {"text": "givenupcanary"}, "k"))
    job = inbox.claim("me", ["question"])
    assert job is not None
    inbox.bury(job, "broken")
    assert applied(database, questions=30) == {"questions": 2}
    held = words(database)
    assert (b"oldcanary" in held, b"newcanary" in held) == (False, True)
    assert b"givenupcanary" not in held
    assert not inbox.accept(Delivery("Ev", "question", "T", "C1", "U1", "t", {}))
    assert applied(database, questions=30) == {}


def test_many_old_questions_go_at_once(database: Database) -> None:
    for n in range(450):
        logged(database, f"Who keeps number {n}?", created=OLD)
    assert applied(database, questions=30) == {"questions": 450}


def test_answers_may_go_before_their_questions(database: Database) -> None:
    turn_id = logged(database, created=OLD)
    assert applied(database, answers=30) == {"answers": 1}
    turn = Turns(database).get(turn_id)
    assert turn is not None
    assert "paid leave" in turn.question
    assert rows(database, "SELECT answer FROM turns") == [("",)]
    assert rows(database, "SELECT * FROM cards") == []
    labels = frozenset({PUBLIC})
    assert ConversationLog(database).history("C1", "1.0", audience=labels) == ()


def test_only_what_was_overheard_goes(database: Database) -> None:
    for name in ("askedcanary", "heardcanary"):
        logged(database, f"Who keeps the {name}?", created=OLD)
    database.connection.execute("UPDATE turns SET triage = 'a model' WHERE question LIKE '%heard%'")
    Inbox(database, clock=lambda: 1.0).accept(
        Delivery("Ev", "overheard", "T", "C1", "U1", "t", {"text": "waitingcanary"})
    )
    assert applied(database, overheard=30) == {"overheard": 2}
    held = words(database)
    assert b"askedcanary" in held
    assert (b"heardcanary" in held, b"waitingcanary" in held) == (False, False)


def test_old_ratings_go_and_young_ones_stay(database: Database) -> None:
    turn_id, log = logged(database), ConversationLog(database)
    log.rate(Rating(turn_id, "U1", 1, "button", "Ev1", OLD))
    log.rate(Rating(turn_id, "U2", 1, "button", "Ev2", NEW))
    assert applied(database, ratings=30) == {"ratings": 2}
    assert log.score(turn_id) == 1
    assert rows(database, "SELECT voter FROM vote_events") == [("U2",)]


def test_old_corrections_go_and_approved_answers_stay_until_retired(database: Database) -> None:
    turn = Turns(database).get(logged(database))
    assert turn is not None
    reviews, curated = Reviews(database), CuratedAnswers(database, SentenceDocuments())
    reviews.add(proposed(turn, "31 approvedcanary days."))
    reviews.add(replace(proposed(turn, "32 opencanary days."), key="other"))
    Reasons(database).give(Reason(turn.id, "U1", "wrong", "33 reasoncanary", None, "", "Ev1"))
    reader = ReviewAccess(frozenset({PUBLIC}), True, {}, lambda _: None)
    review = reviews.queue(reader, limit=1)[0][0]
    assert reviews.decide(review, "approved", reviewer="U9", event_id="EvA")
    curated.add(review, reviewer="U9", author_name="Ada")
    later_s = datetime.now().timestamp() + 60 * DAY_S
    assert applied(database, now_s=later_s, corrections=30) == {"corrections": 2}
    held = words(database)
    assert (b"opencanary" in held, b"reasoncanary" in held) == (False, False)
    assert b"approvedcanary" in held
    curated.retire(review.id)
    assert applied(database, now_s=later_s, corrections=30) == {"corrections": 1}
    assert b"approvedcanary" not in words(database)


def test_the_audit_log_is_cut_though_nothing_is_added(database: Database) -> None:
    log = filled(database)
    later_s = datetime.now().timestamp() + 60 * DAY_S
    assert applied(database, now_s=later_s, audit=30) == {"audit": 4}
    assert log.verify().rows == 0
    assert AuditLog(database).verify().rows == 0


def test_old_replays_go(database: Database) -> None:
    replays = database.home / REPLAYS
    for name, age in (("old", 40), ("new", 20)):
        (replays / name).mkdir(parents=True)
        os.utime(replays / name, (NOW_S - age * DAY_S,) * 2)
    assert applied(database, reports=30) == {"reports": 1}
    assert [path.name for path in replays.iterdir()] == ["new"]


async def test_a_bot_applies_it_and_says_so_in_its_status(house: House) -> None:
    before = Database(house.folder / "whimbrel.db")
    logged(before, created="2020-01-01T00:00:00+00:00")
    before.close()
    bot = await house.start(settings=house.settings(question_days=30))
    asked = "SELECT 1 FROM turns WHERE question != ''"
    async with asyncio.timeout(WAIT_S):
        while rows(bot.inbox.database, asked):  # noqa: ASYNC110 - a thread deletes it
            await asyncio.sleep(0)
    url = house.slack.response_url("r")
    await house.slack.deliver(slash("/whimbrel", "status", trigger_id="1", url=url))
    await settled(bot)
    (told,) = house.slack.responses["r"]
    assert "questions after 30 days, the audit log after 365 days" in str(told)


def test_doctor_tells_how_long_what_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHIMBREL_HOME", str(tmp_path))
    monkeypatch.setenv("SLACK_QUESTION_DAYS", "30")
    said = CliRunner().invoke(doctor).output
    assert "questions 30 days" in said
    assert "answers for ever" in said

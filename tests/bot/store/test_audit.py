from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.store.audit import DAY_S, AuditLog
from bot.store.connection import StoreError
from bot.store.database import Database
from bot.store.inbox import Job
from retrieval.errors import DataError
from tests.fakes import passage

JOB = Job(1, "Ev1", "question", "T1", "C1", "U1", {}, 1, 1, "me", 0.0, 1)
BANDS = passage("Bands", "The band is E4.", audience="hr")
LEAVE = passage("Leave", "There are 30 days of leave.")


def filled(database: Database, **options: Any) -> AuditLog:
    log = AuditLog(database, **options)
    for n in range(1, 5):
        log.add("command", replace(JOB, event_id=f"Ev{n}"), channel="C1", command=f"mute {n}h")
    return log


def test_who_was_shown_a_restricted_document_is_written_once(database: Database) -> None:
    log = AuditLog(database)
    for _ in range(2):
        log.shown("shown", JOB, "t1", [BANDS, LEAVE], channel="D1")
    log.shown("shown", replace(JOB, event_id="Ev2"), "t2", [LEAVE], channel="C1")
    _, row = log.rows()
    assert (row["user"], row["act"], row["channel"]) == ("U1", "shown", "in private")
    assert '"documents": [["handbook/Bands.md", "hr"]], "turn": "t1"' in row["details"]


def test_each_row_holds_the_hash_of_the_row_before(database: Database) -> None:
    log = filled(database)
    anchor, *rows = log.rows()
    hashes = [anchor["anchor"]["sha256"], *(row["sha256"] for row in rows)]
    assert [row["before"] for row in rows] == hashes[:-1]
    assert (log.verify().rows, log.verify().sha256) == (4, hashes[-1])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET details = '{}' WHERE id = 2",
        "DELETE FROM audit WHERE id = 2",
        "DELETE FROM audit",
    ],
)
def test_the_database_lets_nobody_change_a_row(database: Database, statement: str) -> None:
    log = filled(database)
    with pytest.raises(StoreError, match="append-only"):
        database.connection.execute(statement)
    assert log.verify().rows == 4


@pytest.mark.parametrize(
    "statement",
    [
        *(
            f"UPDATE audit SET {column} = 'other' WHERE id = 2"  # noqa: S608 - these names
            for column in ("key", "at", "act", "person", "channel", "details", "before", "sha256")
        ),
        "DELETE FROM audit WHERE id = 2",
        "DELETE FROM audit WHERE id = 1",
        "UPDATE audit SET id = 9 WHERE id = 4",
    ],
)
def test_what_was_changed_past_the_database_is_noticed(database: Database, statement: str) -> None:
    log = filled(database)
    for trigger in ("audit_stays", "audit_is_cut"):
        of_table = " ON audit" if database.address else ""
        database.connection.execute(f"DROP TRIGGER {trigger}{of_table}")
    database.connection.execute(statement)
    with pytest.raises(DataError, match="is not as it was written"):
        log.verify()


def test_what_is_old_is_cut_and_the_rest_stands_behind_its_anchor(database: Database) -> None:
    filled(database, clock=lambda: 0.0)
    log = AuditLog(database, keep_days=30, clock=lambda: 31.0 * DAY_S)
    log.add("command", replace(JOB, event_id="Ev9", user="U2"), channel="C1", command="report")
    anchor, row = log.rows()
    assert (anchor["anchor"]["id"], row["id"], row["user"]) == (4, 5, "U2")
    assert row["before"] == anchor["anchor"]["sha256"]
    assert log.verify().rows == 1
    users = database.connection.execute("SELECT user FROM audit_people").fetchall()
    assert users == [("U2",)]


def test_a_log_that_is_all_cut_goes_on_from_its_anchor(database: Database) -> None:
    filled(database, clock=lambda: 0.0)
    log = AuditLog(database, keep_days=1, clock=lambda: 9.0 * DAY_S)
    log.add("command", replace(JOB, event_id="Ev9"), channel="C1", command="report")
    AuditLog(database, keep_days=1, clock=lambda: 20.0 * DAY_S).add(
        "command", replace(JOB, event_id="Ev10"), channel="C1", command="report"
    )
    assert [row["id"] for row in log.rows() if "id" in row] == [6]
    assert log.verify().rows == 1

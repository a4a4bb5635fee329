"""Forgets a person: deletes what they asked and said, and takes their name off what stays."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass

import sqlite_utils

from bot.privacy.erasing import erase
from bot.store.inbox import Inbox, Job

_OF_A_TURN = (
    "hits",
    "replies",
    "votes",
    "vote_events",
    "reactions",
    "signals",
    "reasons",
    "fixes",
    "rechecks",
    "notices",
)
_OF_A_PERSON = {
    "votes": "voter",
    "vote_events": "voter",
    "reactions": "voter",
    "signals": "person",
    "reasons": "person",
    "notices": "person",
    "people": "person",
    "audit_people": "user",
}


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much there was."""

    questions: int
    ratings: int
    proposals: int


class Forgetting:
    """What is deleted is deleted: the file itself does not hold it any more."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._database = inbox.database

    def forget(self, job: Job) -> Forgotten:
        """Forget who sent this job, and finish it.

        Their questions go with everything that hangs on them, and so do their ratings, reasons,
        signals and undecided proposals, the data sets that learned from them, and the use of models
        trained on those. Approved answers stay, without their names. Whatever else names them, in
        any table, names nobody then.
        """
        with self._database.transaction() as db:
            self._database.erase()
            erase(job.user, self._database)
            forgotten = self._delete(db, job.user)
            self._inbox.finish(job)
            self._empty_inbox(db, job.user)
            _unname(db, job.user)
        return forgotten

    def _delete(self, db: sqlite_utils.Database, person: str) -> Forgotten:
        proposals = db.conn.execute(
            "DELETE FROM reviews WHERE state NOT IN ('approved', 'rejected') AND (? IN"
            " (author, proposer) OR turn_id IN (SELECT id FROM turns WHERE asker = ?))",
            (person, person),
        ).rowcount
        ratings = db.conn.execute(
            "SELECT count(*) FROM votes WHERE voter = ?", (person,)
        ).fetchone()
        for table, column in _OF_A_PERSON.items():
            db.table(table).delete_where(f"{column} = ?", (person,))
        return Forgotten(_delete_turns(db, person), ratings[0], proposals)

    def _empty_inbox(self, db: sqlite_utils.Database, person: str) -> None:
        """Only what tells one delivery from another stays; what is in progress is not logged."""
        db.conn.execute(
            "UPDATE inbox SET state = CASE state WHEN 'dead' THEN 'dead' ELSE 'done' END,"
            " payload = '{}', thread_key = '', user = '', channel = '', team = '', owner = NULL,"
            " work_key = NULL,"
            " reply_channel = NULL, reply_ts = NULL, error = NULL WHERE user = ?",
            (person,),
        )


def _delete_turns(db: sqlite_utils.Database, person: str) -> int:
    mine = "turn_id IN (SELECT id FROM turns WHERE asker = ?)"
    for table in _OF_A_TURN:
        db.table(table).delete_where(mine, (person,))
    for table in ("reviews", "curated"):  # decided ones
        channel = ", channel = ''" if table == "reviews" else ""
        db.conn.execute(f"UPDATE {table} SET turn_id = NULL{channel} WHERE {mine}", (person,))  # noqa: S608 - names of this module
    return int(db.conn.execute("DELETE FROM turns WHERE asker = ?", (person,)).rowcount)


def _unname(db: sqlite_utils.Database, person: str) -> None:
    """Replace a person's id, wherever it still stands, by a name that nobody has."""
    nobody = f"nobody-{secrets.token_hex(4)}"
    db.conn.execute("UPDATE curated SET author_name = NULL WHERE author = ?", (person,))
    _dismiss(db, person)
    pattern = re.compile(rf"(?<![A-Za-z0-9]){re.escape(person)}(?![A-Za-z0-9])")
    db.conn.create_function("unname", 1, lambda text: pattern.sub(nobody, text))
    for table in db.tables:
        if table.name == "audit":
            continue  # no person stands there, and no row can be changed
        for column in table.columns:
            if column.type == "TEXT":
                table_, name = f"[{table.name}]", f"[{column.name}]"
                db.conn.execute(
                    f"UPDATE {table_} SET {name} = unname({name}) WHERE instr({name}, ?)",  # noqa: S608 - the schema's names
                    (person,),
                )


def _dismiss(db: sqlite_utils.Database, person: str) -> None:
    """They are no channel's expert any more."""
    rows = db.conn.execute(
        "SELECT channel, config FROM channels WHERE instr(config, ?)", (person,)
    ).fetchall()
    for channel, config in rows:
        values = json.loads(config)
        values["experts"] = [expert for expert in values.get("experts", []) if expert != person]
        db.table("channels").update(channel, {"config": json.dumps(values)})

"""Forgets a person: deletes what they asked and said, and takes their name off what stays."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass

from bot.asking.disclosure import CURATED
from bot.privacy.erasing import erase
from bot.privacy.forgotten import ForgottenPeople
from bot.store import keys
from bot.store.connection import Connection
from bot.store.inbox import NAMELESS, Inbox, Job
from bot.store.log import change_card, part_followers

PERSON = re.compile(rf"[UW][A-Z0-9]+|{keys.PERSON}")
"""The id of somebody in Slack, or of who asked with a key of the API."""

_STAYS_WITH_A_TURN = ("reviews", "curated", "turns")
"""Tables with turns in them whose rows do not go with the turns of a person."""

_OF_A_PERSON = {
    "votes": "voter",
    "vote_events": "voter",
    "reactions": "voter",
    "signals": "person",
    "reasons": "person",
    "notices": "person",
    "people": "person",
    "imported_ratings": "person",
    "audit_people": "user",
}

NAMING = ("asker", "author", "changed_by", "person", "proposer", "reviewer", "user", "voter")
"""What columns that hold people's ids are called."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much there was. `runs` are the models that will not serve again."""

    questions: int
    ratings: int
    proposals: int
    approved: int
    runs: tuple[str, ...]


class Forgetting:
    """What is deleted is deleted: the file itself does not hold it any more."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._database = inbox.database
        self._noted = ForgottenPeople(inbox.database.home)

    def forget(self, job: Job, *, and_approved: bool = False) -> Forgotten:
        """Forget who sent this job, and finish it.

        Their questions go with everything that hangs on them, and so do their ratings, reasons,
        signals and proposals that were not approved, the data sets that learned from them, and the
        use of models trained on those. Approved answers stay, without their names. Whatever else
        names them, in any table, names nobody then. A backup that is restored forgets them again.
        With `and_approved`, the answers that came from them and were approved go, too.
        """
        return self.forget_person(job.user, job=job, and_approved=and_approved)

    def forget_person(
        self, person: str, *, job: Job | None = None, and_approved: bool = False
    ) -> Forgotten:
        """As `forget`, whoever asks for it; also the answers of theirs that were approved."""
        # Noted before, in case this is broken off, and after, for backups that are made meanwhile.
        self._noted.note(person, and_approved=and_approved)
        forgotten = self.forget_here(person, job=job, and_approved=and_approved)
        self._noted.note(person, and_approved=and_approved)
        return forgotten

    def forget_here(
        self, person: str, *, job: Job | None = None, and_approved: bool = False
    ) -> Forgotten:
        """As `forget_person`, without a note for backups that are restored."""
        with self._database.erasing(alone=True) as db:
            runs = erase(person, self._database).runs
            approved = _delete_approved(db, person) if and_approved else 0
            forgotten = self._delete(db, person, approved, runs)
            if job is not None:
                self._inbox.finish(job)
            self._empty_inbox(db, person)
            _unname(db, person)
        return forgotten

    def _delete(
        self, db: Connection, person: str, approved: int, runs: tuple[str, ...]
    ) -> Forgotten:
        proposals = db.execute(
            "DELETE FROM reviews WHERE state != 'approved' AND (? IN"
            " (author, proposer) OR turn_id IN (SELECT id FROM turns WHERE asker = ?))",
            (person, person),
        ).rowcount
        ratings = db.execute("SELECT count(*) FROM votes WHERE voter = ?", (person,)).fetchone()
        for table, column in _OF_A_PERSON.items():
            db.table(table).delete_where(f"{column} = ?", (person,))
        questions = _delete_turns(db, person)
        return Forgotten(questions, ratings[0], proposals, approved, runs)

    def _empty_inbox(self, db: Connection, person: str) -> None:
        """Only what tells one delivery from another stays; what is in progress is not logged."""
        db.execute(
            f"UPDATE inbox SET {NAMELESS}, payload = '{{}}', owner = NULL,"  # noqa: S608 - of the inbox's own
            " state = CASE state WHEN 'dead' THEN 'dead' ELSE 'done' END WHERE user = ?",
            (person,),
        )


def approved_of(db: Connection, person: str) -> list[int]:
    """The ids of approved answers that a person wrote or asked for."""
    theirs = (
        "SELECT curated.id FROM curated LEFT JOIN reviews ON reviews.id = review_id"
        " WHERE ? IN (curated.author, reviews.author, reviews.proposer)"
        " OR curated.turn_id IN (SELECT id FROM turns WHERE asker = ?)"
    )
    return [id_ for (id_,) in db.execute(theirs, (person, person)).fetchall()]


def people_in(db: Connection) -> set[str]:
    """Everybody whose id is in a column for people, in a database of any release."""
    return {
        person
        for table, columns in db.columns().items()
        if table != "audit"  # nobody's id stands there
        for column in columns.keys() & set(NAMING)
        for (person,) in db.execute(f'SELECT DISTINCT "{column}" FROM "{table}"')  # noqa: S608 - the schema's names
        if isinstance(person, str) and PERSON.fullmatch(person)
    }


def _delete_approved(db: Connection, person: str) -> int:
    """What a person wrote or asked for and an expert approved is given to nobody any more."""
    ids = approved_of(db, person)
    for id_ in ids:
        given = f"{CURATED}{id_}"
        db.execute("DELETE FROM fixes WHERE curated_id = ?", (id_,))
        db.execute(
            "DELETE FROM cards WHERE turn_id IN (SELECT id FROM turns WHERE generator = ?)",
            (given,),
        )
        db.execute("UPDATE turns SET answer = '', citations = '[]' WHERE generator = ?", (given,))
        db.execute(
            "DELETE FROM reviews WHERE id = (SELECT review_id FROM curated WHERE id = ?)", (id_,)
        )
        db.table("curated").delete(id=id_)
    db.execute(
        "DELETE FROM reviews WHERE ? IN (author, proposer)"
        " OR turn_id IN (SELECT id FROM turns WHERE asker = ?)",
        (person, person),
    )
    return len(ids)


def _delete_turns(db: Connection, person: str) -> int:
    mine = "turn_id IN (SELECT id FROM turns WHERE asker = ?)"
    # What others asked later in a thread may have been joined to what this person asked.
    for (turn_id,) in db.execute("SELECT id FROM turns WHERE asker = ?", (person,)).fetchall():
        part_followers(db, turn_id)
    for table, columns in db.columns().items():
        if "turn_id" in columns and table not in _STAYS_WITH_A_TURN:
            db.table(table).delete_where(mine, (person,))
    for name in ("reviews", "curated"):  # what was approved
        channel = ", channel = ''" if name == "reviews" else ""
        db.execute(f"UPDATE {name} SET turn_id = NULL{channel} WHERE {mine}", (person,))  # noqa: S608 - names of this module
    return int(db.execute("DELETE FROM turns WHERE asker = ?", (person,)).rowcount)


def _unname(db: Connection, person: str) -> None:
    """Replace a person's id, wherever it still stands, by a name that nobody has."""
    nobody = f"nobody-{secrets.token_hex(4)}"
    for (id_,) in db.execute("SELECT id FROM curated WHERE author = ?", (person,)).fetchall():
        given = db.execute("SELECT id FROM turns WHERE generator = ?", (f"{CURATED}{id_}",))
        for (turn_id,) in given:
            change_card(db, turn_id, author=None)
    db.execute("UPDATE curated SET author_name = NULL WHERE author = ?", (person,))
    _dismiss(db, person)
    pattern = re.compile(rf"(?<![A-Za-z0-9]){re.escape(person)}(?![A-Za-z0-9])")
    for table, columns in db.columns().items():
        if table == "audit":
            continue  # no person stands there, and no row can be changed
        for column in (name for name, type_ in columns.items() if type_ == "TEXT"):
            naming = f'SELECT rowid, "{column}" FROM "{table}" WHERE "{column}" LIKE ?'  # noqa: S608 - the schema's names
            for rowid, text in db.execute(naming, (f"%{person}%",)).fetchall():
                db.table(table).update({column: pattern.sub(nobody, text)}, rowid=rowid)


def _dismiss(db: Connection, person: str) -> None:
    """They are no channel's expert any more."""
    naming = "SELECT channel, config FROM channels WHERE config LIKE ?"
    for channel, config in db.execute(naming, (f"%{person}%",)).fetchall():
        values = json.loads(config)
        values["experts"] = [expert for expert in values.get("experts", []) if expert != person]
        db.table("channels").update({"config": json.dumps(values)}, channel=channel)

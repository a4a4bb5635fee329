"""Bad answers that are better now, and who is to hear of it."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass

from bot.slack.incoming.payloads import Interaction
from bot.store.database import Database
from bot.store.inbox import Delivery
from bot.store.log import utc
from bot.store.preferences import PeoplesPreferences

FIXED = "fixed"
"""The name of the delivery that tells somebody."""


@dataclass(frozen=True, slots=True)
class Fix:
    """What a turn's question is answered with today, for who may read all of `audience`."""

    answer: str
    audience: frozenset[str]


class Fixes:
    """Remembers the first better answer to each turn's question. Writes join a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._preferences = PeoplesPreferences(database)

    def record(
        self,
        turn_id: str,
        answer: str,
        *,
        curated_id: int | None = None,
        generator: str = "",
        generation: str = "",
    ) -> bool:
        """Write down that a turn's question is answered better now; True if that is news."""
        row = {
            "turn_id": turn_id,
            "curated_id": curated_id,
            "answer": answer,
            "generator": generator,
            "generation": generation,
            "at": utc(time.time()),
        }
        with self._database.transaction() as db:
            before = db.table("fixes").count
            db.table("fixes").insert(row, ignore=True)
            return bool(db.table("fixes").count > before)

    def of(self, turn_id: str) -> Fix | None:
        """The better answer to a turn's question, if there is one."""
        row = self._database.connection.conn.execute(
            "SELECT fixes.answer, coalesce(curated.audience, turns.audience) FROM fixes"
            " JOIN turns ON turns.id = fixes.turn_id"
            " LEFT JOIN curated ON curated.id = fixes.curated_id WHERE fixes.turn_id = ?",
            (turn_id,),
        ).fetchone()
        return None if row is None else Fix(row[0], frozenset(json.loads(row[1])))

    def untold(self) -> list[Delivery]:
        """A delivery for each person who finds a fixed turn bad, wants to hear of it, has not yet.

        An expert's answer to the very question is direct; what a new index, model or somebody
        else's correction brought is for those who asked to hear of that.
        """
        rows = self._database.connection.conn.execute(
            "SELECT fixes.turn_id, votes.voter, turns.team, reviews.id IS NOT NULL"
            " FROM fixes JOIN votes USING (turn_id) JOIN turns ON turns.id = fixes.turn_id"
            " LEFT JOIN curated ON curated.id = fixes.curated_id"
            " LEFT JOIN reviews ON reviews.id = curated.review_id AND reviews.turn_id = turns.id"
            " WHERE votes.value < 0 AND NOT EXISTS (SELECT 1 FROM notices"
            "  WHERE notices.turn_id = fixes.turn_id AND notices.person = votes.voter"
            "  AND notices.kind = 'fixed')"
        )
        return [
            _delivery(turn_id, person, team)
            for turn_id, person, team, is_direct in rows.fetchall()
            if self._preferences.of(person).wants_to_hear(is_direct=bool(is_direct))
        ]


def _delivery(turn_id: str, person: str, team: str) -> Delivery:
    digest = hashlib.sha256(f"{turn_id}:{person}".encode()).hexdigest()
    return Delivery(
        event_id=f"fixed:{digest[:24]}",
        kind="home",
        team=team,
        channel="",
        user=person,
        thread_key=f"home:{person}",
        payload=asdict(Interaction(FIXED, value=turn_id)),
    )

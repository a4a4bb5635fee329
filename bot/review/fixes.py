"""Bad answers that are better now, and who is to hear of it."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from bot.review.document_lookup import DocumentLookup
from bot.slack.incoming.payloads import Interaction
from bot.store.database import Database
from bot.store.inbox import Delivery
from bot.store.keys import API
from bot.store.log import utc
from bot.store.preferences import PeoplesPreferences
from bot.store.turns import DocumentRef

FIXED = "fixed"
"""The name of the delivery that tells somebody."""

_COLUMNS = (
    "SELECT turns.question, turns.asker, turns.audience AS asked_for, fixes.answer,"
    " fixes.generation AS made_from, curated.audience AS approved_for, document_id, content_hash,"
    " expired FROM fixes JOIN turns ON turns.id = fixes.turn_id"
    " LEFT JOIN curated ON curated.id = fixes.curated_id "
)


@dataclass(frozen=True, slots=True)
class Fix:
    """A turn's question and what it is answered with today, each None to who may not read it."""

    question: str | None
    answer: str | None


class Fixes:
    """Remembers the first better answer to each turn's question. Writes join a transaction."""

    def __init__(self, database: Database, documents: DocumentLookup) -> None:
        self._database = database
        self._documents = documents
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
            return db.table("fixes").insert(row, ignore=True)

    def of(self, turn_id: str, person: str, labels: frozenset[str]) -> Fix | None:
        """The better answer to a turn's question, for a person who holds these labels."""
        rows = self._database.connection.query(_COLUMNS + "WHERE turns.id = ?", (turn_id,))
        return next((self._fix(row, person, labels) for row in rows), None)

    def recent(self, person: str, labels: frozenset[str], *, limit: int) -> list[Fix]:
        """The latest better answers to what a person asked or rated, and may still read."""
        voted = "(SELECT voter FROM votes WHERE turn_id = turns.id AND voter = ?)"
        where = f"WHERE ? IN (asker, {voted}) ORDER BY fixes.rowid DESC"
        rows = self._database.connection.query(_COLUMNS + where, (person, person))
        fixes = (self._fix(row, person, labels) for row in rows)
        return list(islice((fix for fix in fixes if fix.question is not None), limit))

    def _fix(self, row: dict[str, Any], person: str, labels: frozenset[str]) -> Fix:
        is_asked_for = labels.issuperset(json.loads(row["asked_for"]))
        if not is_asked_for and row["asker"] != person:
            return Fix(None, None)
        approved_for = row["approved_for"]
        is_for = is_asked_for if approved_for is None else labels >= set(json.loads(approved_for))
        is_readable = is_for and self._stands(row, labels)
        return Fix(row["question"], row["answer"] if is_readable else None)

    def _stands(self, row: dict[str, Any], labels: frozenset[str]) -> bool:
        """Whether what an answer was made of is as it was, and may be read now."""
        if row["approved_for"] is None:
            return bool(self._documents.served_generation() == row["made_from"])
        passage = DocumentRef(row["document_id"] or "", row["content_hash"] or "")
        is_held = not row["document_id"] or self._documents.label(passage) in labels
        return row["expired"] is None and is_held

    def untold(self) -> list[Delivery]:
        """A delivery for each person who finds a fixed turn bad, wants to hear of it, has not yet.

        An expert's answer to the very question is direct; what a new index, model or somebody
        else's correction brought is for those who asked to hear of that. Who rated with a key of
        the API is not told.
        """
        rows = self._database.connection.execute(
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
            if not person.startswith(API)
            and self._preferences.of(person).wants_to_hear(is_direct=bool(is_direct))
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

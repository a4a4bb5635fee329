"""Documents that people say are outdated: in which state, and how much their word counts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.store.database import Database
from bot.store.log import utc
from retrieval.records import Source

ENOUGH = 2.0
"""The weight of all who say it, from which on a document stands lower. Nobody has so much alone."""

_SAID = (
    " FROM reasons JOIN votes ON votes.turn_id = reasons.turn_id AND voter = person AND value < 0"
    " JOIN turns ON turns.id = reasons.turn_id"
    " WHERE reason = 'outdated' AND dismissed IS NULL AND outdated_sha256 IS NOT NULL"
)
_VOICES = (
    "SELECT outdated_document AS document, outdated_sha256 AS sha256, person,"
    f" max(coalesce(outdated_weight, 0)) AS weight, max(reasons.at) AS said{_SAID}"
    " GROUP BY outdated_document, outdated_sha256, person"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A person's word, on a turn asked in a channel, that a document is outdated."""

    turn_id: str
    person: str
    channel: str
    document: str
    sha256: str


@dataclass(frozen=True, slots=True)
class OutdatedDocument:
    """A document that so many people call outdated as it is under this sha256.

    It `is_lowered` once their word counts enough.
    """

    id: str
    sha256: str
    people: int
    is_lowered: bool


class Outdated:
    """Reads and writes it beside the reasons. Writes join the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def documents(self) -> list[OutdatedDocument]:
        """The documents that somebody calls outdated and no admin has lifted, the latest last."""
        rows = self._database.connection.execute(
            f"SELECT document, sha256, count(*), sum(weight) FROM ({_VOICES}) AS voices"  # noqa: S608 - written above
            " GROUP BY document, sha256 ORDER BY max(said), document"
        )
        return [
            OutdatedDocument(id_, sha256, people, weight >= ENOUGH)
            for id_, sha256, people, weight in rows
        ]

    def lowered(self) -> dict[str, str]:
        """The ids of the documents that stand lower, with the sha256 of what was outdated."""
        return {found.id: found.sha256 for found in self.documents() if found.is_lowered}

    def unnoted(self) -> list[tuple[str, str]]:
        """Turn and person of each reason of which nobody has looked what document it is about."""
        return self._database.connection.execute(
            "SELECT turn_id, person FROM reasons"
            " WHERE reason = 'outdated' AND outdated_document IS NULL ORDER BY at, person"
        ).fetchall()

    def note(self, turn_id: str, person: str, source: Source | None) -> None:
        """A person's reason is about this document as it is now; None if about none of ours."""
        row = {
            "outdated_document": source.id if source else "",
            "outdated_sha256": source.sha256 if source else None,
        }
        with self._database.transaction() as db:
            db.table("reasons").update(row, turn_id=turn_id, person=person)

    def statements(self) -> list[Statement]:
        """What is said now of which document, the oldest first."""
        rows = self._database.connection.execute(
            "SELECT reasons.turn_id, person, turns.channel, outdated_document, outdated_sha256"
            f"{_SAID} ORDER BY reasons.at, person, reasons.turn_id"
        )
        return [Statement(*row) for row in rows]

    def weigh(self, weights: Mapping[Statement, float]) -> None:
        """Let each statement count for so much."""
        with self._database.transaction() as db:
            for said, weight in weights.items():
                change = {"outdated_weight": weight}
                db.table("reasons").update(change, turn_id=said.turn_id, person=said.person)

    def dismiss(self, document: str) -> None:
        """Let a document stand where it did; what was said of it so far counts no more."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE reasons SET dismissed = ? WHERE outdated_document = ?"
                " AND dismissed IS NULL",
                (utc(time.time()), document),
            )


def current(
    documents: Iterable[OutdatedDocument], sources: Iterable[Source]
) -> list[tuple[OutdatedDocument, Source]]:
    """Those of the documents that are as they were when they were called outdated."""
    known = {source.id: source for source in sources}
    pairs = ((found, known.get(found.id)) for found in documents)
    return [(found, of) for found, of in pairs if of is not None and of.sha256 == found.sha256]

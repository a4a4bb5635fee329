"""What the log knows of a turn, for those who act on what people say of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bot.store.database import Database

MAX_DOCUMENTS = 10

_COLUMNS = (
    "SELECT id, question, query, language, kind, method, channel, thread_ts, asker,"
    " audience, citations, generator, generation FROM turns "
)


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """A document by its id, and the passage of it that was meant by its content hash."""

    document_id: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class LoggedTurn:
    """A turn as it was logged. `cited` is the passage that its answer cites first.

    The answer is not here: only `bot.asking.disclosure` reads it, for readers who are named.
    """

    id: str
    question: str
    query: str
    language: str
    kind: str
    method: str
    channel: str
    thread_ts: str | None
    asker: str
    audience: frozenset[str]
    cited: DocumentRef | None
    generator: str
    generation: str


class Turns:
    """Reads turns from the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, turn_id: str) -> LoggedTurn | None:
        """One turn; None if there is none, or none any more."""
        return next(self._read("WHERE id = ?", (turn_id,)), None)

    def latest_of(self, channel: str, thread_ts: str, asker: str, *, limit: int) -> list[str]:
        """The ids of what somebody asked last in a thread, oldest first."""
        rows = self._database.connection.execute(
            "SELECT id FROM turns WHERE channel = ? AND thread_ts = ? AND asker = ?"
            " AND question != '' AND deleted IS NULL ORDER BY rowid DESC LIMIT ?",
            (channel, thread_ts, asker, limit),
        ).fetchall()
        return [id_ for (id_,) in reversed(rows)]

    def before(self, channel: str, thread_ts: str, ts: str) -> LoggedTurn | None:
        """The thread's latest turn that was there before a message; else its latest turn."""
        order = "ORDER BY coalesce(reply_ts, '') < ? DESC, rowid DESC LIMIT 1"
        found = self._read(f"WHERE channel = ? AND thread_ts = ? {order}", (channel, thread_ts, ts))
        return next(found, None)

    def rated_down(self, *, since: str, limit: int) -> list[LoggedTurn]:
        """Turns of ours since then, latest first, found bad by somebody and fixed by nothing."""
        where = (
            "WHERE created >= ? AND deleted IS NULL AND id NOT IN (SELECT turn_id FROM imports)"
            " AND id IN (SELECT turn_id FROM votes WHERE value < 0)"
            " AND id NOT IN (SELECT turn_id FROM fixes) ORDER BY rowid DESC LIMIT ?"
        )
        return list(self._read(where, (since, limit)))

    def unshadowed(self, trial: str, *, since: str, limit: int) -> list[LoggedTurn]:
        """Turns of a trial since then, latest first, that its candidate has not answered too."""
        where = (
            "WHERE trial = ? AND created >= ? AND deleted IS NULL AND NOT EXISTS (SELECT 1 FROM"
            " shadows WHERE turn_id = turns.id AND shadows.trial = turns.trial)"
            " ORDER BY rowid DESC LIMIT ?"
        )
        return list(self._read(where, (trial, since, limit)))

    def documents(self, turn_id: str) -> list[DocumentRef]:
        """The documents found for a turn, nearest first, each with its nearest passage."""
        rows = self._database.connection.execute(
            "SELECT document_id, content_hash FROM hits WHERE turn_id = ? ORDER BY position",
            (turn_id,),
        )
        nearest: dict[str, DocumentRef] = {}
        for document_id, content_hash in rows:
            nearest.setdefault(document_id, DocumentRef(document_id, content_hash))
        return list(nearest.values())[:MAX_DOCUMENTS]

    def _read(self, where: str, values: Sequence[object]) -> Iterator[LoggedTurn]:
        rows = self._database.connection.query(_COLUMNS + where, values)
        return (self._turn(row) for row in rows)

    def _turn(self, row: dict[str, Any]) -> LoggedTurn:
        citations = json.loads(row.pop("citations"))
        cited = self._cited(row["id"], citations[0]["passage_id"]) if citations else None
        audience = frozenset(json.loads(row.pop("audience")))
        row["query"] = row["query"] or row["question"]  # what it pointed back to was deleted
        return LoggedTurn(**row, audience=audience, cited=cited)

    def _cited(self, turn_id: str, passage_id: str) -> DocumentRef | None:
        row = self._database.connection.execute(
            "SELECT document_id, content_hash FROM hits WHERE turn_id = ? AND passage_id = ?",
            (turn_id, passage_id),
        ).fetchone()
        return None if row is None else DocumentRef(*row)

"""The audit log: who was shown what is not for everybody, and what was decided; append-only."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from bot.store.database import Database
from bot.store.keys import API
from bot.store.log import utc
from retrieval.errors import DataError
from retrieval.records import PUBLIC, Answer, Passage

Act = Literal["shown", "shared", "kept", "explained", "command", "config", "review", "key"]

DAY_S = 86_400

_HASHED = ("id", "key", "at", "act", "person", "channel", "details", "before")


class Occasion(Protocol):
    """On what occasion something was done: a job, or a call of the API."""

    @property
    def event_id(self) -> str:
        """What tells it from all others."""

    @property
    def user(self) -> str:
        """Who did it."""


@dataclass(frozen=True, slots=True)
class Verified:
    """How many rows there are, and the hash of the last: who knows it notices a cut end."""

    rows: int
    sha256: str


class AuditLog:
    """Rows that hold the hash of the row before; the database lets nobody change one.

    A person stands there as a token. Which person that is stands beside the log, until they are
    forgotten. What is older than `keep_days` is cut, 0 keeps all; the hash of the last row that was
    cut is the anchor of the others.
    """

    def __init__(
        self, database: Database, *, keep_days: int = 0, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._keep_days = keep_days
        self._clock = clock

    def shown(
        self,
        act: Act,
        occasion: Occasion,
        turn_id: str,
        passages: Iterable[Passage],
        *,
        channel: str,
    ) -> None:
        """Write who was shown which documents that are not for everybody, if there are any."""
        documents = sorted({(p.source.id, p.source.audience) for p in filter(_is_closed, passages)})
        if documents:
            self.add(act, occasion, channel=channel, turn=turn_id, documents=documents)

    def add(self, act: Act, occasion: Occasion, *, channel: str, **details: Any) -> None:  # noqa: ANN401 - JSON
        """Write what a person did or was shown, once for each occasion."""
        with self._database.transaction() as db:
            db.lock("audit")
            key = f"{act}:{occasion.event_id}"
            if db.execute("SELECT 1 FROM audit WHERE key = ?", (key,)).fetchone():
                return
            before_id, before = self._last()
            row: dict[str, Any] = {
                "id": before_id + 1,
                "key": key,
                "at": utc(self._clock()),
                "act": act,
                "person": self._token(occasion.user),
                # The id of direct messages names the person, too.
                "channel": channel if channel.startswith(("C", "G", API)) else "in private",
                "details": json.dumps(details, ensure_ascii=False, sort_keys=True),
                "before": before,
            }
            db.table("audit").insert(row | {"sha256": _hash(row)})
            self.cut()

    def rows(self) -> Iterator[dict[str, Any]]:
        """The log, oldest first, behind its anchor; `user` is who a person is, if still known."""
        yield {"anchor": dict(zip(("id", "sha256"), self._anchor(), strict=True))}
        sql = "SELECT audit.*, user FROM audit LEFT JOIN audit_people USING (person) ORDER BY id"
        yield from self._database.connection.query(sql)

    def verify(self) -> Verified:
        """Look whether every row stands as it was written, behind the one that it was written to.

        Raises:
            DataError: If one does not; the message names the first.
        """
        (through, before), rows = self._anchor(), 0
        for row in self._database.connection.query("SELECT * FROM audit ORDER BY id"):
            through, rows = through + 1, rows + 1
            is_next = (row["id"], row["before"]) == (through, before)
            if not is_next or row["sha256"] != _hash(row):
                raise DataError(f"audit log: row {through} is not as it was written")
            before = row["sha256"]
        return Verified(rows, before)

    def _anchor(self) -> tuple[int, str]:
        sql = "SELECT id, sha256 FROM audit_anchor"
        id_, digest = self._database.connection.execute(sql).fetchone()
        return id_, digest

    def _last(self) -> tuple[int, str]:
        sql = "SELECT id, sha256 FROM audit ORDER BY id DESC LIMIT 1"
        row = self._database.connection.execute(sql).fetchone()
        return self._anchor() if row is None else (row[0], row[1])

    def _token(self, user: str) -> str:
        db = self._database.connection
        sql = "SELECT person FROM audit_people WHERE user = ?"
        known = db.execute(sql, (user,)).fetchone()
        if known is not None:
            return str(known[0])
        token = secrets.token_hex(8)
        db.table("audit_people").insert({"person": token, "user": user})
        return token

    def cut(self) -> int:
        """Delete the rows that are too old, from the beginning; how many those were."""
        if not self._keep_days:
            return 0
        until = utc(self._clock() - self._keep_days * DAY_S)
        sql = "SELECT id, sha256 FROM audit WHERE at < ? ORDER BY id DESC LIMIT 1"
        with self._database.transaction() as db:
            db.lock("audit")
            last = db.execute(sql, (until,)).fetchone()
            if last is None:
                return 0
            db.execute("UPDATE audit_anchor SET id = ?, sha256 = ?", tuple(last))
            cut = db.execute("DELETE FROM audit WHERE id <= ?", (last[0],)).rowcount
            db.execute("DELETE FROM audit_people WHERE person NOT IN (SELECT person FROM audit)")
            return cut


def passages_of(answer: Answer) -> list[Passage]:
    """What an answer shows: the passages that it cites, or that were nearest."""
    return [*(citation.passage for citation in answer.citations), *answer.nearest]


def cited_in(text: str, answer: Answer) -> list[Passage]:
    """What the beginning of an answer shows: the passages that it cites.

    All, if it breaks off in a sentence whose citation is still to come.
    """
    *parts, rest = re.split(r"\[(\d+)\]", text)
    is_cut = re.search(r"\w", rest)
    return [c.passage for c in answer.citations if is_cut or str(c.number) in parts[1::2]]


def _is_closed(passage: Passage) -> bool:
    return passage.source.audience != PUBLIC


def _hash(row: dict[str, Any]) -> str:
    told = json.dumps([row[name] for name in _HASHED], ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()

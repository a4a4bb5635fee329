"""What people did with an answer without rating it; kept apart from ratings."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from bot.store.database import Database
from bot.store.log import utc

SignalKind = Literal["rephrased", "human_reply", "shared", "escalated", "why", "deleted", "retried"]


class Signals:
    """Implicit signals. They are evidence for a person to weigh, never a rating."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def note(self, turn_id: str, kind: SignalKind, person: str, event_id: str) -> bool:
        """Write a signal, once for each event; True if it is new. Joins an open transaction."""
        row = (event_id, kind, turn_id, person, utc(self._clock()))
        with self._database.transaction() as db:
            cursor = db.execute(
                "INSERT INTO signals (event_id, kind, turn_id, person, at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                row,
            )
            return cursor.rowcount == 1

    def of(self, turn_id: str) -> dict[str, int]:
        """How often each kind of signal was noted for a turn."""
        rows = self._database.connection.execute(
            "SELECT kind, count(*) FROM signals WHERE turn_id = ? GROUP BY kind", (turn_id,)
        )
        return dict(rows.fetchall())

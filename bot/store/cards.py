"""Answers shown again: what a card is made of, where it stands, and what became of it."""

from __future__ import annotations

import json
import time

from bot.store.database import Database
from bot.store.log import ANSWERS, Turn, utc


class Cards:
    """The logged turns as cards. Writes join the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def turn(self, turn_id: str) -> Turn | None:
        """A turn with its whole answer, whoever may read that; None if it is no longer kept.

        `messages` are those in the channel where it was asked.
        """
        row = self._database.connection.execute(
            "SELECT cards.answer, event_id, team, channel, thread_ts, asker, audience, created,"
            " is_private"
            " FROM turns JOIN cards ON cards.turn_id = turns.id"
            " WHERE turns.id = ? AND deleted IS NULL",
            (turn_id,),
        ).fetchone()
        if row is None:
            return None
        answer, event_id, team, channel, thread_ts, asker, audience, created, is_private = row
        return Turn(
            answer=ANSWERS.validate_json(answer),
            event_id=event_id,
            team=team,
            channel=channel,
            thread_ts=thread_ts,
            asker=asker,
            audience=frozenset(json.loads(audience)),
            messages=tuple(ts for where, ts in self.messages(turn_id) if where == channel),
            created=created,
            is_private=is_private != 0,
        )

    def is_kept(self, turn_id: str) -> bool:
        """Whether there is such a turn, not deleted, with its answer."""
        row = self._database.connection.execute(
            "SELECT 1 FROM turns JOIN cards ON cards.turn_id = id WHERE id = ? AND deleted IS NULL",
            (turn_id,),
        ).fetchone()
        return row is not None

    def is_logged(self, turn_id: str) -> bool:
        """Whether there is or was such a turn."""
        row = self._database.connection.execute(
            "SELECT 1 FROM turns WHERE id = ?", (turn_id,)
        ).fetchone()
        return row is not None

    def messages(self, turn_id: str) -> list[tuple[str, str]]:
        """Channel and ts of every message that shows a turn, oldest first."""
        return self._database.connection.execute(
            "SELECT channel, ts FROM replies WHERE turn_id = ?"
            " ORDER BY CAST(ts AS DOUBLE PRECISION)",
            (turn_id,),
        ).fetchall()

    def is_private(self, turn_id: str) -> bool:
        """Whether only the asker was shown the answer at first."""
        row = self._database.connection.execute(
            "SELECT reply_ts FROM turns WHERE id = ?", (turn_id,)
        ).fetchone()
        return row is not None and row[0] is None

    def add_message(self, turn_id: str, channel: str, ts: str) -> None:
        """A further message shows the turn, so that ratings of it count."""
        row = {"channel": channel, "ts": ts, "turn_id": turn_id}
        with self._database.transaction() as db:
            db.table("replies").insert(row, ignore=True)

    def open_to(self, turn_id: str, audience: frozenset[str]) -> None:
        """A turn that was for one person has been shown to all who hold these labels."""
        with self._database.transaction() as db:
            db.table("turns").update({"audience": json.dumps(sorted(audience))}, id=turn_id)

    def escalation(self, turn_id: str) -> str | None:
        """The ts of the message that asks experts about a turn; None if none does."""
        row = self._database.connection.execute(
            "SELECT ts FROM escalations WHERE turn_id = ?", (turn_id,)
        ).fetchone()
        return None if row is None else str(row[0])

    def escalate(self, turn_id: str, *, person: str, ts: str) -> None:
        """A person had the experts asked about a turn."""
        row = {"turn_id": turn_id, "person": person, "ts": ts, "at": utc(time.time())}
        with self._database.transaction() as db:
            db.table("escalations").insert(row, ignore=True)

    def delete(self, turn_id: str) -> None:
        """The turn is shown nowhere any more, and is part of no thread."""
        with self._database.transaction() as db:
            db.execute("UPDATE turns SET deleted = ? WHERE id = ?", (utc(time.time()), turn_id))
            db.execute("DELETE FROM replies WHERE turn_id = ?", (turn_id,))

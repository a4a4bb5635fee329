"""Which thumbs stand on an answer, whatever order Slack tells of them in."""

from __future__ import annotations

from bot.store.database import Database
from bot.store.log import Value


class Reactions:
    """The last that is known of each thumb of a person on a turn. Writes join a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, turn_id: str, rater: str, value: Value, *, is_on: bool, at: float) -> bool:
        """A thumb was put there or taken away; False if something later is known of it."""
        with self._database.transaction() as db:
            cursor = db.execute(
                "INSERT INTO reactions (turn_id, voter, value, is_on, at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (turn_id, voter, value) DO UPDATE SET is_on = excluded.is_on,"
                " at = excluded.at WHERE excluded.at >= reactions.at",
                (turn_id, rater, value, int(is_on), at),
            )
            return cursor.rowcount == 1

    def standing(self, turn_id: str, rater: str) -> Value | None:
        """What the person's last thumb that is still there says."""
        row = self._database.connection.execute(
            "SELECT value FROM reactions WHERE turn_id = ? AND voter = ? AND is_on = 1"
            " ORDER BY at DESC LIMIT 1",
            (turn_id, rater),
        ).fetchone()
        return None if row is None else row[0]

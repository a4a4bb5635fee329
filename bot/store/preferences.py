"""What people have decided about themselves: may their turns be learned from, what to tell them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bot.store.database import Database
from bot.store.log import utc


@dataclass(frozen=True, slots=True)
class Preferences:
    """One person's decisions.

    Nothing is learned from them unless they said that it may. `notify` is None until they chose:
    then they hear only of an approved answer to the very question that they rated.
    """

    may_learn: bool = False
    notify: bool | None = None

    def wants_to_hear(self, *, is_direct: bool) -> bool:
        """Whether to tell of a fix; `is_direct` if it is of the very question they rated."""
        return is_direct if self.notify is None else self.notify


class PeoplesPreferences:
    """The decisions of everybody; the cautious ones where somebody has made none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, person: str) -> Preferences:
        """What a person has chosen; the defaults where they have chosen nothing."""
        row = self._database.connection.execute(
            "SELECT may_learn, notify FROM people WHERE person = ?", (person,)
        ).fetchone()
        if row is None:
            return Preferences()
        return Preferences(bool(row[0]), None if row[1] is None else bool(row[1]))

    def set(self, person: str, preferences: Preferences) -> None:
        """Let these hold from now on. Joins an open transaction."""
        row = {
            "person": person,
            "may_learn": int(preferences.may_learn),
            "notify": None if preferences.notify is None else int(preferences.notify),
            "changed": utc(time.time()),
        }
        with self._database.transaction() as db:
            db.table("people").upsert(row, pk="person")

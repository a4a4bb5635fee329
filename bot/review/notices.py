"""What is said to somebody about a turn at most once."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Literal

from slack_sdk.errors import SlackApiError

from bot.slack.outgoing.reaching import SlackBusyError, SlackUnreachableError
from bot.store.database import Database
from bot.store.log import utc

logger = logging.getLogger(__name__)

NoticeKind = Literal["why", "fixed"]
"""An invitation to say what was wrong; the news that a question is answered better."""


class Notices:
    """Remembers what has been said, before it is said: rather never than twice."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def say_once(
        self, turn_id: str, person: str, kind: NoticeKind, say: Callable[[], Awaitable[object]]
    ) -> None:
        """Say it unless it was said. What Slack refuses is logged and not tried again.

        Raises:
            SlackBusyError: If Slack surely did nothing; then it can be said later.
        """
        if not await self._database.run(self._claim, turn_id, person, kind):
            return
        try:
            await say()
        except SlackBusyError:
            await self._database.run(self._unclaim, turn_id, person, kind)
            raise
        except (SlackApiError, SlackUnreachableError) as error:
            logger.warning("not said turn=%s kind=%s: %s", turn_id, kind, error)

    def _claim(self, turn_id: str, person: str, kind: NoticeKind) -> bool:
        row = (turn_id, person, kind, utc(time.time()))
        with self._database.transaction() as db:
            cursor = db.execute(
                "INSERT INTO notices (turn_id, person, kind, at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                row,
            )
            return cursor.rowcount == 1

    def _unclaim(self, turn_id: str, person: str, kind: NoticeKind) -> None:
        with self._database.transaction() as db:
            db.table("notices").delete(turn_id=turn_id, person=person, kind=kind)

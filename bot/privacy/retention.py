"""How long what people said is kept: what is older than its setting goes, table by table."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping

from bot.replay.files import REPLAYS
from bot.settings import Kept
from bot.store.audit import DAY_S, AuditLog
from bot.store.connection import StoreError
from bot.store.database import Database
from bot.store.inbox import NAMELESS
from bot.store.log import ConversationLog, utc

logger = logging.getLogger(__name__)

AT_ONCE = 200
"""So many questions go in one transaction: others write in between."""


class Retention:
    """Deletes what is older than its days; 0 keeps it for ever."""

    def __init__(
        self,
        database: Database,
        days: Mapping[Kept, int],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._days = days
        self._clock = clock
        self._log = ConversationLog(database)

    async def run(self, *, every_s: float) -> None:
        """Apply it again and again, until cancelled."""
        while True:
            try:
                gone = await self._database.run(self.apply)
                if gone:
                    told = " ".join(f"{kept}={count}" for kept, count in sorted(gone.items()))
                    logger.info("too old, deleted: %s", told)
            except (StoreError, OSError):
                logger.exception("what is too old is still there; it is tried again")
            await asyncio.sleep(every_s)

    def apply(self) -> Counter[Kept]:
        """Delete what is too old; how much that was. What is approved stays until it is retired."""
        gone: Counter[Kept] = Counter()
        deleting: dict[Kept, Callable[[float], int]] = {
            "questions": self._questions,
            "overheard": self._overheard,
            "answers": self._answers,
            "ratings": self._ratings,
            "corrections": self._corrections,
            "audit": self._audit,
            "reports": self._reports,
        }
        for kept, delete in deleting.items():
            if days := self._days[kept]:
                gone[kept] = delete(self._clock() - days * DAY_S)
        return +gone

    def _questions(self, before: float) -> int:
        with self._database.erasing() as db:
            buried = db.execute(
                "UPDATE inbox SET payload = '{}' WHERE state = 'dead' AND payload != '{}'"
                " AND created < ?",
                (before,),
            ).rowcount
            # Slack's ids of what was delivered stay: they tell a delivery from its repetition.
            db.execute(
                f"UPDATE inbox SET {NAMELESS}"  # noqa: S608 - of the inbox's own
                " WHERE state IN ('done', 'dead') AND user != '' AND created < ?",
                (before,),
            )
        return buried + self._redact("created < ?", before)

    def _overheard(self, before: float) -> int:
        with self._database.erasing() as db:
            unread = db.execute(
                "UPDATE inbox SET state = 'done', payload = '{}' WHERE kind = 'overheard'"
                " AND state = 'todo' AND created < ?",
                (before,),
            ).rowcount
        return unread + self._redact("triage != '' AND created < ?", before)

    def _redact(self, which: str, before: float) -> int:
        """Redact the turns that are not yet; how many those were."""
        sql = f"SELECT id FROM turns WHERE question != '' AND {which} LIMIT {AT_ONCE}"  # noqa: S608 - written in this module
        count = 0
        while rows := self._database.connection.execute(sql, (utc(before),)).fetchall():
            with self._database.transaction() as db:
                for (turn_id,) in rows:
                    self._log.redact(turn_id)
                    db.execute("UPDATE turns SET asker = '' WHERE id = ?", (turn_id,))
            count += len(rows)
        return count

    def _answers(self, before: float) -> int:
        old = "SELECT id FROM turns WHERE answer != '' AND created < ?"
        with self._database.erasing() as db:
            for table in ("cards", "shadows", "fixes"):
                db.execute(
                    f"DELETE FROM {table} WHERE turn_id IN ({old})",  # noqa: S608 - names of this module
                    (utc(before),),
                )
            return db.execute(
                "UPDATE turns SET answer = '', citations = '[]' WHERE answer != '' AND created < ?",
                (utc(before),),
            ).rowcount

    def _ratings(self, before: float) -> int:
        with self._database.erasing() as db:
            db.execute("DELETE FROM reactions WHERE at < ?", (before,))
            return sum(
                db.execute(f"DELETE FROM {table} WHERE at < ?", (utc(before),)).rowcount  # noqa: S608 - names of this module
                for table in ("votes", "vote_events", "signals")
            )

    def _corrections(self, before: float) -> int:
        with self._database.erasing() as db:
            reasons = db.execute("DELETE FROM reasons WHERE at < ?", (utc(before),)).rowcount
            reviews = db.execute(
                "DELETE FROM reviews WHERE (state != 'approved' AND coalesce(decided, created) < ?)"
                " OR id IN (SELECT review_id FROM curated WHERE expired < ?)",
                (utc(before), utc(before)),
            ).rowcount
            db.execute("DELETE FROM curated WHERE expired < ?", (utc(before),))
            return reasons + reviews

    def _audit(self, _before: float) -> int:
        return AuditLog(self._database, keep_days=self._days["audit"], clock=self._clock).cut()

    def _reports(self, before: float) -> int:
        replays = self._database.home / REPLAYS
        old = [folder for folder in replays.glob("*") if folder.stat().st_mtime < before]
        for folder in old:
            shutil.rmtree(folder)
        return len(old)

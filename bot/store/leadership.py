"""Which of the bots on one database sweeps and schedules: one at a time, and another when it dies.

It also hears what the others tell: that there is something to do.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from typing import Any

from bot.store.database import Database

logger = logging.getLogger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]

LOOK_S = 1.0
"""How often it is looked whether the one who leads has died, or we have lost the server."""
MAX_PAUSE_S = 30.0


class Leadership:
    """Runs some work in one process alone.

    `on_news` is told which kind of job there is to do, or nothing where it may be any.

    On SQLite every process does it all, as each knows how not to do what another has done.
    """

    def __init__(
        self,
        database: Database,
        *,
        on_news: Callable[[str], None] = lambda _: None,
        look_s: float = LOOK_S,
    ) -> None:
        self._address = database.engine.address
        self._on_news = on_news
        self._look_s = look_s
        self._tasks: list[asyncio.Task[None]] = []
        self.leads = asyncio.Event()
        """Set while the work is done here."""

    async def run(self, *works: Work) -> None:
        """Do the work whenever it is ours to do, until cancelled."""
        try:
            if self._address is None:
                self._begin(works)
                await asyncio.Event().wait()
            else:
                await self._stand(self._address, works)
        finally:
            await self._end()

    async def _stand(self, address: str, works: tuple[Work, ...]) -> None:
        import psycopg

        from bot.store.postgres import CHANNEL, LEAD, SESSION

        pause_s = self._look_s
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(address, autocommit=True) as db:
                    await db.execute(SESSION)
                    await db.execute(f"LISTEN {CHANNEL}")
                    self._on_news("")  # nobody has listened until now
                    pause_s = self._look_s
                    while True:
                        if not self.leads.is_set():
                            (row,) = await (await db.execute(LEAD)).fetchall()
                            if row[0]:
                                logger.info("leads: sweeps and schedules are done here")
                                self._begin(works)
                        async for news in db.notifies(timeout=self._look_s, stop_after=1):
                            self._on_news(news.payload)
            except psycopg.Error as error:
                logger.warning("the database is out of reach, or was: %s", error)
            # The lock went with the connection, and somebody else may have it.
            await self._end()
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, MAX_PAUSE_S)

    def _begin(self, works: tuple[Work, ...]) -> None:
        self._tasks = [asyncio.create_task(work()) for work in works]
        self.leads.set()

    async def _end(self) -> None:
        self.leads.clear()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""Answers that are being written, by thread, so that people can stop them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bot.asking.sessions import Sessions
from bot.slack.incoming.payloads import Stop, read
from bot.store.database import Database
from bot.store.inbox import Inbox, Job

ThreadKey = tuple[str, str]
"""A channel and a thread_ts."""


class Running:
    """Stops answers wherever they are written: here at once, in another process within `poll_s`."""

    def __init__(self, database: Database, *, poll_s: float = 1.0) -> None:
        self._database = database
        self._poll_s = poll_s
        self._stops: dict[ThreadKey, list[Callable[[], None]]] = defaultdict(list)

    @asynccontextmanager
    async def track(
        self, channel: str, thread_ts: str, stop: Callable[[], None]
    ) -> AsyncIterator[None]:
        """While inside, `stop` is called as soon as somebody wants this thread's answer stopped."""
        thread = (channel, thread_ts)
        await self._database.run(self._take, thread)  # what was meant for an earlier answer
        self._stops[thread].append(stop)
        watch = asyncio.create_task(self._watch(thread, stop))
        try:
            yield
        finally:
            watch.cancel()
            self._stops[thread].remove(stop)
            if not self._stops[thread]:
                del self._stops[thread]

    async def stop(self, channel: str, thread_ts: str) -> None:
        """Stop the answer that a thread is waiting for, if there is one."""
        thread = (channel, thread_ts)
        if thread not in self._stops:
            await self._database.run(self._ask, thread)
            return
        for stop in self._stops[thread]:
            stop()

    async def _watch(self, thread: ThreadKey, stop: Callable[[], None]) -> None:
        # Another process can only leave word in the database.
        while True:
            await asyncio.sleep(self._poll_s)
            if await self._database.run(self._take, thread):
                stop()

    def _ask(self, thread: ThreadKey) -> None:
        with self._database.transaction() as db:
            db.table("stops").insert({"channel": thread[0], "thread_ts": thread[1]}, ignore=True)

    def _take(self, thread: ThreadKey) -> bool:
        """Whether somebody asked to stop this thread's answer; forgotten once it is told."""
        where = "WHERE channel = ? AND thread_ts = ?"
        db = self._database.connection
        if db.execute(f"SELECT 1 FROM stops {where}", thread).fetchone() is None:  # noqa: S608 - written here
            return False
        with self._database.transaction():
            return db.execute(f"DELETE FROM stops {where}", thread).rowcount == 1  # noqa: S608 - written here


class StopHandler:
    """Does what the stop button is pressed for: no more words; what was written stays."""

    def __init__(self, inbox: Inbox, running: Running, sessions: Sessions) -> None:
        self._inbox = inbox
        self._running = running
        self._sessions = sessions

    async def handle(self, job: Job) -> None:
        """Stop the answers that are being written in the thread."""
        stop = read(job, Stop)
        await self._running.stop(job.channel, stop.thread_ts)
        await self._sessions.set(job.channel, stop.thread_ts, "active")
        await self._inbox.database.run(self._inbox.finish, job)

    async def apologise(self, _job: Job, _error: Exception) -> None:
        """The answer comes in full; that says it."""

"""Reindexing from Slack, with its progress shown in place."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Protocol

from bot.admin.people import People
from bot.incoming.payloads import Command
from bot.outgoing.cards import escape, notice
from bot.outgoing.outbox import Outbox
from bot.store.inbox import BrokenOffError, Inbox, Job
from bot.strings import Strings, strings_for
from retrieval.errors import RetrievalError

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with the stage, how much of it is done and how much there is."""


class Reindexer(Protocol):
    """Brings the index up to date; the caller gets a sentence on what has changed."""

    def __call__(self, *, full: bool, on_progress: Progress) -> str: ...


class ReindexHandler:
    """`/whimbrel reindex [full]`, for admins; progress is edited into one direct message."""

    def __init__(
        self,
        reindexer: Reindexer,
        inbox: Inbox,
        outbox: Outbox,
        people: People,
        *,
        stop: threading.Event,
        tick_s: float = 3.0,
    ) -> None:
        self._reindexer = reindexer
        self._inbox = inbox
        self._outbox = outbox
        self._people = people
        self._stop = stop
        self._tick_s = tick_s  # Slack takes about 50 edits a minute

    async def handle(self, job: Job) -> None:
        command = Command(**job.payload)
        is_admin, strings = await self._people.look_up(job.user)
        if is_admin:
            channel, ts = await self._message(job, command, strings)
            summary = await self._reindex(command, strings, channel, ts)
            done = strings.reindex_done.format(summary=escape(summary))
            await self._outbox.edit(channel, ts, notice(done))
            logger.info("reindexed by=%s: %s", job.user, summary)
        else:
            refusal = notice(strings.not_admin)
            await self._outbox.respond(command.response_url, job.user, (refusal,))
        await self._inbox.database.run(self._inbox.finish, job)

    async def apologise(self, job: Job, error: Exception) -> None:
        # What retrieval raises on purpose is written to be read; the rest is for the log.
        reason = escape(str(error)) if isinstance(error, RetrievalError) else ""
        words = strings_for("en").reindex_failed.format(reason=reason, error_id=job.error_id)
        reply = await self._inbox.database.run(self._inbox.reply, job)
        if reply is None or not await self._outbox.edit(*reply, notice(words)):
            await self._outbox.respond(
                Command(**job.payload).response_url, job.user, [notice(words)]
            )

    async def _message(self, job: Job, command: Command, strings: Strings) -> tuple[str, str]:
        reply = await self._inbox.database.run(self._inbox.reply, job)
        if reply is not None:
            return reply
        begun = notice(strings.reindex_begun)
        await self._outbox.respond(command.response_url, job.user, (begun,))
        # A person's id opens the direct messages with them.
        reply = await self._outbox.post(job.user, begun, thread_ts=None, event_id=job.event_id)
        await self._inbox.database.run(self._inbox.set_reply, job, *reply)
        return reply

    async def _reindex(self, command: Command, strings: Strings, channel: str, ts: str) -> str:
        latest: list[str] = []

        def on_progress(stage: str, done: int, total: int) -> None:
            if self._stop.is_set():
                raise BrokenOffError("reindexing was broken off by the shutdown")
            latest[:] = [strings.reindex_stage.format(stage=escape(stage), done=done, total=total)]

        is_full = command.text.lower().split()[1:2] == ["full"]
        run = partial(self._reindexer, full=is_full, on_progress=on_progress)
        work = asyncio.get_running_loop().run_in_executor(None, run)
        shown: list[str] = []
        while not (await asyncio.wait({work}, timeout=self._tick_s))[0]:
            if latest != shown:
                shown = latest[:]
                await self._outbox.edit(channel, ts, notice(shown[0]))
        return work.result()

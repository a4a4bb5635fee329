"""Reindexing from Slack, with its progress shown in place and what changed in the end."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol

from bot.admin.admin_cards import changes_card
from bot.admin.commands import Request, tell
from bot.outgoing.cards import Card, escape, notice
from bot.outgoing.outbox import Outbox
from bot.outgoing.reaching import SlackUnreachableError
from bot.store.inbox import BrokenOffError, Inbox
from bot.strings import Strings
from retrieval.errors import BusyError, RetrievalError

if TYPE_CHECKING:
    from retrieval.indexing import IndexReport

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with the stage, how much of it is done and how much there is."""


class Reindexer(Protocol):
    """Brings the index up to date."""

    def __call__(self, *, full: bool, on_progress: Progress) -> IndexReport:
        """Read what changed, or everything, and serve it.

        Raises:
            BusyError: If the index is being built already.
            RetrievalError: If it cannot be built; the message is for the admin.
        """


class Reindexing:
    """`/whimbrel reindex [full]`; progress is edited into one direct message."""

    def __init__(
        self,
        reindexer: Reindexer,
        inbox: Inbox,
        outbox: Outbox,
        *,
        stop: threading.Event,
        tick_s: float = 3.0,
    ) -> None:
        self._reindexer = reindexer
        self._inbox = inbox
        self._outbox = outbox
        self._stop = stop
        self._tick_s = tick_s  # Slack takes about 50 edits a minute
        self._is_running = False

    async def run(self, request: Request) -> Card | None:
        """Reindex, unless that is being done; what changed ends up where the progress was."""
        if self._is_running:
            return notice(request.strings.reindex_busy)
        self._is_running = True
        try:
            await self._run(request)
        finally:
            self._is_running = False
        return None

    async def _run(self, request: Request) -> None:
        job, strings = request.job, request.strings
        channel, ts = await self._message(request)
        try:
            report = await self._reindex(request, channel, ts)
        except BusyError:
            card = notice(strings.reindex_busy)
        except RetrievalError as error:
            logger.exception("reindexing failed id=%s", job.error_id)
            words, reason = strings.reindex_failed, escape(str(error))[:2_000]
            card = notice(words.format(reason=reason, error_id=job.error_id))
        else:
            card = _report_card(report, strings)
            logger.info("reindexed by=%s generation=%s", job.user, report.generation)
        if not await self._outbox.edit(channel, ts, card):
            await self._outbox.post(job.user, card, thread_ts=None, event_id=job.event_id)

    async def _message(self, request: Request) -> tuple[str, str]:
        job = request.job
        reply = await self._inbox.database.run(self._inbox.reply, job)
        if reply is not None:
            return reply
        begun = notice(request.strings.reindex_begun)
        # A person's id opens the direct messages with them.
        reply = await self._outbox.post(job.user, begun, thread_ts=None, event_id=job.event_id)
        await self._inbox.database.run(self._inbox.set_reply, job, *reply)
        if request.response_url is not None:
            await tell(self._outbox, request, begun)
        return reply

    async def _reindex(self, request: Request, channel: str, ts: str) -> IndexReport:
        latest: list[str] = []
        words = request.strings.reindex_stage

        def on_progress(stage: str, done: int, total: int) -> None:
            if self._stop.is_set():
                raise BrokenOffError("reindexing was broken off by the shutdown")
            name = request.strings.stages.get(stage, stage)
            latest[:] = [words.format(stage=name, done=done, total=total)]

        is_full = "full" in request.arguments
        run = partial(self._reindexer, full=is_full, on_progress=on_progress)
        work = asyncio.get_running_loop().run_in_executor(None, run)
        shown: list[str] = []
        while not (await asyncio.wait({work}, timeout=self._tick_s))[0]:
            if latest != shown:
                shown = latest[:]
                await self._show(channel, ts, notice(shown[0]))
        return work.result()

    async def _show(self, channel: str, ts: str, card: Card) -> None:
        try:
            await self._outbox.edit(channel, ts, card)
        except SlackUnreachableError as error:
            logger.info("progress not shown: %s", error)  # the next one will be


def _report_card(report: IndexReport, strings: Strings) -> Card:
    changes = report.changes
    headline = strings.reindex_done.format(
        seconds=report.seconds,
        added=len(changes.added),
        changed=len(changes.changed),
        removed=len(changes.removed),
        unchanged=changes.unchanged,
        passages=report.passages,
    )
    return changes_card(headline, changes, strings, failures=report.failures)

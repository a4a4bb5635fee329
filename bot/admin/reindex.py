"""Reindexing from Slack, with its progress shown in place and what changed in the end."""

from __future__ import annotations

import asyncio
import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Protocol

from bot.admin.admin_cards import account_line, changes_card
from bot.admin.commands import CommandRequest
from bot.admin.progress import OneAtATime, ProgressMessage, ProgressMessages
from bot.slack.outgoing.cards import Card, notice
from bot.slack.outgoing.mrkdwn import reason_of
from bot.store.inbox import BrokenOffError
from bot.strings import Strings
from retrieval.errors import BusyError, RetrievalError
from retrieval.progress import Progress

if TYPE_CHECKING:
    from retrieval.index.building import IndexReport

logger = logging.getLogger(__name__)


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
        self, reindexer: Reindexer, messages: ProgressMessages, *, stop: threading.Event
    ) -> None:
        self._reindexer = reindexer
        self._messages = messages
        self._stop = stop
        self._alone = OneAtATime()

    async def run(self, request: CommandRequest) -> Card | None:
        """Reindex, unless that is being done; what changed ends up where the progress was."""
        has_run = await self._alone.run(partial(self._run, request))
        return None if has_run else notice(request.strings.reindex.busy)

    async def _run(self, request: CommandRequest) -> None:
        job, strings = request.job, request.strings
        place = await self._messages.begin(request, strings.reindex.begun)
        try:
            report = await self._reindex(request, place)
        except BusyError:
            card = notice(strings.reindex.busy)
        except RetrievalError as error:
            logger.exception("reindexing failed id=%s", job.error_id)
            words, reason = strings.reindex.failed, reason_of(error)[:2_000]
            card = notice(words.format(reason=reason, error_id=job.error_id))
        else:
            card = _report_card(report, strings)
            logger.info("reindexed by=%s generation=%s", job.user, report.generation)
        await self._messages.end(request, place, card)

    async def _reindex(self, request: CommandRequest, place: ProgressMessage) -> IndexReport:
        latest = [""]
        words = request.strings.reindex.stage

        def on_progress(stage: str, done: int, total: int) -> None:
            if self._stop.is_set():
                raise BrokenOffError("reindexing was broken off by the shutdown")
            name = request.strings.reindex.stages.get(stage, stage)
            latest[0] = words.format(stage=name, done=done, total=total)

        is_full = "full" in request.arguments
        run = partial(self._reindexer, full=is_full, on_progress=on_progress)
        work = asyncio.get_running_loop().run_in_executor(None, run)
        return await self._messages.follow(place, work, lambda: latest[0])


def _report_card(report: IndexReport, strings: Strings) -> Card:
    changes = report.changes
    headline = strings.reindex.done.format(
        seconds=report.seconds,
        added=len(changes.added),
        changed=len(changes.changed),
        removed=len(changes.removed),
        unchanged=changes.unchanged,
        passages=report.passages,
    )
    headline += f"\n{account_line(report.account, strings, has_kinds=True)}"
    return changes_card(
        headline, changes, strings, failures=report.failures, partial=report.partial
    )

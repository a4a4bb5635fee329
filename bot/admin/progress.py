"""One direct message to an admin for a job that takes long: begun, edited as it goes on, ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.admin.commands import CommandRequest, tell
from bot.slack.outgoing.cards import Card, notice
from bot.slack.outgoing.outbox import Outbox
from bot.slack.outgoing.reaching import SlackUnreachableError
from bot.store.inbox import Inbox

logger = logging.getLogger(__name__)

T = TypeVar("T")

ProgressMessage = tuple[str, str]
"""The channel and ts of a message."""


class OneAtATime:
    """Lets a job run only where it is not running already."""

    def __init__(self) -> None:
        self._is_running = False

    async def run(self, job: Callable[[], Awaitable[None]]) -> bool:
        """Whether the job was run; False, at once, if it is being done."""
        if self._is_running:
            return False
        self._is_running = True
        try:
            await job()
        finally:
            self._is_running = False
        return True


class ProgressMessages:
    """Shows admins how far their long jobs are. Slack takes about 50 edits a minute."""

    def __init__(self, inbox: Inbox, outbox: Outbox, *, tick_s: float = 3.0) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._tick_s = tick_s

    async def begin(self, request: CommandRequest, words: str) -> ProgressMessage:
        """Tell that a job has begun; a second attempt goes on in the message of the first."""
        job = request.job
        place = await self._inbox.database.run(self._inbox.reply, job)
        if place is not None:
            return place
        begun = notice(words)
        # A person's id opens the direct messages with them.
        place = await self._outbox.post(job.user, begun, thread_ts=None, event_id=job.event_id)
        await self._inbox.database.run(self._inbox.set_reply, job, *place)
        if request.response_url is not None:
            await tell(self._outbox, request, begun)
        return place

    async def follow(
        self, place: ProgressMessage, work: asyncio.Future[T], latest: Callable[[], str]
    ) -> T:
        """What the work comes to; until then the latest words about it are shown."""
        shown = ""
        while not (await asyncio.wait({work}, timeout=self._tick_s))[0]:
            words = latest()
            if words and words != shown:
                shown = words
                await self._show(place, notice(words))
        return work.result()

    async def end(
        self, request: CommandRequest, place: ProgressMessage, card: Card
    ) -> ProgressMessage:
        """Show what came of the job; in a new message if the first was deleted."""
        if await self._outbox.edit(*place, card):
            return place
        job = request.job
        return await self._outbox.post(job.user, card, thread_ts=None, event_id=job.event_id)

    async def _show(self, place: ProgressMessage, card: Card) -> None:
        try:
            await self._outbox.edit(*place, card)
        except SlackUnreachableError as error:
            logger.info("progress not shown: %s", error)  # the next one will be

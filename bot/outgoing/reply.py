"""The message or messages in which a job ends, kept the same however often it is begun."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Literal

from bot.incoming.payloads import Question
from bot.outgoing.cards import Card
from bot.outgoing.outbox import Outbox
from bot.store.inbox import Inbox, Job


class Reply:
    """The message or messages in Slack that one job ends in, however often it is begun.

    With visibility `asker` a reply in a channel is shown to the person who asked alone.
    """

    def __init__(
        self,
        inbox: Inbox,
        outbox: Outbox,
        job: Job,
        question: Question,
        visibility: Literal["thread", "asker"] = "thread",
    ) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._job = job
        self._question = question
        self._is_whispered = visibility == "asker" and question.channel_type != "im"
        self._stopped = threading.Event()

    async def begin(self, card: Card) -> None:
        """Show that the job has begun, unless an earlier attempt has shown it."""
        is_private = self._is_whispered or self._question.response_url is not None
        if not is_private and not await self._sent():
            await self.show((card,))

    def on_text(self, piece: str) -> None:
        """Show a further piece of checked Markdown; called from the thread that answers."""

    def stop(self) -> None:
        """Somebody wants no more of this answer; from any thread."""
        self._stopped.set()

    def is_stopped(self) -> bool:
        """Whether somebody wants no more of this answer; from any thread."""
        return self._stopped.is_set()

    async def show(self, cards: Sequence[Card]) -> tuple[str, ...]:
        """Show the cards in place of what was there; the timestamps of lasting messages."""
        job, question = self._job, self._question
        if question.response_url is not None:
            await self._outbox.respond(question.response_url, job.user, cards)
            return ()
        if self._is_whispered:
            await self._whisper(cards)
            return ()
        sent = await self._sent()
        for part, card in enumerate(cards):
            ts = sent.get(part)
            if ts is not None and await self._outbox.edit(job.channel, ts, card):
                continue
            channel, sent[part] = await self._outbox.post(
                job.channel, card, thread_ts=question.thread_ts, event_id=job.event_id, part=part
            )
            if part == 0:
                await self._inbox.database.run(self._inbox.set_reply, job, channel, sent[part])
        return tuple(sent[part] for part in range(len(cards)))

    async def _whisper(self, cards: Sequence[Card]) -> None:
        job = self._job
        if await self._inbox.database.run(self._inbox.reply, job) is not None:
            return  # an earlier attempt has shown it, and it cannot be edited
        for card in cards:
            ts = await self._outbox.whisper(job.channel, job.user, card, thread_ts=self._thread_ts)
        await self._inbox.database.run(self._inbox.set_reply, job, job.channel, ts)

    @property
    def _thread_ts(self) -> str | None:
        """The thread that the question was asked in; one's own eyes need no new thread."""
        question = self._question
        return None if question.thread_ts == question.ts else question.thread_ts

    async def _sent(self) -> dict[int, str]:
        known = await self._inbox.database.run(self._inbox.reply, self._job)
        parts: dict[int, str] = {}
        if self._job.attempts > 1 and self._question.thread_ts and self._question.ts:
            # An earlier attempt may have posted and not lived to write it down.
            parts = await self._outbox.sent(
                self._job.channel,
                self._question.thread_ts,
                event_id=self._job.event_id,
                since=self._question.ts,
            )
        return parts | ({} if known is None else {0: known[1]})

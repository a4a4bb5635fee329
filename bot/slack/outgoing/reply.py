"""The message or messages in which a job ends, kept the same however often it is begun."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Literal

from bot.slack.incoming.payloads import Question
from bot.slack.outgoing.cards import Card
from bot.slack.outgoing.outbox import Outbox
from bot.slack.outgoing.streaming import LiveText, StreamPlace
from bot.store.inbox import Inbox, Job


class ReplyMessages:
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
        self._loop = asyncio.get_running_loop()
        self._live: LiveText | None = None
        self._placeholder: str | None = None
        self._strays: set[str] = set()

    @property
    def is_private(self) -> bool:
        """Whether only the asker sees it, in a channel."""
        return self._is_whispered or self._question.response_url is not None

    async def begin(self, card: Card, *, has_status: bool = False) -> None:
        """Show that the job has begun, unless an earlier attempt or a status shows it.

        From now on the words appear as they are written, if everybody may see them.
        """
        question, job = self._question, self._job
        if self.is_private:
            return
        sent = await self._sent()
        # A question asked anew has the message of its failure; it says something else now.
        if job.attempts == 1 if sent else not has_status:
            (self._placeholder,) = await self.show((card,))
            sent = {}
        # A stream is for a person; what an app asked is edited instead.
        if question.thread_ts is not None and not question.is_automated:
            place = StreamPlace(job.channel, question.thread_ts, job.team, job.user, job.event_id)
            self._live = LiveText(
                self._outbox,
                place,
                on_message=self._note,
                on_stopped=self.stop,
                placeholder=self._placeholder,
            )
            for part, ts in sent.items():
                self._live.adopt(part, ts)

    async def hold(self, card: Card) -> None:
        """Show why the reply takes long, unless nothing could take that back."""
        if not self._is_whispered:
            await self.show((card,))

    def on_text(self, piece: str) -> None:
        """Show a further piece of checked Markdown; called from the thread that answers."""
        if self._live is not None:
            self._loop.call_soon_threadsafe(self._live.feed, piece)

    async def close(self) -> None:
        """Show no more words of this attempt; whatever it ends in."""
        if self._live is not None:
            await self._live.end()

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
            await self._outbox.respond(
                question.response_url, job.user, cards, replaces=question.replaces
            )
            return ()
        if self._is_whispered:
            await self._whisper(cards)
            return ()
        await self.close()
        sent = await self._sent()
        for part, card in enumerate(cards):
            if part in sent and await self._became(part, sent[part], card):
                continue
            channel, sent[part] = await self._outbox.post(
                job.channel, card, thread_ts=question.thread_ts, event_id=job.event_id, part=part
            )
            await self._note(part, sent[part], channel=channel)
        surplus = {ts for part, ts in sent.items() if part >= len(cards)}
        for ts in surplus | self._strays:
            await self._outbox.end_stream(job.channel, ts)
            await self._outbox.delete(job.channel, ts)
        return tuple(sent[part] for part in range(len(cards)))

    async def _became(self, part: int, ts: str, card: Card) -> bool:
        """Whether the message that shows a part could be made to show this card."""
        if self._live is not None and await self._live.close(part, card):
            return True
        job = self._job
        return await self._outbox.edit(job.channel, ts, card, event_id=job.event_id, part=part)

    async def _note(self, part: int, ts: str, *, channel: str | None = None) -> None:
        """Remember the first message, so that another attempt goes on with it."""
        if part > 0:
            return
        where = channel or self._job.channel
        await self._inbox.database.run(self._inbox.set_reply, self._job, where, ts)
        if self._placeholder not in (None, ts):
            # The stream stands in its place; while it cannot be deleted, it is a stray.
            placeholder, self._placeholder = str(self._placeholder), None
            self._strays.add(placeholder)
            await self._outbox.delete(where, placeholder)
            self._strays.discard(placeholder)

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
        question, live = self._question, self._live
        is_lost = self._job.attempts > 1 or (live is not None and live.is_lost)
        if is_lost and question.thread_ts and question.ts:
            # An earlier attempt may have posted and not lived to write it down.
            parts = await self._outbox.sent(
                self._job.channel,
                question.thread_ts,
                event_id=self._job.event_id,
                since=question.ts,
                # Refusals do not wait for their turn in the thread, where an answer may be live.
                has_streamed=self._job.kind == "question",
            )
        parts |= {} if live is None else live.messages
        if known is None:
            return parts
        parts = {part: ts for part, ts in parts.items() if ts != known[1]}
        self._strays |= {parts[0]} if 0 in parts else set()
        return parts | {0: known[1]}

"""An answer's words in Slack while they are being written: streamed, else edited, else later."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import MarkdownBlock

from bot.slack.outgoing.cards import Card, fallback
from bot.slack.outgoing.mentions import defang
from bot.slack.outgoing.outbox import Outbox
from bot.slack.outgoing.pages import Pager
from bot.slack.outgoing.reaching import SlackBusyError, SlackUnreachableError, reason

logger = logging.getLogger(__name__)

FLUSH_CHARS = 400
EDIT_PACES = 3
STREAM_S = 240.0
"""Slack lets a stream die after about five minutes."""


@dataclass(frozen=True, slots=True)
class StreamPlace:
    """Where an answer is written, for whom, and in reply to which event."""

    channel: str
    thread_ts: str
    team: str
    user: str
    event_id: str


@dataclass(slots=True)
class StreamedMessage:
    """One message of a growing answer, and what is known to stand in it."""

    ts: str
    shown: str
    is_live: bool
    began: float


class LiveText:
    """Shows checked Markdown as it grows, one message a page.

    A page is streamed if the workspace has a stream to spare. Otherwise, and from the moment on
    when a stream fails, its message is edited. A `placeholder` is the message to edit first; one
    that stands already is left for a stream only if the answer takes longer than a moment.
    Trouble here never costs the answer: whatever this leaves behind, `close` or an edit with the
    final card puts right.
    """

    def __init__(
        self,
        outbox: Outbox,
        place: StreamPlace,
        *,
        on_message: Callable[[int, str], Awaitable[None]],
        on_stopped: Callable[[], None],
        placeholder: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._place = place
        self._on_message = on_message
        self._on_stopped = on_stopped
        self._placeholder = placeholder
        self._clock = clock
        self._pager = Pager()
        self._messages: dict[int, StreamedMessage] = {}
        self._streams = True
        self._unread = 0
        self._is_held = False
        self._not_before = 0.0
        self._task: asyncio.Task[None] | None = None
        self._full = asyncio.Event()
        self._over = asyncio.Event()
        self.is_lost = False
        """Whether there may be a message that nobody told us the ts of."""

    @property
    def messages(self) -> dict[int, str]:
        """The ts of each page's message."""
        return {part: message.ts for part, message in self._messages.items()}

    def adopt(self, part: int, ts: str) -> None:
        """Write this page into a message that is there already."""
        self._messages[part] = StreamedMessage(ts, "", is_live=False, began=0.0)
        self._streams = False

    def feed(self, piece: str) -> None:
        """A further piece of the answer; from the event loop's thread."""
        self._pager.feed(piece)
        self._unread += len(piece)
        if self._unread >= FLUSH_CHARS:
            self._full.set()
        if self._task is None or (self._task.done() and self._task.exception() is None):
            self._task = asyncio.create_task(self._grow())

    async def end(self) -> None:
        """Show nothing more; returns when the call in progress has."""
        self._over.set()
        self._full.set()
        if self._task is not None:
            await self._task

    async def close(self, part: int, card: Card) -> bool:
        """End a page's stream so that it shows this card; False if its message must be edited."""
        message = self._messages.get(part)
        first, *rest = card.blocks
        text = defang(first.text) if isinstance(first, MarkdownBlock) else ""
        if message is None:
            return False
        if not message.is_live:
            return text == message.shown and not rest
        message.is_live = False
        fits = text.startswith(message.shown)
        is_ended = await self._outbox.end_stream(
            self._place.channel,
            message.ts,
            text=text.removeprefix(message.shown) if fits else "",
            blocks=rest if fits else (),
            event_id=self._place.event_id,
            part=part,
        )
        return fits and is_ended

    async def _grow(self) -> None:
        """Flush on size and on time until everything written so far is shown."""
        if self._placeholder is not None and not self._messages:
            await _set_within(self._over, self._outbox.pace_s)
        while not self._over.is_set() and not self.is_lost and self._is_behind():
            self._unread, self._is_held = 0, False
            self._full.clear()
            if not self._streams:
                await _set_within(self._over, self._outbox.pace_s * EDIT_PACES)
            try:
                await self._flush()
            except (SlackApiError, SlackUnreachableError) as error:
                # The final card is sent whatever happens here.
                logger.warning("no live text event=%s: %s", self._place.event_id, error)
                return
            # Who was refused asks sooner than who was not, so that streams take turns.
            pace_s = self._outbox.pace_s
            await _set_within(self._full, pace_s / 4 if self._is_held else pace_s)

    def _is_behind(self) -> bool:
        shown = [message.shown for _, message in sorted(self._messages.items())]
        return shown != self._pages()

    def _pages(self) -> list[str]:
        return [defang(page) for page in self._pager.pages if page]

    async def _flush(self) -> None:
        pages = self._pages()
        for part, page in enumerate(pages):
            if self._over.is_set():
                return
            await self._show(part, page)
            message = self._messages.get(part)
            is_full = part < len(pages) - 1
            if is_full and message is not None and message.is_live and message.shown == page:
                await self._leave(part, message)

    async def _show(self, part: int, page: str) -> None:
        message = self._messages.get(part)
        if message is None:
            await self._open(part, page)
        elif message.shown == page:
            return
        elif message.is_live:
            await self._append(message, page)
        else:
            await self._edit(part, message, page)

    async def _open(self, part: int, page: str) -> None:
        self._streams = self._streams and self._outbox.starts.take()
        try:
            if self._streams:
                await self._start(part, page)
        except SlackBusyError:
            self._streams = False
        except SlackApiError as error:
            logger.info("no stream channel=%s: %s", self._place.channel, reason(error))
            self._streams = False
        if not self._streams and self._outbox.edits.has_room():
            await self._say(part, page)

    async def _start(self, part: int, page: str) -> None:
        place = self._place
        self.is_lost = True
        try:
            ts = await self._outbox.start_stream(
                place.channel, place.thread_ts, page, recipient=(place.team, place.user)
            )
        except (SlackBusyError, SlackApiError):
            self.is_lost = False  # Slack said itself that there is no message
            raise
        await self._opened(part, StreamedMessage(ts, page, is_live=True, began=self._clock()))

    async def _say(self, part: int, page: str) -> None:
        place = self._place
        if part == 0 and self._placeholder is not None:
            message = StreamedMessage(self._placeholder, page, is_live=False, began=self._clock())
            await self._outbox.edit(place.channel, message.ts, _page_card(page))
            self._messages[part] = message
            return
        self.is_lost = True
        _, ts = await self._outbox.post(
            place.channel,
            _page_card(page),
            thread_ts=place.thread_ts,
            event_id=place.event_id,
            part=part,
        )
        await self._opened(part, StreamedMessage(ts, page, is_live=False, began=self._clock()))

    async def _opened(self, part: int, message: StreamedMessage) -> None:
        self._messages[part] = message
        self.is_lost = False
        await self._on_message(part, message.ts)

    async def _append(self, message: StreamedMessage, page: str) -> None:
        now = self._clock()
        if now - message.began > STREAM_S:
            message.is_live = self._streams = False
            await self._outbox.end_stream(self._place.channel, message.ts)
        elif now >= self._not_before and self._outbox.appends.take():
            await self._send(message, page)
        else:
            self._is_held = True

    async def _send(self, message: StreamedMessage, page: str) -> None:
        more = page.removeprefix(message.shown)
        try:
            await self._outbox.append_stream(self._place.channel, message.ts, more)
            message.shown = page
        except SlackBusyError as error:
            self._not_before = self._clock() + error.retry_after_s
        except (SlackApiError, SlackUnreachableError) as error:
            # Nobody knows what stands there now; an edit says it all again.
            message.is_live, message.shown, self._streams = False, "", False
            if isinstance(error, SlackApiError) and reason(error) == "stopped_by_user":
                self._on_stopped()
            logger.info("stream broke event=%s: %s", self._place.event_id, error)

    async def _edit(self, part: int, message: StreamedMessage, page: str) -> None:
        if self._outbox.edits.has_room():
            place = self._place
            is_there = await self._outbox.edit(
                place.channel, message.ts, _page_card(page), event_id=place.event_id, part=part
            )
            message.shown = page if is_there else ""

    async def _leave(self, part: int, message: StreamedMessage) -> None:
        """End the stream of a page that gets no more words."""
        place = self._place
        is_ended = await self._outbox.end_stream(
            place.channel, message.ts, event_id=place.event_id, part=part
        )
        message.is_live = False
        if not is_ended:
            message.shown = ""  # to be edited: it ended by itself, without its mark


def _page_card(page: str) -> Card:
    return Card(fallback(page), (MarkdownBlock(text=page),))


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, but no longer than that."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)

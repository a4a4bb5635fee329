"""What arrives before the question that it belongs to: held in memory until that comes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable

from bot.slack.incoming.event_filter import EventFilter
from bot.slack.incoming.events import question_key
from bot.store.inbox import Delivery, Inbox

HOLD_S = 600.0
"""Slack sends for the last time what it could not deliver after about six minutes."""
MAX_HELD = 500


class EarlyDeliveries:
    """Replies and deletions that came before what they follow, which is rare but does happen.

    Most of what is held is other people's talk: it is never written down, and soon forgotten.
    """

    def __init__(self, inbox: Inbox, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._inbox = inbox
        self._filter = EventFilter(inbox.database)
        self._clock = clock
        self._lock = threading.Lock()
        self._held: deque[tuple[float, Delivery]] = deque(maxlen=MAX_HELD)

    def accept(self, delivery: Delivery) -> bool:
        """Store what concerns us, with what was held for it, and hold what yet may; True if new."""
        if not self._filter.concerns_us(delivery):
            if self._filter.may_follow(delivery):
                with self._lock:
                    self._held.append((self._clock(), delivery))
            return False
        is_new = self._store(delivery)
        if is_new and delivery.kind == "question":
            self.admit()
        return is_new

    def admit(self) -> int:
        """Store what is held for questions that have come since; how much that is."""
        now = self._clock()
        with self._lock:
            fresh = [(at, delivery) for at, delivery in self._held if now - at < HOLD_S]
            due = [delivery for _, delivery in fresh if self._filter.concerns_us(delivery)]
            self._held = deque([pair for pair in fresh if pair[1] not in due], MAX_HELD)
        return sum(self._store(delivery) for delivery in due)

    def _store(self, delivery: Delivery) -> bool:
        """Store a delivery; a question that is deleted before it is begun is answered no more."""
        with self._inbox.database.transaction():
            if delivery.kind == "change":
                ts = delivery.payload["ts"]
                asked = question_key(delivery.team, delivery.channel, ts)
                self._inbox.withdraw(asked, delivery.user)
            return self._inbox.accept(delivery)

    async def run(self, *, every_s: float, on_accepted: Callable[[], None]) -> None:
        """Go on admitting: another process may have been sent the question."""
        while True:
            await asyncio.sleep(every_s)
            admitted = await self._inbox.database.run(self.admit) if self._held else 0
            if admitted:
                on_accepted()

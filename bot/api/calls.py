"""One call of the API: with which key, on whose behalf, and whether it is done now."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus

from bot.api.problems import ProblemError
from bot.store.keys import API, ApiKey

BUSY_S = 5
"""Who is turned away may try again after this time."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call with a key, on behalf of whom its client calls `user`.

    `request_name` is what the client calls the request, so that it can be repeated.
    """

    key: ApiKey
    client_user: str = ""
    request_name: str = ""
    request: bytes = b""
    event_id: str = field(default_factory=lambda: f"{API}{uuid.uuid4().hex}")

    @property
    def user(self) -> str:
        """Who it is to the log."""
        return self.key.person(self.client_user)


class Desk:
    """Lets so many calls be worked on at a time, and so many wait, until it is closed.

    One key has at most its share of those that wait, and one that has no call here always may wait.
    """

    def __init__(self, *, at_once: int, max_waiting: int, max_waiting_per_key: int) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._max_here = at_once + max_waiting
        self._max_of_key = at_once + max_waiting_per_key
        self._here: Counter[str] = Counter()
        self._is_closed = False
        self._empty = asyncio.Event()

    @asynccontextmanager
    async def place(self, key: ApiKey) -> AsyncIterator[asyncio.Semaphore]:
        """Inside, a call with a key may wait; inside of what is given, it is worked on.

        Raises:
            ProblemError: If too many wait, or none are taken any more.
        """
        own = self._here[key.id]
        is_full = own > 0 and (own >= self._max_of_key or self._here.total() >= self._max_here)
        if self._is_closed or is_full:
            raise busy("too many calls are waiting; try again in a moment")
        self._here[key.id] += 1
        try:
            yield self._slots
        finally:
            self._here[key.id] -= 1
            if not self._here.total():
                self._empty.set()

    async def close(self, *, grace_s: float) -> None:
        """Take no more calls; returns when those that are here have ended, or after a while."""
        self._is_closed = True
        self._empty.clear()
        if self._here.total():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), grace_s)


def busy(detail: str) -> ProblemError:
    """A call that may be made again in a moment: it is not counted."""
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, retry_after_s=BUSY_S)

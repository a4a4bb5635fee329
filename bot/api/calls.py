"""One call of the API: with which key, on whose behalf, and whether it is done now."""

from __future__ import annotations

import asyncio
import uuid
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
    """Lets so many calls be worked on at a time, and so many wait, until it is closed."""

    def __init__(self, *, at_once: int, max_waiting: int) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._max_here = at_once + max_waiting
        self._here = 0
        self._is_closed = False
        self._empty = asyncio.Event()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Inside, a call is worked on.

        Raises:
            ProblemError: If too many wait, or none are taken any more.
        """
        if self._is_closed or self._here >= self._max_here:
            busy = "too many calls are waiting; try again in a moment"
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, busy, retry_after_s=BUSY_S)
        self._here += 1
        try:
            async with self._slots:
                yield
        finally:
            self._here -= 1
            if not self._here:
                self._empty.set()

    async def close(self, *, grace_s: float) -> None:
        """Take no more calls; returns when those that are here have ended, or after a while."""
        self._is_closed = True
        self._empty.clear()
        if self._here:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), grace_s)

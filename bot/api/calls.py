"""One call of the API: with which key, on whose behalf, and whether it is done now."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus

from bot.api.problems import ProblemError
from bot.store.keys import API, ApiKey

BUSY_S = 5
"""Who is turned away may try again after this time."""

LOOK_S = 0.2
"""So often a call that waits looks whether anybody still waits for it."""


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


class Place:
    """Where a call is: in a slot, where it is worked on, or waiting for one."""

    def __init__(self, slots: asyncio.Semaphore, *, has_slot: bool) -> None:
        self.has_slot = has_slot
        self._slots = slots

    async def reach(self, is_gone: Callable[[], bool]) -> bool:
        """Wait for a slot; False if who asked `is_gone` by then."""
        if self.has_slot:
            return True
        turn = asyncio.ensure_future(self._slots.acquire())
        try:
            while not turn.done() and not is_gone():
                await asyncio.wait([turn], timeout=LOOK_S)
            self.has_slot = turn.done()
        finally:
            turn.cancel()
            if turn.done() and not self.has_slot:  # it came as we were cancelled
                self._slots.release()
        return self.has_slot and not is_gone()


class Desk:
    """Lets so many calls be worked on at a time, and so many wait, until it is closed.

    One key has at most its share of those that wait, and one that has no call here always may wait.
    """

    def __init__(self, *, at_once: int, max_waiting: int, max_waiting_per_key: int) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._max_waiting = max_waiting
        self._max_of_key = max_waiting_per_key
        self._here: dict[str, list[Place]] = defaultdict(list)
        self._is_closed = False
        self._empty = asyncio.Event()

    @asynccontextmanager
    async def place(self, key: ApiKey) -> AsyncIterator[Place]:
        """Inside, a call with a key has a place: a slot if one is free, or it may wait for one.

        Raises:
            ProblemError: If too many wait, or none are taken any more.
        """
        must_wait = self._slots.locked()
        if self._is_closed or (must_wait and self._is_full(key)):
            raise busy("too many calls are waiting; try again in a moment")
        place = Place(self._slots, has_slot=not must_wait)
        self._here[key.id].append(place)
        try:
            if not must_wait:
                await self._slots.acquire()  # at once: nobody can come in between
            yield place
        finally:
            if place.has_slot:
                self._slots.release()
            self._here[key.id].remove(place)
            if not self._here[key.id]:
                del self._here[key.id]
            if not self._here:
                self._empty.set()

    def _is_full(self, key: ApiKey) -> bool:
        waiting = {id_: sum(not p.has_slot for p in places) for id_, places in self._here.items()}
        is_out = waiting.get(key.id, 0) >= self._max_of_key
        return key.id in waiting and (is_out or sum(waiting.values()) >= self._max_waiting)

    async def close(self, *, grace_s: float) -> None:
        """Take no more calls; returns when those that are here have ended, or after a while."""
        self._is_closed = True
        self._empty.clear()
        if self._here:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), grace_s)


def busy(detail: str) -> ProblemError:
    """A call that may be made again in a moment: it is not counted."""
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, retry_after_s=BUSY_S)

"""When to learn by itself: every day, or every week, at a time of day."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime

from bot.slack.incoming.payloads import Command
from bot.store.inbox import Delivery, Inbox
from bot.times import Times

logger = logging.getLogger(__name__)

LOOK_S = 60.0
"""A clock that was put right, or a machine that slept, is noticed after so long."""


class Schedule:
    """Puts `/whimbrel learn` into the inbox when its time has come, in the name of an admin."""

    def __init__(
        self,
        times: Times,
        admin: str,
        inbox: Inbox,
        *,
        on_accepted: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._times = times
        self._admin = admin
        self._inbox = inbox
        self._on_accepted = on_accepted
        self._clock = clock

    async def run(self) -> None:
        """Wait and begin, again and again, until cancelled."""
        moment = self._times.after(self._now())
        while True:
            left_s = (moment - self._now()).total_seconds()
            if left_s > 0:
                await asyncio.sleep(min(left_s, LOOK_S))
                continue
            if await self._inbox.database.run(self._inbox.accept, self._delivery(moment)):
                logger.info("learning begins as scheduled")
                self._on_accepted()
            moment = self._times.after(self._now())

    def _delivery(self, moment: datetime) -> Delivery:
        # Several bots on one database begin one round: the id is the same for all.
        id_ = f"schedule:{moment.isoformat(timespec='minutes')}"
        payload = asdict(Command(text="learn", response_url=None))
        return Delivery(id_, "learn", "", "", self._admin, id_, payload)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

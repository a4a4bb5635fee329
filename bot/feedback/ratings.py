"""Writes ratings from buttons and reactions into the conversation log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from bot.incoming.payloads import Rating
from bot.store.inbox import Inbox, Job
from bot.store.log import ConversationLog, Vote

logger = logging.getLogger(__name__)


class RatingHandler:
    """One current vote per person and turn; what is not about an answer of ours is dropped."""

    def __init__(
        self, inbox: Inbox, log: ConversationLog, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._inbox = inbox
        self._log = log
        self._clock = clock

    async def handle(self, job: Job) -> None:
        await self._inbox.database.run(self._write, job)

    async def apologise(self, _job: Job, _error: Exception) -> None:
        """A lost vote is for the log only; nobody waits for an answer to it."""

    def _write(self, job: Job) -> None:
        rating = Rating(**job.payload)
        with self._inbox.database.transaction():
            turn_id = rating.turn_id or self._log.turn_shown_in(job.channel, rating.ts or "")
            if turn_id is not None:
                vote = Vote(
                    turn_id=turn_id,
                    voter=job.user,
                    value=rating.value,
                    source=rating.source,
                    event_id=job.event_id,
                    at=datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds"),
                    is_withdrawn=rating.is_withdrawn,
                )
                is_new = self._log.vote(vote)
                logger.info("vote turn=%s value=%+d changed=%s", turn_id, rating.value, is_new)
            self._inbox.finish(job)

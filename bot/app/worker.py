"""Does what waits in the inbox: several jobs at once, each with a lease, failures told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from slack_sdk.errors import SlackApiError

from bot.app.process import has_ended, new_owner
from bot.metrics import JobOutcome, count_job, count_question
from bot.slack.incoming.payloads import PayloadError
from bot.slack.outgoing.reaching import SlackUnreachableError
from bot.store.connection import StoreError, StoreUnavailableError
from bot.store.inbox import BrokenOffError, Inbox, Job, JobKind, LeaseLostError
from retrieval import tracing
from retrieval.errors import EndpointUnreachableError, RetrievalError

logger = logging.getLogger(__name__)

MAX_FAULTS = 3
MAX_DEATHS = 5
"""A process may be killed for many a reason, so that this needs more evidence."""
PATIENCE_S = 86_400.0
"""What Slack, an endpoint or the database has held up for so long is told that it has failed, if it
can be told; what cannot is kept."""


class Handler(Protocol):
    """Knows one kind of job."""

    async def handle(self, job: Job) -> None:
        """Do the job and finish it in the inbox. It may have been begun before, and broken off."""

    async def apologise(self, job: Job, error: Exception, /) -> None:
        """Tell the person that the job has failed for good, with its `error_id`."""


class OutOfAttemptsError(Exception):
    """The process died each time it did this job."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Kinds of jobs that wait only for each other, and how many of them are done at once."""

    kinds: Sequence[JobKind]
    size: int


class Worker:
    """Claims jobs and hands them to their handlers until it is stopped."""

    def __init__(
        self,
        inbox: Inbox,
        handlers: Mapping[JobKind, Handler],
        *,
        retry_s: float = 2.0,
        poll_s: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.owner = new_owner()
        self._inbox = inbox
        self._handlers = handlers
        self._retry_s = retry_s
        self._poll_s = poll_s
        self._clock = clock
        self._news: dict[JobKind, asyncio.Event] = {}
        self.next_change = asyncio.Event()
        """Set, and then replaced, when a job was accepted or has ended."""
        self._is_stopping = False
        self._lanes: list[asyncio.Task[None]] = []
        self._doing: set[asyncio.Task[None]] = set()
        self._watches: list[asyncio.Task[None]] = []

    def start(self, lanes: Sequence[Lane]) -> None:
        """Begin to claim jobs. What no handler knows would hold up its thread for ever: it ends."""
        if buried := self._inbox.bury_others(tuple(self._handlers)):
            logger.error("buried jobs of unknown kinds=%d", buried)
        self._lanes = [asyncio.create_task(self._run(lane)) for lane in lanes]
        self._watches = [asyncio.create_task(self._inherit())]

    def wake(self, kind: str = "") -> None:
        """There may be something to claim, of this kind or of any; do not wait for the next poll.

        What others announce wakes only who does it: each look for a job costs some statements.
        """
        for of, news in self._news.items():
            if kind in ("", of):
                news.set()
        self.next_change.set()
        self.next_change = asyncio.Event()

    @property
    def is_running(self) -> bool:
        """Whether every lane claims jobs."""
        return bool(self._lanes) and not any(lane.done() for lane in self._lanes)

    async def stop(self, *, grace_s: float, on_grace_over: Callable[[], None]) -> None:
        """Claim nothing more, let jobs end for `grace_s`, and give back what has not ended."""
        self._is_stopping = True
        self.wake()
        if self._doing:
            await asyncio.wait(self._doing, timeout=grace_s)
        on_grace_over()
        for task in (*self._doing, *self._watches):
            task.cancel()
        await asyncio.gather(*self._doing, *self._watches, *self._lanes, return_exceptions=True)
        released = await self._inbox.database.run(self._inbox.release, self.owner)
        if released:
            logger.info("released jobs=%d", released)

    async def _inherit(self) -> None:
        """Take over at once, without waiting for a lease, what a process that has ended held."""
        while True:
            try:
                left = await self._inbox.database.run(self._inbox.release_left, has_ended)
            except StoreError:
                logger.exception("cannot look for jobs left behind")
                left = 0
            if left:
                logger.warning("took over jobs of a process that has ended jobs=%d", left)
                self.wake()
            await asyncio.sleep(self._poll_s)

    async def _run(self, lane: Lane) -> None:
        slots, news = asyncio.Semaphore(lane.size), asyncio.Event()
        self._news |= dict.fromkeys(lane.kinds, news)
        while not self._is_stopping:
            await slots.acquire()
            job = await self._next(lane.kinds, news)
            if job is None:
                return
            task = asyncio.create_task(self._do(job))
            self._doing.add(task)
            task.add_done_callback(lambda done: self._done(done, slots))

    async def _next(self, kinds: Sequence[JobKind], news: asyncio.Event) -> Job | None:
        while not self._is_stopping:
            news.clear()  # before looking, so that nothing slips between
            try:
                job = await self._inbox.database.run(self._inbox.claim, self.owner, kinds)
            except Exception:  # a lane never ends: whatever it is, the next job may do
                logger.exception("cannot claim")
                job = None
            if job is not None:
                return job
            try:
                await asyncio.wait_for(news.wait(), self._poll_s)
            except TimeoutError:
                continue
        return None

    def _done(self, task: asyncio.Task[None], slots: asyncio.Semaphore) -> None:
        self._doing.discard(task)
        slots.release()
        self.wake()  # the next question of the same thread may go
        if not task.cancelled() and task.exception() is not None:
            # Its lease runs out and it is done again.
            logger.error("job left to its lease", exc_info=task.exception())

    async def _do(self, job: Job) -> None:
        beat = asyncio.create_task(self._beat(job))
        with tracing.traced(job.trace_id):
            tracing.passed("claim", since=job.created)
            try:
                count_job(job.kind, await self._attempt(job))
            finally:
                beat.cancel()

    async def _beat(self, job: Job) -> None:
        while True:
            await asyncio.sleep(self._inbox.lease_s / 3)
            try:
                await self._inbox.database.run(self._inbox.heartbeat, job)
            except LeaseLostError:
                return
            except StoreError:
                logger.exception("no heartbeat job=%d", job.id)

    async def _attempt(self, job: Job) -> JobOutcome:
        if job.faults > MAX_DEATHS:
            died = OutOfAttemptsError(f"not ended in {MAX_DEATHS} attempts")
            return await self._give_up(job, died)
        try:
            await self._handlers[job.kind].handle(job)
        except (LeaseLostError, BrokenOffError) as error:
            logger.warning("%s", error)
            return "lost"
        except (SlackUnreachableError, EndpointUnreachableError, StoreUnavailableError) as error:
            if self._clock() - job.created > PATIENCE_S:
                return await self._give_up(job, error)
            return await self._postpone(job, error)
        except (RetrievalError, SlackApiError, PayloadError) as error:
            return await self._give_up(job, error)  # trying again would change nothing
        except Exception as error:
            if job.faults >= MAX_FAULTS:
                return await self._give_up(job, error)
            logger.exception("trying again job=%d kind=%s", job.id, job.kind)
            await self._inbox.database.run(self._inbox.retry, job, delay_s=self._retry_s)
            return "again"
        return "done"

    async def _postpone(self, job: Job, error: Exception) -> JobOutcome:
        logger.warning("held up job=%d: %s", job.id, error)
        delay_s = self._retry_s * min(2 ** min(job.attempts - 1, 5), 30)
        await self._inbox.database.run(self._inbox.retry, job, delay_s=delay_s, is_fault=False)
        return "held_up"

    async def _give_up(self, job: Job, error: Exception) -> JobOutcome:
        logger.error("failed id=%s job=%d kind=%s", job.error_id, job.id, job.kind, exc_info=error)
        try:
            await self._handlers[job.kind].apologise(job, error)
        except SlackUnreachableError as unreachable:
            return await self._postpone(job, unreachable)
        except (LeaseLostError, BrokenOffError) as broken_off:
            logger.warning("%s", broken_off)
            return "lost"
        except Exception:  # whatever it is, the job ends: others wait for it
            logger.exception("could not apologise id=%s", job.error_id)
        await self._bury(job, error)
        if job.kind == "question":
            count_question("error")
        return "failed"

    async def _bury(self, job: Job, error: Exception) -> None:
        reason = f"{job.error_id} {type(error).__name__}: {error}"
        await self._inbox.database.run(self._inbox.bury, job, reason)

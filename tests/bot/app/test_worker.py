from __future__ import annotations

import asyncio
import logging
import queue
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from bot.app.worker import MAX_DEATHS, MAX_FAULTS, PATIENCE_S, Lane, Worker
from bot.slack.incoming.payloads import PayloadError
from bot.slack.outgoing.reaching import SlackUnreachableError
from bot.store.database import Database
from bot.store.inbox import Delivery, Inbox, Job, JobKind
from retrieval.errors import EndpointUnreachableError
from tests.slack_server import WAIT_S


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Handler:
    """Does what it is told with each job and keeps who was apologised to."""

    def __init__(self, inbox: Inbox, act: Callable[[Job], None] = lambda _: None) -> None:
        self._inbox = inbox
        self._act = act
        self.apologies: list[str] = []
        self.most_at_once = 0
        self._now = 0

    async def handle(self, job: Job) -> None:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await asyncio.to_thread(self._act, job)
            self._inbox.finish(job)
        finally:
            self._now -= 1

    async def apologise(self, job: Job, error: Exception) -> None:
        self.apologies.append(f"{job.event_id} {type(error).__name__}")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inbox(tmp_path: Path, clock: Clock) -> Iterator[Inbox]:
    database = Database(tmp_path / "inbox.db")
    yield Inbox(database, clock=clock)
    database.close()


def accept(inbox: Inbox, n: int = 1) -> None:
    for i in range(n):
        inbox.accept(Delivery(f"Ev{i}", "question", "T", "C", "U", f"thread{i}", {}))


async def work(inbox: Inbox, handler: Handler, clock: Clock, *, size: int = 4) -> dict[str, int]:
    """Let a worker do everything; how many jobs ended how."""
    worker = Worker(inbox, {"question": handler}, retry_s=0.0, clock=clock)
    worker.start((Lane(("question",), size),))
    async with asyncio.timeout(WAIT_S):
        while True:
            change = worker.next_change
            if not inbox.counts().keys() & {"todo", "doing"}:
                break
            await change.wait()
    await worker.stop(grace_s=1, on_grace_over=lambda: None)
    return inbox.counts()


async def test_no_more_jobs_are_done_at_once_than_a_lane_is_wide(
    inbox: Inbox, clock: Clock
) -> None:
    accept(inbox, 12)
    handler = Handler(inbox)
    assert await work(inbox, handler, clock, size=3) == {"done": 12}
    assert handler.most_at_once <= 3


class WatchedInbox(Inbox):
    """Tells which kinds were looked for."""

    looks: queue.SimpleQueue[Sequence[JobKind]]

    def claim(self, owner: str, kinds: Sequence[JobKind]) -> Job | None:
        job = super().claim(owner, kinds)
        self.looks.put(kinds)
        return job


async def test_news_of_one_kind_lets_nobody_look_for_others(tmp_path: Path) -> None:
    inbox = WatchedInbox(Database(tmp_path / "inbox.db"))
    inbox.looks = queue.SimpleQueue()

    async def looks(count: int) -> set[Sequence[JobKind]]:
        return {await asyncio.to_thread(inbox.looks.get, timeout=WAIT_S) for _ in range(count)}

    worker = Worker(inbox, {}, poll_s=3_600)
    worker.start((Lane(("question",), 1), Lane(("vote", "home"), 1)))
    assert await looks(2) == {("question",), ("vote", "home")}
    worker.wake("home")
    assert await looks(1) == {("vote", "home")}
    worker.wake()
    assert await looks(2) == {("question",), ("vote", "home")}
    await worker.stop(grace_s=1, on_grace_over=lambda: None)
    assert inbox.looks.empty()
    inbox.database.close()


async def test_a_job_that_kills_the_process_each_time_is_given_up(
    inbox: Inbox, clock: Clock
) -> None:
    accept(inbox)
    for n in range(MAX_DEATHS):
        assert inbox.claim(f"dies{n}", ("question",)) is not None
        clock.now += inbox.lease_s
    handler = Handler(inbox)
    assert await work(inbox, handler, clock) == {"dead": 1}
    assert handler.apologies == ["Ev0 OutOfAttemptsError"]


async def test_an_unreachable_slack_is_not_the_fault_of_the_job(inbox: Inbox, clock: Clock) -> None:
    accept(inbox)

    def act(job: Job) -> None:
        if job.attempts <= 2 * MAX_FAULTS:
            raise SlackUnreachableError("no answer")

    handler = Handler(inbox, act)
    assert await work(inbox, handler, clock) == {"done": 1}
    assert handler.apologies == []


@pytest.mark.parametrize(
    "error", [SlackUnreachableError("no answer"), EndpointUnreachableError("no answer")]
)
async def test_what_was_held_up_for_hours_is_done_once_it_can_be(
    inbox: Inbox, clock: Clock, error: Exception
) -> None:
    accept(inbox)

    def act(_: Job) -> None:
        clock.now += 3_600
        if clock.now < 12 * 3_600:
            raise error

    handler = Handler(inbox, act)
    assert await work(inbox, handler, clock, size=1) == {"done": 1}
    assert handler.apologies == []


async def test_what_was_held_up_for_a_day_ends_as_soon_as_its_failure_can_be_told(
    inbox: Inbox, clock: Clock
) -> None:
    class Unreachable(Handler):
        async def apologise(self, job: Job, error: Exception) -> None:
            await super().apologise(job, error)
            if len(self.apologies) < 3:
                raise SlackUnreachableError("no answer")

    accept(inbox)
    clock.now += PATIENCE_S + 1

    def act(_: Job) -> None:
        raise SlackUnreachableError("no answer")

    handler = Unreachable(inbox, act)
    assert await work(inbox, handler, clock) == {"dead": 1}
    assert handler.apologies == 3 * ["Ev0 SlackUnreachableError"]


async def test_one_failing_job_holds_up_no_other(inbox: Inbox, clock: Clock) -> None:
    accept(inbox, 5)

    def act(job: Job) -> None:
        if job.event_id == "Ev2":
            raise ZeroDivisionError

    handler = Handler(inbox, act)
    assert await work(inbox, handler, clock) == {"dead": 1, "done": 4}
    assert handler.apologies == ["Ev2 ZeroDivisionError"]


@pytest.mark.parametrize("error", [KeyError("text"), ValueError("\ud83d"), PayloadError("other")])
async def test_a_job_that_nobody_can_apologise_for_ends_and_its_thread_goes_on(
    inbox: Inbox, clock: Clock, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    caplog.set_level(logging.CRITICAL)  # workers of pytest cannot send half a surrogate pair

    class Speechless(Handler):
        async def apologise(self, _job: Job, _error: Exception) -> None:
            raise error

    for event_id in ("Ev0", "Ev1"):
        inbox.accept(Delivery(event_id, "question", "T", "C", "U", "thread", {}))

    def act(job: Job) -> None:
        if job.event_id == "Ev0":
            raise error

    assert await work(inbox, Speechless(inbox, act), clock) == {"dead": 1, "done": 1}


async def test_what_another_release_has_stored_is_not_tried_again(
    inbox: Inbox, clock: Clock
) -> None:
    accept(inbox)
    attempts = []

    def act(job: Job) -> None:
        attempts.append(job.attempts)
        raise PayloadError("other")

    assert await work(inbox, Handler(inbox, act), clock) == {"dead": 1}
    assert attempts == [1]


async def test_an_apology_for_a_job_that_is_held_by_another_worker_buries_nothing(
    inbox: Inbox, clock: Clock
) -> None:
    class Late(Handler):
        async def apologise(self, job: Job, error: Exception) -> None:
            await super().apologise(job, error)
            if len(self.apologies) == 1:
                clock.now += inbox.lease_s
                other = inbox.claim("another", ("question",))
                assert other is not None
                inbox.retry(other, delay_s=0.0)
                self._inbox.set_reply(job, "C", "1.0")

    def act(_: Job) -> None:
        raise PayloadError("other")

    accept(inbox)
    late = Late(inbox, act)
    assert await work(inbox, late, clock) == {"dead": 1}
    assert len(late.apologies) == 2

from __future__ import annotations

import asyncio

from bot.asking.running import Running
from bot.store.database import Database
from tests.slack_server import WAIT_S


async def test_an_answer_is_stopped_from_another_process(database: Database) -> None:
    here, there = Running(database, poll_s=0.001), Running(database)
    stopped = asyncio.Event()
    async with asyncio.timeout(WAIT_S), here.track("C1", "1.0", stopped.set):
        await there.stop("C1", "1.0")
        await stopped.wait()


async def test_only_the_thread_that_is_meant_is_stopped(database: Database) -> None:
    running = Running(database)
    mine, other = asyncio.Event(), asyncio.Event()
    async with running.track("C1", "1.0", mine.set), running.track("C1", "2.0", other.set):
        await running.stop("C1", "1.0")
    assert mine.is_set()
    assert not other.is_set()


async def test_what_was_meant_for_an_answer_that_has_ended_stops_no_other(
    database: Database,
) -> None:
    running = Running(database, poll_s=0.0)
    await running.stop("C1", "1.0")
    stopped = asyncio.Event()
    async with running.track("C1", "1.0", stopped.set):
        await database.run(lambda: None)
    assert not stopped.is_set()

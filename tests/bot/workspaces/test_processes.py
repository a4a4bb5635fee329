from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.workspaces.processes import BotProcess
from tests.slack_server import WAIT_S

TELLS = """
import os, sys
count = len(os.listdir())
with open(f"{count}.txt", "w") as file:
    file.write(str(os.environ))
print(4321 + count, flush=True)
"""
"""Says a port, and writes what it was given into its folder."""

Starts = Callable[[str], BotProcess]


@pytest.fixture
async def starts(tmp_path: Path) -> AsyncIterator[Starts]:
    started: list[BotProcess] = []

    def start(script: str) -> BotProcess:
        environment = {**os.environ, "SLACK_ONLY_TEAM": "T1"}
        program = (sys.executable, "-c", script)
        started.append(BotProcess(tmp_path, environment, program=program))
        return started[-1]

    yield start
    await asyncio.gather(*(process.end() for process in started))


async def test_a_bot_says_where_it_takes_deliveries_and_ends_with_its_input(
    starts: Starts, tmp_path: Path
) -> None:
    process = starts(TELLS + "sys.stdin.read()")
    assert await asyncio.wait_for(process.port(), WAIT_S) == 4321
    await asyncio.wait_for(process.end(), WAIT_S)
    given = (tmp_path / "0.txt").read_text()
    assert process.secret in given


@pytest.mark.slow
async def test_a_bot_that_ends_is_begun_again(
    starts: Starts, caplog: pytest.LogCaptureFixture
) -> None:
    process = starts(TELLS + "if count: sys.stdin.read()\nsys.exit(3)")
    async with asyncio.timeout(WAIT_S):
        for _ in itertools.count():
            if await process.port() == 4322:
                break
            await asyncio.sleep(0)
    assert ": 3; again in 1 s" in caplog.text


async def test_until_a_bot_says_where_it_is_nothing_is_handed_to_it(starts: Starts) -> None:
    process = starts("import sys; sys.stdin.read()")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(process.port(), 0.2)

"""Several bots on one Postgres: any accepts, any answers, and one at a time sweeps."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.bot.admin.test_config import LEAVE
from tests.bot.conftest import House, settled
from tests.fakes import GatedAnswerer
from tests.slack_server import WAIT_S, event, mention

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

DATABASE = "postgres"


async def test_what_one_has_accepted_another_answers(house: House) -> None:
    slack, gated = house.slack, GatedAnswerer()
    async with house.bot(gated, grace_s=0) as first:
        await slack.deliver(event(mention(LEAVE, ts="1.0"), "Ev1"))
        await slack.until(lambda: len(slack.posted("C1")) == 1)
        second = await house.start()
        await asyncio.wait_for(first.leadership.leads.wait(), WAIT_S)
        assert not second.leadership.leads.is_set()
    await settled(second)
    (answer,) = slack.posted("C1")
    assert "30 days" in answer["blocks"][0]["text"]
    await asyncio.wait_for(second.leadership.leads.wait(), WAIT_S)


@pytest.mark.slow
async def test_what_cannot_be_stored_is_not_acked_and_answered_once_the_server_is_back(
    http: House, postgres: PostgresServer
) -> None:
    slack, bot = http.slack, await http.start()
    body = event(mention(LEAVE, ts="1.0"), "Ev1")
    postgres.kill()
    refused = await slack.deliver(body)
    assert refused.status in (0, 503)
    postgres.start()
    async with asyncio.timeout(WAIT_S):
        for retry_num in itertools.count(1):
            if (await slack.deliver(body, retry_num=retry_num)).is_acked:
                break
        await slack.until(lambda: bool(slack.posted("C1")))
    await settled(bot)
    (answer,) = slack.posted("C1")
    assert "30 days" in answer["blocks"][0]["text"]


@pytest.mark.slow
@pytest.mark.usefixtures("postgres")
def test_nothing_is_lost_or_doubled_when_bots_and_the_server_are_killed() -> None:
    program = ("-m", "benchmarks.chaos", "--database", "postgres", "--processes", "2")
    options = ("--questions", "15", "--kills", "5", "--rate", "6", "--seconds", "0.2")
    root = Path(__file__).parents[3]
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, *program, *options],
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 kills" in done.stdout
    assert "killed 1 times" in done.stdout

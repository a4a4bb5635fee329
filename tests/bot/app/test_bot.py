from __future__ import annotations

import asyncio
import os
import signal

import pytest

from bot.serving import run_until_stopped
from bot.store.database import Database
from bot.store.inbox import Inbox
from retrieval.errors import SettingsError
from tests.bot.conftest import House, settled
from tests.fakes import GatedAnswerer
from tests.slack_server import BOT_USER, WAIT_S, event, mention


async def test_sigterm_lets_an_answer_in_progress_end(house: House) -> None:
    slack, answerer = house.slack, GatedAnswerer()
    bot = house.bot(answerer)
    serving = asyncio.create_task(run_until_stopped(bot))
    await slack.deliver(event(mention("How many days of leave?", ts="1.0"), "Ev1"))
    await slack.until(lambda: len(slack.posted("C1")) == 1)
    os.kill(os.getpid(), signal.SIGTERM)
    answerer.gate.set()
    await asyncio.wait_for(serving, WAIT_S)
    assert "30 days" in slack.posted("C1")[0]["blocks"][0]["text"]


async def test_a_job_left_by_a_crashed_process_is_ended_in_the_message_it_had_begun(
    house: House,
) -> None:
    slack = house.slack
    first = house.bot(GatedAnswerer(), grace_s=0)
    async with first:
        await slack.deliver(event(mention("How many days of leave?", ts="1.0"), "Ev1"))
        await slack.until(lambda: len(slack.posted("C1")) == 1)
    # As a crash leaves it: still leased, by a worker that will never be filtered of again.
    database = Database(house.folder / "whimbrel.db")
    assert Inbox(database, lease_s=0).claim("crashed", ("question",)) is not None
    database.close()
    bot = await house.start()
    await settled(bot)
    (answer,) = slack.posted("C1")
    assert answer["user"] == BOT_USER
    assert "30 days" in answer["blocks"][0]["text"]


@pytest.mark.slow
async def test_a_slack_that_cannot_be_reached_is_named(house: House) -> None:
    settings = house.settings(api_url="http://127.0.0.1:9/api")
    with pytest.raises(SettingsError, match=r"cannot reach Slack at http://127\.0\.0\.1:9/api/"):
        await house.start(settings=settings)

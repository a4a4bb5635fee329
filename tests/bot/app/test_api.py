"""The API in the bot's process, beside Slack."""

from __future__ import annotations

import aiohttp
import pytest

from bot.app.bot import Bot
from bot.settings import ApiSettings
from bot.store.database import Database
from bot.store.keys import ApiKeys
from tests.bot.conftest import House, settled
from tests.slack_server import event, mention

LEAVE = "How many days of leave do I have?"


def key_of(house: House) -> str:
    database = Database(house.folder / "whimbrel.db")
    try:
        return ApiKeys(database).create("web")[1]
    finally:
        database.close()


async def asked(bot: Bot, key: str) -> int:
    url = f"http://127.0.0.1:{bot.api_port or bot.port}/v1/answers"
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json={"question": LEAVE}, headers=headers) as response,
    ):
        return response.status


async def test_slack_and_the_api_are_answered_into_one_log(each_transport: House) -> None:
    house = each_transport
    key = key_of(house)
    bot = await house.enter(house.bot(api=ApiSettings(listen_port=0)))
    assert await asked(bot, key) == 200
    await house.slack.deliver(event(mention(LEAVE, ts="1.0"), "Ev1"))
    await settled(bot)
    assert bot.log.count() == 2


@pytest.mark.parametrize(("serve", "has_key", "status"), [
    (None, False, 404),
    (False, True, 404),
    (True, False, 401),
])  # fmt: skip
async def test_it_is_off_unless_a_key_holds_or_settings_say_so(
    http: House, serve: bool | None, has_key: bool, status: int
) -> None:
    key = key_of(http) if has_key else "none"
    bot = await http.enter(http.bot(api=ApiSettings(listen_port=0, serve=serve)))
    assert await asked(bot, key) == status

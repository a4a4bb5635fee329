from __future__ import annotations

import json
import socket
import time

import aiohttp
import pytest

from retrieval.errors import SettingsError
from tests.bot.conftest import House
from tests.slack_server import SECRET, event, mention, signature

BODY = json.dumps(event(mention("leave?", ts="1.0"), "Ev1"))


async def post(house: House, body: str, headers: dict[str, str]) -> int:
    assert house.slack.app_url is not None
    headers = {"content-type": "application/json"} | headers
    async with (
        aiohttp.ClientSession() as session,
        session.post(house.slack.app_url, data=body, headers=headers) as response,
    ):
        return response.status


async def get(port: int, path: str) -> int:
    url = f"http://127.0.0.1:{port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status


async def test_a_wrong_or_old_signature_is_turned_away(http: House) -> None:
    bot = await http.start()
    assert await post(http, BODY, {}) == 401
    assert await post(http, BODY, signature(BODY, "wrong")) == 401
    assert await post(http, BODY, signature(BODY, SECRET, at=time.time() - 360)) == 401
    assert bot.inbox.counts() == {}


async def test_a_body_that_is_no_json_is_a_bad_request(http: House) -> None:
    await http.start()
    assert await post(http, "{broken", signature("{broken", SECRET)) == 400


async def test_slack_can_verify_the_address(http: House) -> None:
    await http.start()
    assert http.slack.app_url is not None
    body = json.dumps({"type": "url_verification", "challenge": "abc"})
    headers = {"content-type": "application/json"} | signature(body, SECRET)
    async with (
        aiohttp.ClientSession() as session,
        session.post(http.slack.app_url, data=body, headers=headers) as response,
    ):
        assert await response.json() == {"challenge": "abc"}


async def test_a_serving_bot_is_alive_and_ready(http: House) -> None:
    bot = await http.start()
    assert [await get(bot.port, path) for path in ("/livez", "/readyz")] == [200, 200]


async def test_in_socket_mode_only_the_health_port_listens(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    await house.start(settings=house.settings(health_port=port))
    paths = ("/livez", "/readyz", "/slack/events")
    assert [await get(port, path) for path in paths] == [200, 200, 404]


async def test_a_port_that_is_taken_is_named(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = house.settings(health_port=taken.getsockname()[1])
        with pytest.raises(SettingsError, match="SLACK_HEALTH_PORT"):
            await house.start(settings=settings)


async def test_a_bot_is_ready_until_its_last_socket_is_gone(house: House) -> None:
    bot = await house.start(settings=house.settings(connections=2))
    first, second = bot._sockets
    await first.client.disconnect()  # type: ignore[no-untyped-call]
    assert await bot.is_ready()
    await second.client.disconnect()  # type: ignore[no-untyped-call]
    assert not await bot.is_ready()

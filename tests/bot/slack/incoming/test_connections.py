from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web

from bot.slack.incoming.connections import Connections
from bot.slack.incoming.web import listen

SILENT_S = 0.4


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server of at most eight connections; `/slow` answers late."""

    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(3 * SILENT_S)
        return web.Response(text="late")

    async def read(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    routes = [web.get("/slow", slow), web.post("/", read)]
    bounds = Connections(most=8, silent_s=SILENT_S)
    runner, port = await listen(routes, "127.0.0.1", 0, connections=bounds)
    yield port
    await runner.cleanup()


async def ask(port: int, method: str = "POST", path: str = "/") -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{port}{path}", data=b"x") as response,
    ):
        return await response.text()


@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nHost: a\r\nX-One: ", b"\r\n"])
async def test_who_asks_nothing_is_cut_off_and_takes_no_place_for_long(
    port: int, sent: bytes
) -> None:
    half_open = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
    for _, writer in half_open:
        writer.write(sent)
        await writer.drain()
    with pytest.raises(aiohttp.ClientError):
        await ask(port)
    for reader, writer in half_open:
        with suppress(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 20 * SILENT_S)
        writer.close()
    assert await ask(port) == "1"


async def test_headers_that_trickle_in_are_not_waited_for(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\n")
    cut_off = asyncio.create_task(reader.read())
    for number in range(200):
        if cut_off.done():
            break
        writer.write(f"X-{number}: x\r\n".encode())
        await asyncio.sleep(SILENT_S / 10)
    assert number < 100
    assert cut_off.exception() is not None or cut_off.result() == b""
    writer.close()


async def test_an_answer_that_takes_long_is_waited_for(port: int) -> None:
    assert await ask(port, "GET", "/slow") == "late"


async def test_more_connections_than_allowed_do_not_end_those_that_are_there(port: int) -> None:
    slow = [asyncio.create_task(ask(port, "GET", "/slow")) for _ in range(8)]
    await asyncio.sleep(SILENT_S / 2)
    with pytest.raises(aiohttp.ClientError):
        await ask(port)
    assert await asyncio.gather(*slow) == ["late"] * 8

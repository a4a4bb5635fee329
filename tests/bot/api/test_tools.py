"""The tools for agents, asked by the SDK's own client."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

pytest.importorskip("mcp")

from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from uvicorn import Config, Server

from bot.api.tools import make_app, make_server
from bot.app.api import ApiServer
from bot.store.keys import ApiKeys
from tests.bot.api.conftest import Counter, Noticing
from tests.slack_server import WAIT_S

BAND = "What is the salary band of engineers?"
SEARCH = {"query": "salary band of engineers", "limit": 50}


async def test_both_tools_say_what_the_key_may_see_and_where_it_stands(counter: Counter) -> None:
    server = await counter.open()
    for key, is_told in ((counter.key(), False), (counter.key("hr-desk", "hr"), True)):
        async with Client(make_server(server.service, secret=key)) as client:
            asked = await client.call_tool("ask", {"question": BAND})
            found = await client.call_tool("search", SEARCH)
        for result in (asked, found):
            assert not result.is_error
            assert ("E4" in str(result)) == is_told
        assert asked.structured_content is not None
        cited = asked.structured_content["citations"]
        assert [c["document"]["id"] for c in cited] == (["handbook/Salaries.md"] if is_told else [])


async def test_a_key_that_is_revoked_meanwhile_is_refused_in_words(counter: Counter) -> None:
    server = await counter.open()
    key = counter.key()
    async with Client(make_server(server.service, secret=key)) as client:
        assert not (await client.call_tool("search", SEARCH)).is_error
        ApiKeys(counter.database()).revoke("web")
        refused = await client.call_tool("search", SEARCH)
    assert refused.is_error
    assert "needs a key that holds; set another one in WHIMBREL_API_KEY" in str(refused.content)


async def test_an_agent_that_gives_up_stops_the_answer(counter: Counter) -> None:
    answerer = Noticing()
    server = await counter.open(answerer)
    async with Client(make_server(server.service, secret=counter.key())) as client:
        asking = asyncio.create_task(client.call_tool("ask", {"question": BAND}))
        await asyncio.to_thread(answerer.begun.wait, WAIT_S)
        asking.cancel()
        assert await asyncio.to_thread(answerer.stopped.wait, WAIT_S)


@asynccontextmanager
async def over_http(server: ApiServer) -> AsyncIterator[str]:
    app: Any = make_app(server.service, host="127.0.0.1")
    door = socket.create_server(("127.0.0.1", 0))
    web = Server(Config(app, log_config=None))
    serving = asyncio.create_task(web.serve(sockets=[door]))
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}/mcp"
    finally:
        web.should_exit = True
        await serving


async def test_over_http_each_request_brings_a_key_of_its_own(counter: Counter) -> None:
    server = await counter.open()
    told = []
    async with over_http(server) as url:
        for key in (counter.key(), counter.key("hr-desk", "hr")):
            headers = {"Authorization": f"Bearer {key}"}
            async with (
                httpx2.AsyncClient(headers=headers) as http,
                Client(streamable_http_client(url, http_client=http)) as client,
            ):
                told.append("E4" in str(await client.call_tool("search", SEARCH)))
        async with httpx2.AsyncClient() as http:
            refused = await http.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert told == [False, True]
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_body_that_is_too_large_is_refused_over_http(counter: Counter) -> None:
    server = await counter.open()
    headers = {"Authorization": f"Bearer {counter.key()}"}

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(21):
            yield b"x" * 100_000

    async with over_http(server) as url, httpx2.AsyncClient(headers=headers) as http:
        refused = await http.post(url, content=chunks())
    assert (refused.status_code, "too large" in refused.json()["detail"]) == (413, True)

"""The HTTP side: Slack's signed deliveries, and whether the bot is alive and ready."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import parse_qsl

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.slack.incoming.connections import REQUESTS, Connections

logger = logging.getLogger(__name__)

SLACK_PATH = "/slack/events"

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

BODY_S = 10.0
"""A body that takes longer than this to arrive is not waited for; Slack gives up after three."""

KEEP_ALIVE_S = 15.0

ODD = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
    web.RequestPayloadError,
)
"""What is raised where a body is read that has something else than Slack's in its places."""

IsReady = Callable[[], Awaitable[bool]]


def health_routes(is_ready: IsReady) -> list[web.RouteDef]:
    """`/livez`: the event loop turns. `/readyz`: questions are taken and answered."""

    async def live(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def ready(_: web.Request) -> web.Response:
        return web.Response(text="ready\n") if await is_ready() else web.Response(status=503)

    return [web.get("/livez", live), web.get("/readyz", ready)]


def metrics_route(text: Callable[[], Awaitable[bytes]]) -> web.RouteDef:
    """`/metrics`: numbers of the bot in Prometheus' text format."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=await text(), headers={"Content-Type": METRICS_TYPE})

    return web.get("/metrics", metrics)


def slack_route(app: AsyncApp) -> web.RouteDef:
    """Where Slack delivers events, commands and clicks."""

    async def deliver(request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(BODY_S):
                text = await request.text()
            bolt_request = read_request(request, text)
            response = await app.async_dispatch(bolt_request)
        except TimeoutError:
            return web.Response(status=408)
        except ODD as error:  # of what the app itself gets wrong it answers 503
            logger.warning("a body that Slack does not send: %r", error)
            return web.Response(status=400, text="not what Slack sends\n")
        return await to_aiohttp_response(response)

    return web.post(SLACK_PATH, deliver)


def read_request(request: web.Request, text: str) -> AsyncBoltRequest:
    """The request as Bolt takes it; one of `ODD` is raised if its body is not what Slack sends."""
    is_form = request.content_type == "application/x-www-form-urlencoded"
    form = dict(parse_qsl(text, keep_blank_values=True)) if is_form else {"payload": text}
    if "payload" in form and not isinstance(json.loads(form["payload"]), dict):
        raise ValueError("found no object")
    bolt_request = AsyncBoltRequest(
        body=text, query=request.query_string, headers=dict(request.headers)
    )
    if "payload" not in form:
        # Bolt 1.30 takes every form with the word "payload" in it for a button click and loses
        # the rest of it: `/ask what is our payload limit` would be answered with 404.
        bolt_request.body = form
    return bolt_request


async def listen(
    routes: list[web.RouteDef], host: str, port: int, *, connections: Connections | None = None
) -> tuple[web.AppRunner, int]:
    """Serve the routes, as `serve` does."""
    app = web.Application()
    app.add_routes(routes)
    return await serve(app, host, port, connections=connections)


async def serve(
    app: web.Application, host: str, port: int, *, connections: Connections | None = None
) -> tuple[web.AppRunner, int]:
    """Serve an application; the runner to clean up, and the port (chosen by the system if 0).

    Raises:
        OSError: If the address is taken or not ours.
    """
    connections = connections or Connections()
    connections.bound(app)
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=KEEP_ALIVE_S, logger=REQUESTS)
    await runner.setup()
    try:
        await BoundedSite(runner, host, port, connections).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner, int(runner.addresses[0][1])


class BoundedSite(web.BaseSite):
    """A TCP address whose connections are bounded."""

    def __init__(
        self, runner: web.AppRunner, host: str, port: int, connections: Connections
    ) -> None:
        super().__init__(runner)
        self._host, self._port, self._connections = host, port, connections

    @property
    def name(self) -> str:
        """The address."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen from now on."""
        await super().start()
        server = self._runner.server
        assert server is not None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            partial(self._connections.accept, server), self._host, self._port
        )

"""The HTTP side: Slack's signed deliveries, and whether the bot is alive and ready."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest

SLACK_PATH = "/slack/events"

IsReady = Callable[[], Awaitable[bool]]


def health_routes(is_ready: IsReady) -> list[web.RouteDef]:
    """`/livez`: the event loop turns. `/readyz`: questions are taken and answered."""

    async def live(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def ready(_: web.Request) -> web.Response:
        return web.Response(text="ready\n") if await is_ready() else web.Response(status=503)

    return [web.get("/livez", live), web.get("/readyz", ready)]


def slack_route(app: AsyncApp) -> web.RouteDef:
    """Where Slack delivers events, commands and clicks."""

    async def deliver(request: web.Request) -> web.Response:
        try:
            bolt_request = await read_request(request)
        except ValueError:
            return web.Response(status=400, text="neither JSON nor a form\n")
        return await to_aiohttp_response(await app.async_dispatch(bolt_request))

    return web.post(SLACK_PATH, deliver)


async def read_request(request: web.Request) -> AsyncBoltRequest:
    """The request as Bolt takes it.

    Raises:
        ValueError: If the body is neither JSON nor a form.
    """
    text = await request.text()
    bolt_request = AsyncBoltRequest(
        body=text, query=request.query_string, headers=dict(request.headers)
    )
    if request.content_type == "application/x-www-form-urlencoded":
        # Bolt 1.30 takes every form with the word "payload" in it for a button click and loses
        # the rest of it: `/ask what is our payload limit` would be answered with 404.
        form = dict(parse_qsl(text, keep_blank_values=True))
        if "payload" not in form:
            bolt_request.body = form
    return bolt_request


async def listen(routes: list[web.RouteDef], host: str, port: int) -> tuple[web.AppRunner, int]:
    """Serve the routes; the runner to clean up, and the port (chosen by the system if 0).

    Raises:
        OSError: If the address is taken or not ours.
    """
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner, int(runner.addresses[0][1])

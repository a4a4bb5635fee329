"""Where a process of ours listens."""

from __future__ import annotations

from contextlib import AsyncExitStack

from aiohttp import web

from bot.slack.incoming.web import listen
from retrieval.errors import SettingsError


async def listening(
    stack: AsyncExitStack, routes: list[web.RouteDef], host: str, port: int, *, setting: str
) -> int:
    """The port on which the routes are served from now on, until the stack is unwound.

    Raises:
        SettingsError: If the address is taken or not ours; the message names the setting.
    """
    try:
        runner, port = await listen(routes, host, port)
    except OSError as error:
        raise SettingsError(f"{setting}: {error}") from error
    stack.push_async_callback(runner.cleanup)
    return port

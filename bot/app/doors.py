"""Where a process of ours listens, and how it is told to end."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from aiohttp import web

from bot.slack.incoming.web import listen
from retrieval.errors import SettingsError

logger = logging.getLogger(__name__)


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


async def run_until_stopped(server: AbstractAsyncContextManager[object]) -> None:
    """Serve until the process is told to end; then let answers in progress be finished."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    async with server:
        await stopped.wait()
        logger.info("stopping")

"""`whimbrel mcp`, put together: tools for agents over stdio or HTTP, over the same service."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

from bot.app.api import Api
from bot.app.parts import Engine, Timings
from bot.settings import ApiSettings, SlackSettings, secret
from bot.slack.incoming.connections import MOST
from bot.store.database import Database
from bot.trials.watching import follow

logger = logging.getLogger(__name__)

GRACE_S = 5.0


async def serve_agents(
    settings: ApiSettings,
    slack: SlackSettings,
    database: Database,
    engine: Engine,
    *,
    over_http: bool,
) -> None:
    """Serve until the client leaves, or the process is told to end."""
    from bot.api.tools import make_app, make_server  # it takes a moment

    api = Api(settings, slack, database, engine)
    following = asyncio.create_task(follow(engine.candidates, every_s=Timings().look_s))
    try:
        if not over_http:
            server, end = make_server(api.service, secret=secret(settings.key)), _endable_input()
            for name in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(name, end)
            await server.run_stdio_async()
            return
        from uvicorn import Config, Server

        host, port = settings.listen_host, settings.listen_port
        app = make_app(api.service, host=host)
        config = Config(app, host=host, port=port, log_config=None, limit_concurrency=MOST)
        await Server(config).serve()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await api.end(grace_s=GRACE_S)


def _endable_input() -> Callable[[], None]:
    """Let what reads standard input from now on find its end, at the latest when this is called.

    The SDK reads it in a thread that waits for a line, whatever else is to end.
    """
    wire, (passed_on, into) = os.dup(0), os.pipe()
    os.dup2(passed_on, 0)
    os.close(passed_on)
    pipe = os.fdopen(into, "wb", buffering=0)

    def pass_on() -> None:
        with suppress(OSError, ValueError), pipe:
            while some := os.read(wire, 1 << 16):
                pipe.write(some)

    threading.Thread(target=pass_on, daemon=True).start()
    return pipe.close

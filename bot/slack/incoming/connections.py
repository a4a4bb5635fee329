"""Bounds on HTTP connections: how many there may be, and how long one may ask nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_protocol import RequestHandler

logger = logging.getLogger(__name__)

MOST = 400
"""Connections at a time. Slack opens a few dozen; a process may have some thousand files open."""

SILENT_S = 20.0
"""A connection that has asked nothing for so long is closed, however it trickles."""


def _repeats_nothing(record: logging.LogRecord) -> bool:
    """Of a request that is no HTTP, tell the kind of error: its words may be keys and questions."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError | web.RequestPayloadError):
        record.msg, record.exc_info = f"{record.msg}: {type(error).__name__}", None
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
    return True


REQUESTS = logging.getLogger("bot.requests")
"""Where servers write of requests that they could not serve."""

REQUESTS.addFilter(_repeats_nothing)


class Refused(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        transport.close()


class Connections:
    """Makes the protocols of a server's connections, and closes those that ask nothing."""

    def __init__(self, *, most: int = MOST, silent_s: float = SILENT_S) -> None:
        self._most, self._silent_s = most, silent_s
        self._answering: set[RequestHandler] = set()
        self._heard: dict[RequestHandler, float] = {}
        self._is_full = False

    def bound(self, app: web.Application) -> None:
        """Watch the connections of an application from its start to its end."""
        app.middlewares.append(self._noting())
        app.cleanup_ctx.append(self._watching)

    def accept(self, server: web.Server) -> asyncio.Protocol:
        """The protocol of a new connection."""
        is_full = len(server.connections) >= self._most
        if is_full and not self._is_full:
            logger.warning("there are %d connections; more are refused for now", self._most)
        self._is_full = is_full
        if is_full:
            return Refused()
        connection = server()
        self._heard[connection] = time.monotonic()
        return connection

    def _noting(self) -> Middleware:
        @web.middleware
        async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._answering.add(request.protocol)
            try:
                return await handler(request)
            finally:
                self._answering.discard(request.protocol)
                if request.protocol in self._heard:
                    self._heard[request.protocol] = time.monotonic()

        return note

    async def _watching(self, _app: web.Application) -> AsyncIterator[None]:
        async def watch() -> None:
            while True:
                await asyncio.sleep(self._silent_s / 4)
                self._close_silent()

        watching = asyncio.create_task(watch())
        yield
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    def _close_silent(self) -> None:
        latest = time.monotonic() - self._silent_s
        for connection, heard in [*self._heard.items()]:
            if connection.transport is None:  # it was closed
                del self._heard[connection]
            elif heard < latest and connection not in self._answering:
                connection.transport.abort()

"""The HTTP side of the API: keys, bodies and problems; answers whole or as server-sent events."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from bot.api.problems import PROBLEM_JSON, ProblemError
from bot.api.service import Hangup, secret_in

logger = logging.getLogger(__name__)

MAX_BODY = 2_097_152
BODY_S = 10.0
"""A body that takes longer than this to arrive is not waited for."""

SILENT_S = 10.0
"""A stream says after so long that it is still there."""

B = TypeVar("B", bound=BaseModel)
T = TypeVar("T")

HttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OnText = Callable[[str], None]


def guarded(handler: HttpHandler) -> HttpHandler:
    """The handler, whose problems are answers."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (Hangup, ConnectionError):
            return web.Response(status=499)  # nobody reads it
        except Exception as error:
            return problem_response(problem_of(error, request))

    return handle


def problem_of(error: Exception, request: web.Request) -> ProblemError:
    """What is told of an error; of a bug the log says more, by an id."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return too_large()
    error_id = secrets.token_hex(4)
    logger.error("failed id=%s path=%s", error_id, request.path, exc_info=error)
    detail = f"this is a fault of ours; whoever runs this finds {error_id} in the log"
    return ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def too_large() -> ProblemError:
    """What is told of a body of more than `MAX_BODY` bytes."""
    told = f"the body is too large; up to {MAX_BODY:,} bytes are read"
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, told)


def late() -> ProblemError:
    """What is told of a body that has not arrived after `BODY_S`."""
    return ProblemError(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time")


def problem_response(problem: ProblemError) -> web.Response:
    """A problem as an answer."""
    return web.Response(
        status=problem.status,
        body=problem.body(),
        headers={**problem.headers, "Content-Type": PROBLEM_JSON},
    )


def json_response(told: BaseModel) -> web.Response:
    """A body as an answer, which nobody on the way may keep."""
    return web.Response(
        body=told.model_dump_json().encode(),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def bearer(request: web.Request) -> str:
    """The key that a call was sent with; empty without one."""
    return secret_in(request.headers.get("Authorization", ""))


async def read_body(request: web.Request) -> bytes:
    """The bytes of a body that is JSON by its type."""
    if request.content_type not in ("application/json", "application/octet-stream"):
        wanted = "send the body as `Content-Type: application/json`"
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, wanted)
    try:
        async with asyncio.timeout(BODY_S):
            return await request.clone(client_max_size=MAX_BODY).read()
    except web.RequestPayloadError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "the body cannot be decoded") from error
    except TimeoutError as error:
        raise late() from error


def parsed(kind: type[B], body: bytes) -> B:
    """A body as what it is to be; the problem names the first thing wrong, and repeats nothing."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        if first["type"] == "json_invalid":
            raise ProblemError(HTTPStatus.BAD_REQUEST, "the body is no JSON") from error
        known = [str(part) for part in first["loc"] if part in kind.model_fields]
        place = known[0] if known else "the body"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{place}: {first['msg']}") from error


def is_gone(request: web.Request) -> bool:
    """Whether who asked has hung up. May be asked on any thread."""
    transport = request.transport
    return transport is None or transport.is_closing()


class EventStream:
    """Server-sent events to who asked; begun with the first."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._response: web.StreamResponse | None = None

    async def send(self, data: str, *, event: str = "") -> None:
        """Send an event; its data on one line."""
        name = f"event: {event}\n" if event else ""
        await self._write(f"{name}data: {data}\n\n")

    async def tell(
        self,
        work: Callable[[OnText], Awaitable[T]],
        *,
        say: Callable[[str], Awaitable[None]],
        conclude: Callable[[T], Awaitable[None]],
    ) -> web.StreamResponse:
        """The response, complete: `say` sends what work says, `conclude` what it gives in the end.

        Where something failed, that is its last event. What failed before anything was sent is
        raised: it can be answered as ever.
        """
        try:
            await self._follow(work, say, conclude)
        except Exception as error:
            if self._response is None or isinstance(error, Hangup | ConnectionError):
                raise
            problem = problem_of(error, self._request)
            await self.send(problem.body().decode(), event="error")
        assert self._response is not None
        await self._response.write_eof()
        return self._response

    async def _follow(
        self,
        work: Callable[[OnText], Awaitable[T]],
        say: Callable[[str], Awaitable[None]],
        conclude: Callable[[T], Awaitable[None]],
    ) -> None:
        """Pass on the words that work says from its thread, as they come, and what it gives.

        Work is waited for even if nobody listens any more: it stops by itself.
        """
        loop, said = asyncio.get_running_loop(), asyncio.Queue[str | None]()

        def on_text(text: str) -> None:
            loop.call_soon_threadsafe(said.put_nowait, text)

        task = asyncio.ensure_future(work(on_text))
        task.add_done_callback(lambda _: said.put_nowait(None))
        try:
            while (text := await self._next(said)) is not None:
                await say(text)
            await conclude(await task)
        finally:
            await asyncio.gather(task, return_exceptions=True)

    async def _next(self, said: asyncio.Queue[str | None]) -> str | None:
        while True:
            try:
                return await asyncio.wait_for(said.get(), SILENT_S)
            except TimeoutError:
                await self._write(": working\n\n")

    async def _write(self, text: str) -> None:
        if self._response is None:
            headers = {
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",  # proxies would hold sentences back
            }
            self._response = web.StreamResponse(headers=headers)
            await self._response.prepare(self._request)
        await self._response.write(text.encode())


def not_served(allowed: Mapping[str, str]) -> HttpHandler:
    """What answers to paths and methods that there are not; `allowed` are methods by path."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        if (method := allowed.get(request.path)) is None:
            nothing = "there is nothing here; /v1/openapi.json tells what there is"
            raise ProblemError(HTTPStatus.NOT_FOUND, nothing)
        problem = ProblemError(HTTPStatus.METHOD_NOT_ALLOWED, f"this takes {method} alone")
        problem.headers["Allow"] = method
        raise problem

    return refuse

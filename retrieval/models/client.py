"""Asks an endpoint: time limits, retries, a limit of requests at once, and a circuit breaker."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import groupby
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import aiohttp

from retrieval.errors import EndpointError, EndpointUnreachableError
from retrieval.models.endpoint import Endpoint, is_private
from retrieval.tracing import traceparent

logger = logging.getLogger(__name__)

TRIES = 3
CONNECT_S = 5.0
LONGEST_WAIT_S = 20.0
"""Who is told to come back later than this does not wait."""

_POLL_S = 0.05
_ASIDE = 2
"""Requests at once of those that belong together."""
_LINE_BYTES = 1 << 22
_REASON_CHARS = 200
_RUN_BYTES = 16
"""Texts that have so much in common do not have it by chance; in Chinese that is five signs."""

_TRY_AGAIN = frozenset((408, 409, 425, 429, 500, 502, 503, 504, 529))
_MENDS = {
    401: "it wants another key; set {}_KEY",
    403: "the key may not do this; set {}_KEY to another",
    404: "it has no such model, or its address is another; most end in /v1",
}

T = TypeVar("T")
Json = Any
JsonObject = dict[str, Any]


Outcome = Literal["ok", "failed", "refused", "stopped"]
"""How a call ends: `failed` may go well later, `refused` will not, `stopped` nobody waits for."""


class Stopped(Exception):  # noqa: N818 (no error: somebody wanted it)
    """The asker does not want the answer any more."""


class RefusedError(EndpointError):
    """The endpoint refuses this request, and would refuse it again."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _Failed(Exception):  # noqa: N818 (never leaves this module)
    """A try that failed and may be repeated after so many seconds, if nobody has seen any of it."""

    def __init__(self, reason: str, *, wait_s: float | None = None, repeat: bool = True) -> None:
        super().__init__(reason)
        self.wait_s, self.repeat = wait_s, repeat


@dataclass
class Breaker:
    """Lets nothing through for a while after several failures in a row, then one call to try."""

    failures: int = 3
    rest_s: float = 30.0
    clock: Callable[[], float] = time.monotonic
    _failed: int = 0
    _open_until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self) -> None:
        """Raise EndpointUnreachableError while it is better not to ask."""
        with self._lock:
            if self._failed < self.failures:
                return
            left = self._open_until - self.clock()
            if left > 0:
                raise EndpointUnreachableError(
                    f"it failed {self._failed} times and is left alone for {left:.0f} s more"
                )
            self._open_until = self.clock() + self.rest_s  # this one call tries

    @property
    def is_open(self) -> bool:
        """Whether nothing is let through at the moment."""
        with self._lock:
            return self._failed >= self.failures and self.clock() < self._open_until

    def report(self, *, failed: bool) -> None:
        """Take in how a call ended."""
        with self._lock:
            self._failed = self._failed + 1 if failed else 0
            self._open_until = self.clock() + self.rest_s


class Calls:
    """Counts calls of endpoints by the setting that names the endpoint and by how they ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, endpoint: Endpoint, outcome: Outcome) -> None:
        """One more has ended."""
        with self._lock:
            self._counts[endpoint.role, outcome] += 1

    def counts(self) -> dict[tuple[str, str], int]:
        """How many there were."""
        with self._lock:
            return dict(self._counts)


CALLS = Calls()
"""The calls of this process."""

_clients: WeakSet[Client] = WeakSet()
_CLIENTS_LOCK = threading.Lock()


def resting() -> dict[str, bool]:
    """Whether the endpoint of each role that is in use is left alone at the moment."""
    with _CLIENTS_LOCK:
        clients = list(_clients)
    found: dict[str, bool] = {}
    for client in clients:
        role = client.endpoint.role
        found[role] = client.is_resting or found.get(role, False)
    return found


class Client:
    """Requests to one endpoint. Threads may share one, and wait in it."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        breaker: Breaker | None = None,
        pause_s: float = 0.5,
    ) -> None:
        self.endpoint = endpoint
        self._breaker = breaker or Breaker()
        self._pause_s = pause_s
        self._room = threading.BoundedSemaphore(endpoint.requests)
        with _CLIENTS_LOCK:
            _clients.add(self)

    @property
    def is_resting(self) -> bool:
        """Whether the endpoint has failed so often that it is left alone at the moment."""
        return self._breaker.is_open

    def get(self, url: str) -> Json:
        """The JSON at an address; tried once, and whatever comes of it the breaker is not told.

        Raises:
            EndpointError: If there is none.
        """

        async def once(session: aiohttp.ClientSession) -> Json:
            try:
                return await self._json(session, url, None)
            except _Failed as error:
                raise EndpointError(self._told(str(error))) from error

        return asyncio.run(self._within(once, None))

    def post(
        self,
        url: str,
        bodies: Sequence[JsonObject],
        *,
        on_done: Callable[[int], None] = lambda _: None,
    ) -> list[Json]:
        """The JSON that answers each body, in their order; `on_done` gets how many are there.

        Two are asked at once: the next one waits while the endpoint works, and a slow endpoint does
        not keep one waiting until its time is over.

        Raises:
            EndpointError: If one of them is not answered.
        """
        done = 0

        async def one(
            session: aiohttp.ClientSession, turn: asyncio.Semaphore, body: JsonObject
        ) -> Json:
            nonlocal done
            async with turn:
                answer = await self._tried(lambda: self._json(session, url, body), lambda: False)
            done += 1
            on_done(done)
            return answer

        async def every(session: aiohttp.ClientSession) -> list[Json]:
            turn = asyncio.Semaphore(_ASIDE)
            tasks = [asyncio.ensure_future(one(session, turn, body)) for body in bodies]
            try:
                return await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()

        return asyncio.run(self._within(every, None))

    def stream(
        self,
        url: str,
        body: JsonObject,
        *,
        on_event: Callable[[JsonObject], bool],
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        """Give each event of a stream to `on_event`, in this thread, until the stream ends.

        `on_event` says whether anybody has seen any of it yet: until then, what fails is tried
        again from the beginning.

        Raises:
            Stopped: Once `should_stop` is true; the connection is closed by then.
            EndpointError: If the stream fails, or breaks off.
        """
        has_begun = False

        def take(event: Json) -> None:
            nonlocal has_begun
            has_begun = on_event(event) or has_begun

        async def once(session: aiohttp.ClientSession) -> None:
            await self._events(session, url, body, take)
            if not has_begun:
                raise _Failed("it wrote nothing")

        async def whole(session: aiohttp.ClientSession) -> None:
            await self._tried(lambda: once(session), lambda: has_begun)

        asyncio.run(self._within(whole, should_stop))

    async def _within(
        self,
        work: Callable[[aiohttp.ClientSession], Coroutine[Any, Any, T]],
        should_stop: Callable[[], bool] | None,
    ) -> T:
        async with self._session() as session:
            task = asyncio.ensure_future(work(session))
            try:
                while not task.done():
                    await asyncio.wait({task}, timeout=_POLL_S)
                    if should_stop is not None and not task.done() and should_stop():
                        raise Stopped
                return task.result()
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task

    def _session(self) -> aiohttp.ClientSession:
        key = self.endpoint.key
        headers = {"Authorization": key and f"Bearer {key}", "traceparent": traceparent()}
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, socket_factory=_private_socket if self.endpoint.is_private_only else None
            ),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_S, sock_read=self.endpoint.silence_s
            ),
            headers={name: value for name, value in headers.items() if value},
            read_bufsize=_LINE_BYTES,
        )

    async def _tried(self, work: Callable[[], Awaitable[T]], has_begun: Callable[[], bool]) -> T:
        """What the work gives in the end, within the limit of requests at once."""
        self._check()
        with self._counted():
            return await self._repeated(work, has_begun)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        began = time.monotonic()
        outcome: Outcome = "ok"
        try:
            yield
        except BaseException as error:
            outcome = _outcome(error)
            raise
        finally:
            CALLS.add(self.endpoint, outcome)
            seconds = time.monotonic() - began
            logger.debug("asked %s: %s seconds=%.2f", self.endpoint.url, outcome, seconds)

    async def _repeated(self, work: Callable[[], Awaitable[T]], has_begun: Callable[[], bool]) -> T:
        while not self._room.acquire(blocking=False):  # noqa: ASYNC110 (other threads release it)
            await asyncio.sleep(_POLL_S)
        try:
            for number in range(TRIES):
                try:
                    answer = await work()
                except _Failed as error:
                    pause_s = self._pause_s * 2**number * random.uniform(0.5, 1.5)
                    wait_s = pause_s if error.wait_s is None else error.wait_s + pause_s / 4
                    is_last = number + 1 == TRIES or not error.repeat
                    if is_last or has_begun() or wait_s > LONGEST_WAIT_S:
                        self._breaker.report(failed=True)
                        raise EndpointUnreachableError(self._told(str(error))) from error
                    await asyncio.sleep(wait_s)
                else:
                    self._breaker.report(failed=False)
                    return answer
            raise AssertionError  # the last try returns or raises
        finally:
            self._room.release()

    def _check(self) -> None:
        try:
            self._breaker.check()
        except EndpointUnreachableError as error:
            raise EndpointUnreachableError(self._told(str(error))) from None

    def _told(self, reason: str) -> str:
        return f"{self.endpoint.url}: {reason}"

    async def _json(
        self, session: aiohttp.ClientSession, url: str, body: JsonObject | None
    ) -> Json:
        async with self._reply(session, url, body) as response:
            return _parsed(await response.read())

    async def _events(
        self,
        session: aiohttp.ClientSession,
        url: str,
        body: JsonObject,
        take: Callable[[JsonObject], None],
    ) -> None:
        async with self._reply(session, url, body) as response:
            if response.content_type == "application/json":  # it does not stream
                take(_event(await response.read(), body))
                return
            is_whole = False
            async for line in response.content:
                name, _, data = line.partition(b":")
                if name != b"data" or not data.strip():
                    continue
                if data.strip() == b"[DONE]":
                    return
                event = _event(data, body)
                take(event)
                is_whole = is_whole or any(
                    choice.get("finish_reason") for choice in event.get("choices") or ()
                )
            if not is_whole:
                raise _Failed("the answer broke off")

    @asynccontextmanager
    async def _reply(
        self, session: aiohttp.ClientSession, url: str, body: JsonObject | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response that is what was asked for. One left before its end closes its connection."""
        try:
            async with session.request(
                "GET" if body is None else "POST",
                url,
                json=body,
                allow_redirects=False,
                proxy=None if self.endpoint.is_private_only else proxy_for(url),
            ) as response:
                if response.status != 200:
                    raise await self._refusal(response, body)
                if response.content_type == "text/html":
                    raise RefusedError(self._told("it gave a web page; most end in /v1"), 200)
                yield response
        except (aiohttp.ClientError, aiohttp.http_exceptions.LineTooLong, OSError) as error:
            raise _failure(error) from error

    async def _refusal(
        self, response: aiohttp.ClientResponse, body: JsonObject | None
    ) -> Exception:
        said = _reason(await response.content.read(1 << 16), body)
        problem = f"status {response.status}{f' ({said})' if said else ''}"
        if response.status in _TRY_AGAIN:
            return _Failed(problem, wait_s=retry_after(response.headers))
        if 300 <= response.status < 400:
            problem += f", to {response.headers.get('Location')}, which is not followed"
        if mend := _MENDS.get(response.status):
            problem += f": {mend.format(self.endpoint.setting)}"
        return RefusedError(self._told(problem), response.status)


def _outcome(error: BaseException) -> Outcome:
    if isinstance(error, EndpointUnreachableError):
        return "failed"
    return "refused" if isinstance(error, RefusedError) else "stopped"


def _failure(error: Exception) -> _Failed:
    """What went wrong below HTTP."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, _ForbiddenAddressError):
        return _Failed(str(cause), repeat=False)
    if isinstance(error, TimeoutError):
        return _Failed("nothing came for too long (WHIMBREL_ENDPOINT_SECONDS)", repeat=False)
    if isinstance(error, aiohttp.InvalidURL | aiohttp.http_exceptions.LineTooLong):
        return _Failed("it has no such address, or sent a line without end", repeat=False)
    return _Failed(f"no connection, or it broke: {error or type(error).__name__}")


class _ForbiddenAddressError(OSError):
    """An address that must not be reached."""


def _private_socket(found: tuple[Any, ...]) -> socket.socket:
    """A socket for an address that a name led to, if it is in this machine's own network."""
    family, kind, protocol, _, address = found
    if not is_private(str(address[0])):
        raise _ForbiddenAddressError(
            f"{address[0]} is outside of this network, and WHIMBREL_ENDPOINTS=private forbids that"
        )
    return socket.socket(family, kind, protocol)


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for an address; none for this network's own."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host == "localhost" or is_private(host) or proxy_bypass(parts.netloc):
        return None
    return getproxies().get(parts.scheme)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that an answer asks to wait, given as such or as a date."""
    said = headers.get("Retry-After", "")
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, (at - datetime.now(at.tzinfo or UTC)).total_seconds()) if at.tzinfo else None


def _parsed(data: bytes) -> Json:
    try:
        return json.loads(data)
    except ValueError as error:
        # What it gave may be an answer, which is for no log.
        raise _Failed(f"it gave no JSON, but {len(data)} bytes") from error


def _event(data: bytes, sent: JsonObject) -> JsonObject:
    event = _parsed(data)
    if not isinstance(event, dict):
        raise _Failed(f"it gave no object, but {type(event).__name__}")
    if event.get("error"):
        raise _Failed(f"it failed: {_reason(data, sent)}")
    return event


def _reason(reply: bytes, sent: JsonObject | None) -> str:
    """The error's message, wherever servers put it, on one line; nothing of what was sent."""
    text = reply.decode("utf-8", "replace")
    with suppress(ValueError):
        found: Json = json.loads(text)
        for _ in range(3):
            if not isinstance(found, dict):
                break
            keys = ("error", "message", "detail")
            found = next((found[key] for key in keys if found.get(key)), found)
        text = found if isinstance(found, str) else json.dumps(found)
    line = " ".join(text.split())[:_REASON_CHARS]
    return "" if line.startswith("<") else _without(line, sent)


def _without(line: str, sent: JsonObject | None) -> str:
    """A line without the runs of questions and documents that it repeats: they are for no log."""
    words = " ".join(" ".join(_texts(sent)).split())
    said, forms = line.encode(), (words.encode(), json.dumps(words).encode())
    is_repeated = [False] * len(said)
    for n in range(len(said) - _RUN_BYTES + 1):
        if any(said[n : n + _RUN_BYTES] in form for form in forms):
            is_repeated[n : n + _RUN_BYTES] = [True] * _RUN_BYTES
    runs = groupby(zip(said, is_repeated, strict=True), key=lambda byte: byte[1])
    return "".join(
        "…" if is_hidden else bytes(byte for byte, _ in run).decode(errors="ignore")
        for is_hidden, run in runs
    )


def _texts(sent: Json) -> Iterator[str]:
    """Every text of a body but the model's name."""
    if isinstance(sent, str):
        yield sent
    elif isinstance(sent, dict):
        yield from _texts([value for name, value in sent.items() if name != "model"])
    elif isinstance(sent, list):
        for value in sent:
            yield from _texts(value)

"""Asks a source over HTTP: time limits, waits that it wants, bounded retries, and a cap on size."""

from __future__ import annotations

import json
import logging
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2 as httpx

from retrieval.errors import SourceError
from retrieval.models.client import retry_after

TRIES = 5
LONGEST_WAIT_S = 600.0
"""A source that wants a longer wait is left until the next sync."""
LONGEST_S = 300.0
"""No answer takes longer, however slowly it comes."""
MAX_BYTES = 64 * 2**20
MAX_HOPS = 5
MAX_SAME = 50
"""Who asks the same so often follows a list that leads back to itself."""

_TRY_AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))
_REASON_BYTES = 1 << 14
_REMEMBERED = 10_000
_REDIRECTS = frozenset((301, 302, 303, 307, 308))

# It logs every address, and some have secrets in them.
logging.getLogger("httpx2").setLevel(logging.WARNING)


def no_headers() -> Mapping[str, str]:
    """The headers of who needs no credentials."""
    return {}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: 2xx, or 304 to who asked for what is new only. `url` is what was asked last."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    def json(self) -> Any:  # noqa: ANN401 - whatever JSON may hold
        """The body as JSON.

        Raises:
            SourceError: If it is none.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise SourceError(f"{place(self.url)}: gave no JSON") from error


class HttpClient:
    """Requests to one source, one after the other.

    Args:
        base: The source's address; others are relative to it.
        credentials: Gives the headers that prove who asks, before each request, so that they can be
            renewed. No host but that of `base` gets them, wherever an answer leads.
        max_bytes: Longer bodies are refused.
        pause_s: How long the first of the growing pauses between tries is.
        transport: What carries requests; None for the usual one, with the proxies that the
            environment names.
        sleep: How to wait.
    """

    def __init__(
        self,
        base: str,
        *,
        credentials: Callable[[], Mapping[str, str]] = no_headers,
        max_bytes: int = MAX_BYTES,
        pause_s: float = 1.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base = base
        self._credentials = credentials
        self._max_bytes = max_bytes
        self._pause_s = pause_s
        self._sleep = sleep
        self._asked: dict[int, int] = {}
        self._http = httpx.Client(
            timeout=httpx.Timeout(60, connect=10),
            headers={"User-Agent": "whimbrel"},
            transport=transport,
            verify=_trusted(),
            follow_redirects=False,
        )

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """What is at an address, which may be relative to the base.

        Raises:
            SourceError: If it cannot be had; `status` says what the source answered, if it did.
        """
        return self._tried("GET", url, params=params, headers=headers)

    def post(
        self,
        url: str,
        *,
        json: object = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """What answers a request that only reads: it may be repeated.

        Raises:
            SourceError: As `get` does.
        """
        return self._tried("POST", url, json=json, data=form, headers=headers)

    def _tried(self, method: str, url: str, **given: Any) -> Reply:  # noqa: ANN401
        url = _joined(self.base, url)
        self._refuse_circle(url, given)
        for number in range(TRIES):
            try:
                return self._followed(method, url, **given)
            except _FailedError as error:
                pause_s = self._pause_s * 2**number * random.uniform(0.5, 1.5)
                wait_s = pause_s if error.wait_s is None else error.wait_s + pause_s / 4
                told = f"{place(url)}: {error}"
                if error.wait_s is not None and error.wait_s > LONGEST_WAIT_S:
                    told += f"; it asks to come back in {error.wait_s:.0f} s"
                elif number + 1 < TRIES:
                    self._sleep(wait_s)
                    continue
                raise SourceError(told, status=error.status) from error
        raise AssertionError  # the last try returns or raises

    def _refuse_circle(self, url: str, given: Mapping[str, object]) -> None:
        said = hash((url, repr(given)))
        self._asked[said] = self._asked.pop(said, 0) + 1
        if self._asked[said] > MAX_SAME:
            raise SourceError(f"{place(url)}: a list leads back to itself")
        if len(self._asked) > _REMEMBERED:
            del self._asked[next(iter(self._asked))]

    def _followed(self, method: str, url: str, **given: Any) -> Reply:  # noqa: ANN401
        for _ in range(MAX_HOPS):
            answer = self._once(method, url, **given)
            if isinstance(answer, Reply):
                return answer
            is_safe = urlsplit(answer).scheme == "https" or urlsplit(url).scheme == "http"
            if not is_safe or not self.may_follow(answer):
                raise SourceError(
                    f"{place(url)}: leads to {place(answer)}, which is not followed", status=302
                )
            url, method, given = answer, "GET", {"headers": given.get("headers")}
        raise SourceError(f"{place(url)}: leads on and on")

    def may_follow(self, url: str) -> bool:
        """Whether an answer may lead there."""
        return urlsplit(url).scheme in ("https", "http")

    def _once(self, method: str, url: str, **given: Any) -> Reply | str:  # noqa: ANN401
        """The answer, or where it leads."""
        given["headers"] = {**(given["headers"] or {}), **self._secrets(url)}
        began = time.monotonic()
        try:
            with self._http.stream(method, url, **given) as response:
                location = response.headers.get("Location")
                if response.status_code in _REDIRECTS and location:
                    return _joined(url, location)
                if response.status_code != 304 and not response.is_success:
                    raise _refusal(url, response)
                body = bytearray()
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > self._max_bytes:
                        raise SourceError(f"is larger than {self._max_bytes / 2**20:g} MB")
                    if time.monotonic() - began > LONGEST_S:
                        raise _FailedError(f"took longer than {LONGEST_S:g} s")
                return Reply(response.status_code, response.headers, bytes(body), url)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise SourceError(f"{place(url)}: is no address that can be asked") from error
        except httpx.HTTPError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                said = "nobody who is trusted here vouches for its certificate"
                mend = "name the file of who does in SSL_CERT_FILE"
                raise SourceError(f"{place(url)}: {said}; {mend}") from error
            raise _FailedError(f"no connection, or it broke ({type(error).__name__})") from error

    def _secrets(self, url: str) -> Mapping[str, str]:
        return self._credentials() if origin(url) == origin(self.base) else {}


class _FailedError(Exception):
    """A try that failed and may be repeated."""

    def __init__(
        self, reason: str, *, status: int | None = None, wait_s: float | None = None
    ) -> None:
        super().__init__(reason)
        self.status, self.wait_s = status, wait_s


def _refusal(url: str, response: httpx.Response) -> Exception:
    status, headers = response.status_code, response.headers
    is_limited = status == 429 or (status == 403 and _is_limit(response))
    problem = f"answered with status {status}"
    if status in _TRY_AGAIN or is_limited:
        wait_s = retry_after(headers)
        if wait_s is None and is_limited:
            wait_s = _until_reset(headers)
        # What is only too much for now has not been withdrawn from us.
        return _FailedError(problem, status=429 if is_limited else status, wait_s=wait_s)
    if status in (401, 403):
        problem += ": the credentials are wrong, have expired, or may not do this"
    return SourceError(f"{place(url)}: {problem}", status=status)


@cache
def _trusted() -> ssl.SSLContext:
    # It takes a tenth of a second to read all certificates.
    return httpx.create_ssl_context()


def _is_limit(response: httpx.Response) -> bool:
    """Whether an answer of 403 says that there were too many requests, as GitHub's and Google's."""
    headers = response.headers
    if "Retry-After" in headers or headers.get("X-RateLimit-Remaining") == "0":
        return True
    beginning = next(response.iter_bytes(_REASON_BYTES), b"")
    return b"ateLimitExceeded" in beginning or b"secondary rate limit" in beginning


def _until_reset(headers: Mapping[str, str]) -> float | None:
    try:
        return max(0.0, float(headers["X-RateLimit-Reset"]) - time.time())
    except (KeyError, ValueError):
        return None


def _joined(base: str, url: str) -> str:
    try:
        return urljoin(base, url)
    except ValueError as error:
        raise SourceError(f"{place(base)}: leads to what is no address") from error


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", port


def place(url: str) -> str:
    """An address as it may be told: without what may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

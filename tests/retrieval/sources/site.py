"""A small server on localhost that answers as it is told to, for sources to be read from."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request that came in; `headers` have names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Told:
    """An answer; a body that is no bytes is sent as JSON."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Answer = Callable[[Asked], Told]


class Site:
    """Listens while it is entered. `answers` are by path; what is in `first` is told before them.

    An answer is what to tell, or a function that makes it of what was asked. Every other path is
    not found.
    """

    def __init__(self, **answers: Told | Answer) -> None:
        self.answers: dict[str, Told | Answer] = dict(answers)
        self.first: deque[Told] = deque()
        self.asked: list[Asked] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def paths(self) -> list[str]:
        """The paths that were asked for, in their order."""
        return [asked.path for asked in self.asked]

    def __enter__(self) -> Self:
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # heads and bodies that are sent apart wait for each other

            def do_GET(self) -> None:
                self._answer()

            do_POST = do_GET  # noqa: N815 - as the base class calls it

            def _answer(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", 0)))
                asked = Asked(self.command, parts.path, query, headers, body)
                site.asked.append(asked)
                self._tell(site.answer(asked))

            def _tell(self, told: Told) -> None:
                is_raw = isinstance(told.body, bytes)
                body = told.body if is_raw else json.dumps(told.body).encode()
                self.send_response(told.status)
                kind = {} if is_raw else {"Content-Type": "application/json"}
                for name, value in {
                    "Content-Length": str(len(body)),
                    **kind,
                    **told.headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def answer(self, asked: Asked) -> Told:
        if self.first:
            return self.first.popleft()
        told = self.answers.get(asked.path, Told(status=404))
        return told if isinstance(told, Told) else told(asked)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

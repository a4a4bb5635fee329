"""A small server that speaks as OpenAI's does and says what it is told to, faults included."""

from __future__ import annotations

import json
import select
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

Kind = Literal[
    "status", "hang", "drop", "disconnect", "garbage", "empty", "role-only", "html", "no-stream"
]


@dataclass
class Fault:
    """What goes wrong with one request; `drop` and `hang` come after so many pieces."""

    kind: Kind
    status: int = 500
    message: str = "out of order"
    headers: dict[str, str] = field(default_factory=dict)
    after: int = 0


class EndpointServer:
    """Listens on localhost while it is entered. `left` is set once a client has hung up early.

    Chats are answered with `pieces`, after those of `first`, or with what `write` makes of them.
    """

    def __init__(self, text: str = "There are 27 days [1].", *, key: str = "") -> None:
        self.pieces: Sequence[dict[str, Any]] = [
            {"content": text[n : n + 5]} for n in range(0, len(text), 5)
        ]
        self.key = key
        self.models: list[dict[str, Any]] = [{"id": "tiny", "max_model_len": 4096}]
        self.finish = "stop"
        self.dimension = 0
        self.is_tei = False
        self.faults: deque[Fault] = deque()
        self.first: deque[str] = deque()
        self.write: Callable[[dict[str, Any]], str] | None = None
        self.unknown: set[str] = set()
        self.requests: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.most_at_once = 0
        self.busy = 0
        self.hold: threading.Barrier | None = None
        self.left, self.closed, self.lock = threading.Event(), threading.Event(), threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The bodies of the chats."""
        return [body for path, body, _ in self.requests if path.endswith("/chat/completions")]

    def __enter__(self) -> Self:
        self._http = _Listener(("127.0.0.1", 0), _Handler)
        self._http.script = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closed.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client may hang up whenever it likes."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def script(self) -> EndpointServer:
        script: EndpointServer = self.server.script  # type: ignore[attr-defined]
        return script

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _serve(self, body: dict[str, Any]) -> None:
        script = self.script
        with script.lock:
            script.requests.append((self.path, body, dict(self.headers)))
            script.busy += 1
            script.most_at_once = max(script.most_at_once, script.busy)
            is_faulty = self.command == "POST" and bool(script.faults)
            fault = script.faults.popleft() if is_faulty else None
        try:
            if script.hold is not None and self.command == "POST":
                script.hold.wait(10)
            self._answer(body, fault)
        except (BrokenPipeError, ConnectionResetError):
            script.left.set()
            self.close_connection = True
        finally:
            with script.lock:
                script.busy -= 1

    def _answer(self, body: dict[str, Any], fault: Fault | None) -> None:
        if self.script.key and self.headers.get("Authorization") != f"Bearer {self.script.key}":
            self._json({"error": {"message": "wrong key"}}, status=401)
        elif fault is not None and fault.kind not in ("drop", "no-stream"):
            self._fail(fault)
        elif unknown := sorted(self.script.unknown & body.keys()):
            said = f"Unsupported parameter: '{unknown[0]}' is not supported with this model."
            self._json({"error": {"message": said}}, status=400)
        elif self.path.endswith("/models"):
            self._json({"object": "list", "data": self.script.models})
        elif self.path.endswith("/embeddings"):
            rows = [self._vector(text) for text in body["input"]]
            data = [{"index": n, "embedding": row} for n, row in enumerate(rows)]
            self._json({"data": data[::-1]})
        elif self.path.endswith("/rerank"):
            self._rerank(body)
        elif self.path.endswith("/chat/completions"):
            self._chat(body, fault)
        else:
            self._json({"error": {"message": "no such path"}}, status=404)

    def _fail(self, fault: Fault) -> None:
        if fault.kind == "status":
            self._json({"error": {"message": fault.message}}, fault.status, fault.headers)
        elif fault.kind == "html":
            self._send(b"<html>Welcome</html>", kind="text/html")
        elif fault.kind == "garbage":
            self._begin()
            self._chunk(b"data: {garbage\n\n")
            self._chunk(b"")
        elif fault.kind in ("empty", "role-only"):
            delta = {"role": "assistant"} if fault.kind == "role-only" else None
            self._begin()
            if delta:
                self._event({"choices": [{"delta": delta, "finish_reason": "stop"}]})
            self._chunk(b"data: [DONE]\n\n")
            self._chunk(b"")
        elif fault.kind == "hang":
            if fault.after:
                self._begin()
                for piece in self.script.pieces[: fault.after]:
                    self._event({"choices": [{"delta": piece}]})
            self._wait_for_client_to_leave()
        else:
            self.close_connection = True

    def _wait_for_client_to_leave(self) -> None:
        while not self.script.closed.is_set():
            if select.select([self.connection], [], [], 0.02)[0]:
                self.script.left.set()
                break
        self.close_connection = True

    def _chat(self, body: dict[str, Any], fault: Fault | None) -> None:
        usage = {"prompt_tokens": 11, "completion_tokens": 7}
        first = self.script.first
        pieces = [{"content": first.popleft()}] if first else self.script.pieces
        if self.script.write is not None:
            pieces = [{"content": self.script.write(body)}]
        if (fault is not None and fault.kind == "no-stream") or not body.get("stream"):
            text = "".join(piece.get("content", "") for piece in pieces)
            choice = {"message": {"content": text}, "finish_reason": "stop"}
            self._json({"id": "chat-1", "choices": [choice], "usage": usage})
            return
        self._begin()
        for n, piece in enumerate(pieces):
            if fault is not None and n == fault.after:
                self.close_connection = True
                return
            self._event({"id": "chat-1", "choices": [{"delta": piece}]})
        self._event({"choices": [{"delta": {}, "finish_reason": self.script.finish}]})
        self._event({"choices": [], "usage": usage})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _vector(self, text: str) -> list[float]:
        return [
            2.0 + sum(map(ord, text[n :: self.script.dimension])) % 7
            for n in range(self.script.dimension)
        ]

    def _rerank(self, body: dict[str, Any]) -> None:
        wanted = "texts" if self.script.is_tei else "documents"
        if wanted not in body:
            self._json({"error": f"missing field `{wanted}`"}, status=422)
            return
        name = "score" if self.script.is_tei else "relevance_score"
        rows = [{"index": n, name: float(len(text))} for n, text in enumerate(body[wanted])]
        rows.sort(key=lambda row: -row[name])
        self._json(rows if self.script.is_tei else {"results": rows})

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _event(self, event: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps(event).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _json(
        self, value: object, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        self._send(json.dumps(value).encode(), status=status, headers=headers)

    def _send(
        self,
        data: bytes,
        *,
        status: int = 200,
        kind: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

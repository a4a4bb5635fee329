"""The API over a handful of sentences, served on localhost."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.admin.syncing import SyncProcess
from bot.app.api import ApiServer
from bot.app.parts import Engine, Timings
from bot.asking.questions import AnswerService
from bot.settings import ApiSettings, SlackSettings
from bot.store.database import Database
from bot.store.keys import ApiKeys
from retrieval.records import Answer, AnswerRequest
from retrieval.settings import Settings
from tests.fakes import (
    GatedAnswerer,
    NoCandidates,
    SentenceAnswerer,
    SentenceDocuments,
    TwoGenerations,
)
from tests.slack_server import WAIT_S


class Speaking(SentenceAnswerer):
    """Says its text while it answers, in two pieces; between them something may happen."""

    between: Callable[[], object] = staticmethod(lambda: None)

    def answer(
        self,
        request: AnswerRequest,
        *,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Answer:
        answer = super().answer(request, should_stop=should_stop)
        if on_text is not None:
            half = len(answer.text) // 2
            on_text(answer.text[:half])
            self.between()
            on_text(answer.text[half:])
        return answer


class Noticing(GatedAnswerer):
    """Tells that it has begun, with so many calls, and was stopped; then it has said nothing."""

    def __init__(self, *, calls: int = 1) -> None:
        super().__init__()
        self.begun, self.stopped = threading.Event(), threading.Event()
        self._to_come = threading.Barrier(calls, self.begun.set)

    def answer(
        self,
        request: AnswerRequest,
        *,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Answer:
        if not self.begun.is_set():
            self._to_come.wait(WAIT_S)
        answer = super().answer(request, on_text=on_text, should_stop=should_stop)
        if not answer.stopped:
            return answer
        self.stopped.set()
        return replace(answer, text="")


@dataclass
class Reply:
    """What a call was answered."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def events(self) -> list[tuple[str, Any]]:
        """Server-sent events by name, each with its data."""
        found = []
        for block in self.text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
            if "data" in lines:
                data = lines["data"]
                told = data if data == "[DONE]" else json.loads(data)
                found.append((lines.get("event", ""), told))
        return found


@dataclass
class Counter:
    """Serves the API until the test ends, and calls it."""

    folder: Path
    stack: AsyncExitStack
    session: aiohttp.ClientSession
    url: str = ""
    held: SentenceDocuments = field(default_factory=SentenceDocuments)

    async def open(self, answerer: AnswerService | None = None, **settings: Any) -> ApiServer:
        if answerer is None:
            answerer = SentenceAnswerer()
            answerer.passages = self.held.passages
        server = ApiServer(
            ApiSettings(**{"listen_port": 0, **settings}),
            SlackSettings(),
            self.folder / "whimbrel.db",
            Engine(answerer, self.held, TwoGenerations(), NoCandidates()),
            SyncProcess(Settings(home=self.folder)),
            timings=Timings(grace_s=5.0, look_s=60.0),
        )
        await self.stack.enter_async_context(server)
        self.url = f"http://127.0.0.1:{server.port}"
        return server

    def database(self) -> Database:
        """The server's database, over connections of its own."""
        database = Database(self.folder / "whimbrel.db")
        self.stack.callback(database.close)
        return database

    def key(self, name: str = "web", *labels: str, **limits: Any) -> str:
        """The secret of a new key."""
        database = Database(self.folder / "whimbrel.db")
        try:
            return ApiKeys(database).create(name, audience=labels, **limits)[1]
        finally:
            database.close()

    async def call(
        self,
        path: str,
        body: Any = None,
        *,
        key: str = "",
        method: str = "POST",
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """What a path answers to a body: to bytes as they are, to the rest as JSON."""
        sent = {"Authorization": f"Bearer {key}"} if key else {}
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        data = None if raw is None else io.BytesIO(raw)
        if data is not None:
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        url = f"{self.url}{path}"
        async with self.session.request(method, url, data=data, headers=sent) as response:
            return Reply(response.status, dict(response.headers), await response.text())

    async def ask(self, question: str, *, key: str, **more: Any) -> Reply:
        headers = more.pop("headers", None)
        body = {"question": question, **more}
        return await self.call("/v1/answers", body, key=key, headers=headers)


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Counter]:
    async with aiohttp.ClientSession() as session, AsyncExitStack() as stack:
        yield Counter(tmp_path, stack, session)

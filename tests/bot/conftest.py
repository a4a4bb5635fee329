"""A bot, a Slack on localhost and the two transports between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from bot.admin.learner import LearningProcess
from bot.admin.reindex import Reindexer
from bot.admin.replaying import Replayer
from bot.admin.syncing import SyncProcess
from bot.app.bot import Bot
from bot.app.parts import Engine, LongJobs, Timings
from bot.asking.questions import AnswerService
from bot.review.document_lookup import DocumentLookup
from bot.settings import ApiSettings, SlackSettings
from bot.slack.audience import Holdings
from bot.store.database import Database
from bot.trials.shadowing import Candidates
from retrieval.serving.installation import Installation
from retrieval.settings import Settings as RetrievalSettings
from tests.fakes import (
    FolderReindexer,
    NoCandidates,
    SentenceAnswerer,
    SentenceDocuments,
    TwoGenerations,
)
from tests.slack_server import APP_TOKEN, BOT_TOKEN, SECRET, WAIT_S, SlackServer

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer


async def settled(bot: Bot, *, done: int = 1, dead: int = 0, within_s: float = WAIT_S) -> None:
    """Wait until no job is left and so many have ended."""
    async with asyncio.timeout(within_s):
        while True:
            change = bot.worker.next_change
            if bot.inbox.counts() == {k: n for k, n in (("done", done), ("dead", dead)) if n}:
                return
            await change.wait()


class House:
    """Starts bots on one database and one Slack; closes them all in the end."""

    def __init__(
        self, slack: SlackServer, folder: Path, stack: AsyncExitStack, address: str | None
    ) -> None:
        self.slack = slack
        self.folder = folder
        self.address = address
        self.transport = "socket"
        self._stack = stack

    def settings(self, **values: Any) -> SlackSettings:
        is_socket = self.transport == "socket"
        defaults: dict[str, Any] = {
            "bot_token": SecretStr(BOT_TOKEN),
            "app_token": SecretStr(APP_TOKEN) if is_socket else None,
            "signing_secret": None if is_socket else SecretStr(SECRET),
            "api_url": self.slack.api_url,
            "health_port": 0,
        }
        return SlackSettings(**defaults | values)

    def bot(
        self,
        answerer: AnswerService | None = None,
        *,
        settings: SlackSettings | None = None,
        reindexer: Reindexer | None = None,
        installation: Installation | None = None,
        documents: DocumentLookup | None = None,
        learner: LearningProcess | None = None,
        replayer: Replayer | None = None,
        syncer: SyncProcess | None = None,
        candidates: Candidates | None = None,
        held_at_sources: Holdings = lambda _: (),
        api: ApiSettings | None = None,
        is_behind: bool = False,
        grace_s: float = 5.0,
        ping_s: float = 3.0,
    ) -> Bot:
        """A bot that is not started yet."""
        return Bot(
            settings or self.settings(),
            self.folder / "whimbrel.db",
            Engine(
                answerer or SentenceAnswerer(),
                documents or SentenceDocuments(),
                installation or TwoGenerations(),
                candidates or NoCandidates(),
                held_at_sources=held_at_sources,
            ),
            LongJobs(
                reindexer or FolderReindexer(self.folder),
                learner or LearningProcess(RetrievalSettings(home=self.folder)),
                replayer or Replayer(RetrievalSettings(home=self.folder)),
                syncer or SyncProcess(RetrievalSettings(home=self.folder)),
            ),
            address=self.address,
            host="127.0.0.1",
            port=0,
            api=api,
            is_behind=is_behind,
            timings=Timings(grace_s, retry_s=0.0, tick_s=0.01, ping_s=ping_s, look_s=0.05),
        )

    async def enter(self, bot: Bot) -> Bot:
        """Let a bot serve until the test ends."""
        await self._stack.enter_async_context(bot)
        if self.transport == "http":
            self.slack.app_url = f"http://127.0.0.1:{bot.port}/slack/events"
        return bot

    async def start(
        self,
        answerer: AnswerService | None = None,
        *,
        settings: SlackSettings | None = None,
        documents: DocumentLookup | None = None,
    ) -> Bot:
        """A bot that serves until the test ends."""
        return await self.enter(self.bot(answerer, settings=settings, documents=documents))


CONFORMING = ("dashboard", "export", "privacy", "review", "store", "trials")
"""Folders of which every test that needs a database runs on SQLite and on Postgres."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folder, needed = metafunc.definition.path.parent.name, {*metafunc.fixturenames}
    is_free = needed.isdisjoint(("house", "postgres")) and not hasattr(metafunc.module, "DATABASE")
    if folder in CONFORMING and "database" in needed and is_free:
        metafunc.parametrize("address", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def address(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """None for a SQLite file, or the address of a new database of Postgres.

    A module that is about one of them says which in `DATABASE`.
    """
    wanted = getattr(request.module, "DATABASE", request.config.getoption("database"))
    if getattr(request, "param", wanted) == "sqlite":
        yield None
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    address = server.fresh()
    yield address
    server.drop(address)


@pytest.fixture
def database(tmp_path: Path, address: str | None) -> Iterator[Database]:
    database = Database(tmp_path / "whimbrel.db", address=address)
    yield database
    database.close()


@pytest.fixture
async def house(tmp_path: Path, address: str | None) -> AsyncIterator[House]:
    async with SlackServer() as slack, AsyncExitStack() as stack:
        yield House(slack, tmp_path, stack, address)


@pytest.fixture(params=["socket", "http"])
def each_transport(request: pytest.FixtureRequest, house: House) -> House:
    house.transport = request.param
    return house


@pytest.fixture
def http(house: House) -> House:
    house.transport = "http"
    return house

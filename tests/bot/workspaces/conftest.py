"""Two workspaces whose channels, people and threads have the same ids, behind one app."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from pydantic import SecretStr

from bot.app.bot import Bot
from bot.settings import ApiSettings, SlackSettings
from bot.workspaces.front import Front
from bot.workspaces.installed import Installed
from bot.workspaces.places import Place
from retrieval.settings import Settings
from tests.bot.conftest import House
from tests.fakes import SentenceAnswerer, SentenceDocuments, passage
from tests.slack_installs import CLIENT_ID, CLIENT_SECRET
from tests.slack_server import APP_TOKEN, SECRET, WAIT_S, Delivered, SlackServer

Json = dict[str, Any]
HOST = "127.0.0.1"


def secret_of(team: str) -> str:
    """What the documents of a workspace hold and nobody else may read."""
    return {"T1": "Basilisk", "T2": "Chimaera"}[team]


class BotInside:
    """A workspace's bot in this process, with documents of its own."""

    def __init__(self, place: Place, slack: SlackServer) -> None:
        self.secret = f"{place.team}-signs"
        self.answerer, documents = SentenceAnswerer(), SentenceDocuments()
        text = f"The launch code word of the rocket is {secret_of(place.team)}."
        self.answerer.passages = documents.passages = [passage("Launch", text)]
        self._house = House(slack, place.folder, AsyncExitStack(), None)
        self._house.transport = "http"
        settings = self._house.settings(
            bot_token=SecretStr(f"@{place.token_file}"),
            signing_secret=SecretStr(self.secret),
            only_team=place.team,
            experts=("U1",),
        )
        self.bot: Bot = self._house.bot(
            self.answerer,
            documents=documents,
            settings=settings,
            api=ApiSettings(serve=True, listen_port=0),
            is_behind=True,
        )
        self._is_ended = asyncio.Event()
        self._port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._serving = asyncio.create_task(self._serve())

    async def port(self) -> int:
        return await asyncio.shield(self._port)

    async def end(self) -> None:
        self._is_ended.set()
        await self._serving

    async def _serve(self) -> None:
        async with self.bot:
            self._port.set_result(self.bot.port)
            await self._is_ended.wait()


class Company:
    """An app, whom it is installed in, and what each of them is shown."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.home = folder
        self.slacks = {"T1": SlackServer("T1"), "T2": SlackServer("T2")}
        self.slack = self.slacks["T1"]
        """The one that plays all of Slack that is of no workspace."""
        self.slacks["T2"].tokens = self.slack.tokens
        self.bots: dict[str, BotInside] = {}
        self._stack = stack

    def settings(self, **values: Any) -> SlackSettings:
        defaults: Json = {
            "client_id": CLIENT_ID,
            "client_secret": SecretStr(CLIENT_SECRET),
            "signing_secret": SecretStr(SECRET),
            "api_url": self.slack.api_url,
            "health_port": 0,
        }
        return SlackSettings(**defaults | values)

    def over_socket(self) -> SlackSettings:
        return self.settings(app_token=SecretStr(APP_TOKEN), signing_secret=None)

    def installed(self) -> Installed:
        return Installed(Settings(home=self.home), self.settings())

    async def open(self, settings: SlackSettings | None = None, *, look_s: float = 60.0) -> Front:
        """Let the app be served until the test ends."""
        settings = settings or self.settings()
        installed = Installed(Settings(home=self.home), settings)
        front = Front(settings, installed, self._start_bot, host=HOST, port=0, look_s=look_s)
        self.front = await self._stack.enter_async_context(front)
        self.url = f"http://{HOST}:{front.port}/slack/"
        self.slack.app_url = None if settings.app_token else self.url + "events"
        return front

    def _start_bot(self, place: Place) -> BotInside:
        place.own_settings()
        self.bots[place.team] = BotInside(place, self.slacks[place.team])
        return self.bots[place.team]

    async def get(self, path: str, *, cookie: str = "", **query: str) -> tuple[int, str, str]:
        """What a browser is shown: the status, the page and the state of its cookie."""
        headers = {"cookie": f"slack-app-oauth-state={cookie}"} if cookie else {}
        async with (
            aiohttp.ClientSession() as session,
            session.get(self.url + path, params=query, headers=headers) as response,
        ):
            morsel = response.cookies.get("slack-app-oauth-state")
            return response.status, await response.text(), morsel.value if morsel else ""

    async def install(self, team: str | None = "T1", **consent: Any) -> tuple[int, str]:
        """What somebody is shown in the end who installs the app in a workspace."""
        _, page, state = await self.get("install")
        (address,) = [part for part in page.split('"') if "/oauth/v2/authorize" in part]
        sent = parse_qs(urlsplit(address.replace("&amp;", "&")).query)
        code = self.slack.consent(team, **consent)
        status, page, _ = await self.get(
            "oauth_redirect", cookie=state, state=sent["state"][0], code=code
        )
        if team in self.bots:
            await self.bots[team].port()
        return status, page

    async def deliver(self, team: str, body: Json) -> Delivered:
        """Send what happened in a workspace, as Slack does for all of them."""
        if "trigger_id" in body:
            self.slacks[team].triggers.give(body["trigger_id"])
        return await self.slack.deliver(of(team, body))

    def shown(self, team: str) -> str:
        """All that was ever said to a workspace."""
        slack = self.slacks[team]
        said = [slack.calls, slack.messages, slack.responses, slack.homes, slack.views]
        return json.dumps(said, default=str)

    def kept(self, team: str) -> bytes:
        """All that is kept of a workspace."""
        folder = Place(self.home, team).folder
        return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def of(team: str, body: Json) -> Json:
    """The body as Slack sends it of a workspace."""
    if "authorizations" in body:
        by = [{**known, "team_id": team} for known in body["authorizations"]]
        return {**body, "team_id": team, "authorizations": by}
    return {**body, "team_id": team} if "command" in body else {**body, "team": {"id": team}}


async def idle(bot: Bot) -> None:
    """Wait until no job is left, however each has ended; none waits for what may come yet."""
    with bot.inbox.database.transaction() as connection:
        connection.execute("UPDATE inbox SET created = created - 100")
    async with asyncio.timeout(WAIT_S):
        while True:
            change = bot.worker.next_change
            if not {"todo", "doing"} & bot.inbox.counts().keys():
                return
            await change.wait()


@pytest.fixture
async def company(tmp_path: Path) -> AsyncIterator[Company]:
    async with AsyncExitStack() as stack:
        company = Company(tmp_path / "home", stack)
        for slack in company.slacks.values():
            await stack.enter_async_context(slack)
        yield company


@pytest.fixture
async def two(company: Company) -> Company:
    """Both have the app."""
    await company.open()
    assert [(await company.install(team))[0] for team in company.slacks] == [200, 200]
    return company

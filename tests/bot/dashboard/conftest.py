"""Dashboards over a scene, and browsers without pictures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from shutil import copytree
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDictProxy

from bot.dashboard.window import Window
from bot.settings import SlackSettings
from tests.bot.conftest import House
from tests.dashboard_scene import set_scene, settings_in

HEADER, HOST = "X-Email", "whimbrel.example"


class Browser:
    """Asks a dashboard, as a browser behind a proxy would if it has an `email`."""

    def __init__(self, session: aiohttp.ClientSession, window: Window, email: str | None) -> None:
        self.base = window.address.partition("/enter")[0].rstrip("/")
        self.headers = {} if email is None else {HEADER: email, "Host": HOST}
        self._session = session

    async def get(self, path: str, **more: Any) -> tuple[int, str]:
        status, text, _ = await self.ask("GET", path, **more)
        return status, text

    async def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any
    ) -> tuple[int, str, CIMultiDictProxy[str]]:
        sent = self.headers | (headers or {})
        url = f"{self.base}{path}"
        async with self._session.request(
            method, url, headers=sent, allow_redirects=False, **more
        ) as response:
            return response.status, await response.text(), response.headers


async def status_of(base: str, *lines: bytes) -> int:
    """What is answered to a request of such lines, which no client of ours would send."""
    reader, writer = await asyncio.open_connection(*base.removeprefix("http://").split(":"))
    writer.write(b"\r\n".join([*lines, b"Connection: close", b"", b""]))
    answered = await reader.read()
    writer.close()
    return int(answered.split()[1])


Opened = Callable[..., Awaitable[Browser]]


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    home = tmp_path_factory.mktemp("scene")
    return home, set_scene(home)


@pytest.fixture
def ids(tmp_path: Path, scene: tuple[Path, dict[str, str]]) -> dict[str, str]:
    """Of some turns, by their questions; the scene stands in the test's folder."""
    home, found = scene
    copytree(home, tmp_path, dirs_exist_ok=True, symlinks=True)
    return found


@pytest.fixture
async def opened(house: House, ids: dict[str, str]) -> AsyncIterator[Opened]:
    """Opens a dashboard: as this machine's admin, or as somebody with an `email`."""
    assert ids
    async with AsyncExitStack() as stack:

        async def open_(
            email: str | None = None, *, shows_text: bool = False, enters: bool = True, **more: Any
        ) -> Browser:
            settings = SlackSettings(health_port=0) if email is None else house.settings(
                dashboard_header=HEADER, dashboard_hosts=(HOST,), **{
                    "dashboard_proxies": ("127.0.0.1",), **more
                }
            )  # fmt: skip
            window = Window(settings_in(house.folder), settings, shows_text=shows_text)
            await stack.enter_async_context(window)
            jar = aiohttp.CookieJar(unsafe=True)
            session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
            browser = Browser(session, window, email)
            if email is None and enters:
                async with session.get(window.address) as response:
                    assert response.status == 200
            return browser

        yield open_


def known(house: House, person: str, email: str, **more: Any) -> str:
    """Let Slack know somebody by an e-mail address, which is given back."""
    house.slack.users[person] = {"profile": {"email": email}, **more}
    return email

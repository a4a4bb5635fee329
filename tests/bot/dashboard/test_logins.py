"""Logins at an OpenID provider that a test starts: who gets in, and what does not."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

pytest.importorskip("authlib")

from authlib.integrations.httpx_client import AsyncOAuth2Client

from bot.dashboard.oidc import Attempt, Provider
from bot.dashboard.window import Window
from retrieval.errors import SettingsError
from tests.bot.conftest import House
from tests.bot.dashboard.conftest import HEADER, HOST, known, status_of
from tests.browser import MISSING, chromium, is_there
from tests.dashboard_scene import SALARY, settings_in
from tests.openid_server import CLIENT, CLIENT_SECRET, OpenIdServer

EMAIL = "nine@example.org"


class Visitor:
    """A browser that keeps cookies, of a dashboard that stands behind a proxy with TLS."""

    def __init__(self, session: aiohttp.ClientSession, base: str, provider: OpenIdServer) -> None:
        self.cookies: dict[str, str] = {}
        self.given: list[str] = []
        self._session, self.base, self._provider = session, base, provider

    async def get(self, path: str) -> tuple[int, str, str]:
        """The status, the text, and where it leads."""
        return await self.ask("GET", path)

    async def ask(self, method: str, path: str, **more: str) -> tuple[int, str, str]:
        headers = {"Host": HOST} | more
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with self._session.request(
            method, f"{self.base}{path}", headers=headers, allow_redirects=False
        ) as response:
            for line in response.headers.getall("Set-Cookie", []):
                self.given.append(line)
                self.cookies |= {name: m.value for name, m in SimpleCookie(line).items()}
            return response.status, await response.text(), response.headers.get("Location", "")

    async def begin(self, path: str = "/") -> str:
        """The address, at the dashboard, to which the provider sends back who opens a path."""
        status, _, location = await self.get(path)
        assert (status, location.startswith(f"{self._provider.issuer}/authorize?")) == (303, True)
        async with self._session.get(location, allow_redirects=False) as response:
            back = urlsplit(response.headers["Location"])
        assert (back.scheme, back.netloc) == ("https", HOST)
        return f"{back.path}?{back.query}"

    async def log_in(self, path: str = "/") -> tuple[int, str, str]:
        return await self.get(await self.begin(path))


Visit = Callable[..., Awaitable[Visitor]]


@pytest.fixture
async def provider() -> AsyncIterator[OpenIdServer]:
    server = OpenIdServer(EMAIL)
    await server.start()
    yield server
    await server.stop()


def window_at(house: House, provider: OpenIdServer, **more: Any) -> Window:
    own = {name: more.pop(name) for name in ("shows_text", "port") if name in more}
    settings = {
        "dashboard_oidc_issuer": provider.issuer,
        "dashboard_oidc_client_id": CLIENT,
        "dashboard_oidc_client_password": CLIENT_SECRET,
        "dashboard_hosts": (HOST,),
    } | more
    return Window(settings_in(house.folder), house.settings(**settings), **own)


@pytest.fixture
async def visit(house: House, ids: dict[str, str], provider: OpenIdServer) -> AsyncIterator[Visit]:
    """Opens a dashboard, to one more browser each time it is called without settings."""
    assert ids
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        )
        opened: list[Window] = []

        async def visit_(**more: Any) -> Visitor:
            if more or not opened:
                window = window_at(house, provider, **more)
                opened.append(await stack.enter_async_context(window))
            return Visitor(session, opened[-1].address.rstrip("/"), provider)

        yield visit_


async def test_who_logs_in_sees_what_slack_says_they_may(
    house: House, visit: Visit, ids: dict[str, str]
) -> None:
    known(house, "U9", EMAIL, is_admin=True)
    visitor = await visit(shows_text=True, user_audiences={"U9": ("hr",)})
    path = f"/questions/{ids[SALARY]}"
    status, _, location = await visitor.log_in(path)
    assert (status, location) == (303, path)
    status, html, _ = await visitor.get(location)
    assert (status, SALARY in html) == (200, True)
    for line in visitor.given:
        assert line.startswith("__Host-whimbrel-")
        assert {"HttpOnly", "Secure", "SameSite=Lax"} <= {part.strip() for part in line.split(";")}


async def test_a_login_is_asked_for_with_proof_of_who_began_it(
    house: House, visit: Visit, provider: OpenIdServer
) -> None:
    known(house, "U9", EMAIL)
    visitor = await visit()
    for _ in range(2):
        await visitor.begin()
    first, second = provider.requests
    assert (first["response_type"], first["code_challenge_method"]) == ("code", "S256")
    assert first["redirect_uri"] == f"https://{HOST}/enter"
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) > 40
        assert first[name] != second[name]


async def test_addresses_to_log_in_at_are_made_without_a_client_each(
    provider: OpenIdServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    found = await Provider.found(provider.issuer, CLIENT, CLIENT_SECRET)
    init = AsyncOAuth2Client.__init__

    def counted(client: AsyncOAuth2Client, *args: Any, **more: Any) -> None:
        made.append(client)
        init(client, *args, **more)

    monkeypatch.setattr(AsyncOAuth2Client, "__init__", counted)
    hosts = ("one.example", "two.example")
    addresses = [found.address(Attempt(f"https://{h}/enter", h, "n", "v" * 43)) for h in hosts]
    asked = [parse_qs(urlsplit(address).query) for address in addresses]
    assert len(made) == 1
    assert [(a["redirect_uri"], a["state"]) for a in asked] == [
        ([f"https://{host}/enter"], [host]) for host in hosts
    ]


async def test_two_pages_that_are_opened_at_once_can_both_log_in(
    house: House, visit: Visit
) -> None:
    known(house, "U9", EMAIL)
    visitor = await visit()
    ends = [await visitor.begin(path) for path in ("/sources", "/gaps")]
    assert [(await visitor.get(end))[::2] for end in ends] == [(303, "/sources"), (303, "/gaps")]


@pytest.mark.parametrize(
    ("email", "more"),
    [("nobody@example.org", {}), ("guest@example.org", {"is_restricted": True})],
)
async def test_who_is_no_member_logs_in_in_vain(
    house: House, visit: Visit, provider: OpenIdServer, email: str, more: dict[str, Any]
) -> None:
    known(house, "U7", "guest@example.org", **more)
    provider.email = email
    visitor = await visit()
    assert (await visitor.log_in())[0] == 303
    assert (await visitor.get("/"))[0] == 403


async def test_who_is_no_member_can_log_out_and_in_as_somebody_else(
    house: House, visit: Visit, provider: OpenIdServer
) -> None:
    known(house, "U9", EMAIL)
    provider.email = "nobody@example.org"
    visitor = await visit()
    await visitor.log_in()
    status, html, _ = await visitor.get("/gaps")
    assert (status, '<form method="post" action="/leave">' in html) == (403, True)
    assert (await visitor.ask("POST", "/leave", Origin="https://evil.example"))[0] == 403
    assert (await visitor.get("/"))[0] == 403
    assert (await visitor.ask("POST", "/leave", Origin=f"https://{HOST}"))[0] == 200
    provider.email = EMAIL
    await visitor.log_in()
    assert (await visitor.get("/"))[0] == 200


@pytest.mark.slow
@pytest.mark.skipif(not is_there(), reason=MISSING)
async def test_a_real_browser_can_log_out(
    house: House, ids: dict[str, str], provider: OpenIdServer
) -> None:
    assert ids
    provider.email = "nobody@example.org"
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]

    def leave(address: str) -> str:
        with chromium() as driver:
            driver.get(address)
            driver.find_element("tag name", "button").click()
            end = time.monotonic() + 60
            while "logged out" not in driver.page_source and time.monotonic() < end:
                time.sleep(0.1)
            return driver.page_source

    async with window_at(house, provider, port=port, dashboard_hosts=(f"127.0.0.1:{port}",)) as w:
        assert "You are logged out" in await asyncio.to_thread(leave, w.address)


NOW = time.time()
REFUSED: dict[str, dict[str, Any]] = {
    "forged": {},
    "no signature": {},
    "signed with the public key": {},
    "another issuer": {"iss": "https://other.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "another client"},
    "no audience": {"aud": None},
    "several audiences, and not for us": {"aud": [CLIENT, "another"], "azp": "another"},
    "another nonce": {"nonce": "x" * 43},
    "no nonce": {"nonce": None},
    "expired": {"exp": int(NOW) - 3600},
    "never expires": {"exp": None},
    "not yet": {"nbf": int(NOW) + 3600},
    "another access token": {"at_hash": "x" * 22},
    "an address that is not verified": {"email_verified": False},
    "an address of which nobody says that": {"email_verified": None},
    "an address that is verified and is not": {"email_verified": False, "xms_edov": True},
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_token_that_is_not_as_it_has_to_be_opens_nothing(
    house: House, visit: Visit, provider: OpenIdServer, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    known(house, "U9", EMAIL)
    provider.is_wrong, provider.changes = what, REFUSED[what]
    visitor = await visit()
    status, text, _ = await visitor.log_in()
    assert (status, "The log tells why" in text) == (403, True)
    assert "nobody was logged in" in caplog.text
    assert (await visitor.get("/"))[0] == 303


async def test_a_login_ends_once_and_in_the_browser_that_began_it(
    house: House, visit: Visit
) -> None:
    known(house, "U9", EMAIL)
    visitor, thief = await visit(), await visit()
    end = await visitor.begin()
    assert (await thief.get(end))[0] == 403
    assert (await visitor.get(end))[0] == 403
    end = await visitor.begin()
    assert (await visitor.get(end))[0] == 303
    assert (await visitor.get(end))[0] == 403
    code = parse_qs(urlsplit(end).query)["code"][0]
    assert (await visitor.get(f"/enter?state=guess&code={code}"))[0] == 403


async def test_a_login_ends_in_no_browser_whose_cookie_is_no_text(visit: Visit) -> None:
    visitor = await visit()
    back = await visitor.begin()
    (name,) = visitor.cookies
    lines = [f"GET {back} HTTP/1.1", f"Host: {HOST}", f"Cookie: {name}="]
    sent = "\r\n".join(lines).encode() + b"\xff"
    assert await status_of(visitor.base, sent) == 403


@pytest.mark.parametrize(
    "given", ["error=access_denied", "code=guess", "code=guess&iss=https://other.example"]
)
async def test_what_the_provider_did_not_give_opens_nothing(
    house: House, visit: Visit, given: str
) -> None:
    known(house, "U9", EMAIL)
    visitor = await visit()
    state = parse_qs(urlsplit(await visitor.begin()).query)["state"][0]
    assert (await visitor.get(f"/enter?state={state}&{given}"))[0] == 403


async def test_a_login_while_the_provider_is_down_can_be_tried_again(
    house: House, visit: Visit, provider: OpenIdServer
) -> None:
    known(house, "U9", EMAIL)
    visitor = await visit()
    end, provider.is_wrong = await visitor.begin("/gaps?days=7&lang=en"), "down"
    for _ in range(2):
        status, html, _ = await visitor.get(end)
        assert (status, '<a href="/gaps?days=7&amp;lang=en">' in html) == (503, True)
    provider.is_wrong = ""
    assert (await visitor.get(end))[::2] == (303, "/gaps?days=7&lang=en")
    status, html, _ = await visitor.get(end)
    assert (status, '<a href="/">' in html) == (403, True)


async def test_why_the_provider_let_nobody_in_is_logged(
    house: House, visit: Visit, caplog: pytest.LogCaptureFixture
) -> None:
    known(house, "U9", EMAIL)
    visitor = await visit()
    state = parse_qs(urlsplit(await visitor.begin()).query)["state"][0]
    given = "error=access_denied&error_description=not%20assigned%0Ato%20it"
    assert (await visitor.get(f"/enter?state={state}&{given}"))[0] == 403
    assert r"the provider says 'access_denied: not assigned\nto it'" in caplog.text


async def test_an_address_that_microsoft_says_is_verified_counts(
    house: House, visit: Visit, provider: OpenIdServer
) -> None:
    known(house, "U9", EMAIL)
    provider.changes = {"email_verified": None, "xms_edov": "1"}
    visitor = await visit()
    await visitor.log_in()
    assert (await visitor.get("/"))[0] == 200


@pytest.mark.parametrize(("subject", "status"), [("1", 200), ("2", 303)])
async def test_an_address_that_the_token_lacks_is_asked_of_the_same_person(
    house: House, visit: Visit, provider: OpenIdServer, subject: str, status: int
) -> None:
    known(house, "U9", EMAIL)
    provider.changes = {"email": None, "email_verified": None}
    provider.told_at_userinfo = {"sub": subject, "email": EMAIL, "email_verified": True}
    visitor = await visit()
    await visitor.log_in()
    assert (await visitor.get("/"))[0] == status


async def test_somebody_who_has_left_slack_is_shown_nothing_more(
    house: House, visit: Visit
) -> None:
    known(house, "U9", EMAIL, deleted=True)
    visitor = await visit()
    await visitor.log_in()
    assert (await visitor.get("/"))[0] == 403


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dashboard_header": HEADER}, "SLACK_DASHBOARD_HEADER"),
        ({"dashboard_hosts": ()}, "SLACK_DASHBOARD_HOSTS"),
        ({"dashboard_oidc_client_id": None}, "SLACK_DASHBOARD_OIDC_CLIENT_ID"),
        ({"dashboard_oidc_issuer": "http://login.example"}, "https"),
        ({"dashboard_oidc_issuer": "http://127.0.0.1:9"}, "describes no provider"),
    ],
)
async def test_what_cannot_be_logged_in_at_is_told_at_the_start(
    house: House, ids: dict[str, str], provider: OpenIdServer, changes: dict[str, Any], told: str
) -> None:
    assert ids
    with pytest.raises(SettingsError, match=told):
        await window_at(house, provider, **changes).__aenter__()


async def test_an_issuer_that_calls_itself_otherwise_is_refused(
    house: House, ids: dict[str, str], provider: OpenIdServer
) -> None:
    assert ids
    provider.is_wrong = "name"
    with pytest.raises(SettingsError, match="calls itself"):
        await window_at(house, provider).__aenter__()


@pytest.mark.slow
@pytest.mark.skipif(not is_there(), reason=MISSING)
async def test_a_real_browser_comes_back_from_another_site_and_is_in(
    house: House, ids: dict[str, str], provider: OpenIdServer
) -> None:
    assert ids
    known(house, "U9", EMAIL)
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    provider.issuer = provider.issuer.replace("127.0.0.1", "localhost")  # it is another site
    hosts = (f"127.0.0.1:{port}",)

    def look(address: str) -> tuple[str, str]:
        with chromium() as driver:
            driver.get(address)
            return driver.current_url, driver.title

    async with window_at(house, provider, port=port, dashboard_hosts=hosts) as window:
        url, title = await asyncio.to_thread(look, f"{window.address}sources")
    assert (url, "Sources" in title) == (f"http://127.0.0.1:{port}/sources", True)

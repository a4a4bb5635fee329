from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from bot.dashboard.window import Window
from bot.settings import SlackSettings
from bot.slack.incoming.connections import Connections
from bot.store.database import Database
from bot.store.reviews import Reviews
from retrieval.errors import SettingsError
from tests.bot.conftest import House
from tests.bot.dashboard.conftest import HEADER, Opened, known, status_of
from tests.dashboard_scene import ASKED, SALARY, SECRET, settings_in
from tests.fakes import SentenceDocuments

PAGES = ("/", "/sources", "/queue", "/models", "/questions", "/audit", "/reviews")
PRIVATE = ("salar", "E4", "canary", "U9", "E5")


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_page_is_shown_in_both_languages(opened: Opened, language: str) -> None:
    browser = await opened()
    for path in PAGES:
        status, html = await browser.get(f"{path}?lang={language}")
        assert status == 200
        assert f'<html lang="{language}">' in html
        assert html.count("<h1>") == html.count("<main") == 1
        assert 'aria-current="page"' in html


async def test_who_has_no_name_sees_nothing_that_is_not_for_everybody(
    opened: Opened, ids: dict[str, str]
) -> None:
    browser = await opened(shows_text=True)
    for path in (*PAGES, *(f"/questions/{quote(id_)}" for id_ in ids.values())):
        _, html = await browser.get(path)
        assert [word for word in PRIVATE if re.search(rf"\b{word}", html)] == []
    _, html = await browser.get("/questions")
    assert ASKED[0] in html
    assert html.count("withheld</span>") >= 2


async def test_the_way_of_a_question_is_told_step_by_step(
    opened: Opened, ids: dict[str, str]
) -> None:
    browser = await opened()
    _, html = await browser.get(f"/questions/{ids[ASKED[0]]}")
    assert ASKED[0] in html
    assert "Every employee has 30 days of paid leave a year." in html
    assert "handbook/leave.md" in html
    assert (await browser.get("/questions/none"))[0] == 404


async def test_a_member_reads_what_slack_says_they_may_and_only_where_texts_are_shown(
    house: House, opened: Opened, ids: dict[str, str]
) -> None:
    email = known(house, "U9", "nine@example.org", is_admin=True)
    grants = {"user_audiences": {"U9": ("hr",)}}
    told = await opened(email, shows_text=True, **grants)
    silent = await opened(email, **grants)
    for question in (SALARY, SECRET):
        path = f"/questions/{ids[question]}"
        assert question in (await told.get(path))[1]
        assert question not in (await silent.get(path))[1]


async def test_another_admin_does_not_read_what_was_asked_in_private(
    house: House, opened: Opened, ids: dict[str, str]
) -> None:
    email = known(house, "U8", "eight@example.org", is_admin=True)
    browser = await opened(email, shows_text=True, user_audiences={"U8": ("hr",)})
    for path in ("/questions", f"/questions/{ids[SALARY]}"):
        status, html = await browser.get(path)
        assert status == 200
        assert SALARY not in html
        assert "canary" not in html


async def test_who_is_no_admin_sees_no_single_question_and_no_audit(
    house: House, opened: Opened
) -> None:
    browser = await opened(known(house, "U5", "five@example.org"), shows_text=True)
    assert (await browser.get("/"))[0] == 200
    for path in ("/questions", "/audit", "/queue", "/models"):
        assert (await browser.get(path))[0] == 403


@pytest.mark.parametrize(
    "headers",
    [{}, {HEADER: "nobody@example.org"}, {HEADER: "guest@example.org"}, {HEADER: ""}],
    ids=["none", "unknown", "guest", "empty"],
)
async def test_whom_the_proxy_does_not_name_as_a_member_is_refused(
    house: House, opened: Opened, headers: dict[str, str]
) -> None:
    known(house, "U7", "guest@example.org", is_restricted=True)
    browser = await opened("")
    browser.headers = {"Host": "whimbrel.example"} | headers
    assert (await browser.get("/"))[0] == 403


async def test_a_header_is_believed_of_listed_proxies_alone(house: House, opened: Opened) -> None:
    email = known(house, "U5", "five@example.org")
    browser = await opened(email, dashboard_proxies=("10.0.0.0/8",))
    assert (await browser.get("/"))[0] == 403


async def test_a_token_lets_in_once(opened: Opened) -> None:
    stranger = await opened(enters=False)
    assert (await stranger.get("/"))[0] == 403
    assert (await stranger.get("/enter?token=guess"))[0] == 403
    first = await opened()
    assert (await first.get("/"))[0] == 200
    assert (await first.get("/enter?token="))[0] == 403


async def test_one_browser_stays_in_two_dashboards_of_one_host(
    house: House, ids: dict[str, str]
) -> None:
    assert ids
    jar = aiohttp.CookieJar(unsafe=True)
    settings = settings_in(house.folder), SlackSettings()
    async with (
        Window(*settings) as one,
        Window(*settings) as other,
        aiohttp.ClientSession(cookie_jar=jar) as session,
    ):
        told = []
        for window in (one, other):
            await session.get(window.address)
        for window in (one, other):
            async with session.get(window.address.partition("/enter")[0]) as response:
                told.append(response.status)
    assert told == [200, 200]


async def test_it_takes_so_many_connections_and_no_more(house: House, ids: dict[str, str]) -> None:
    assert ids
    window = Window(settings_in(house.folder), SlackSettings(), connections=Connections(most=2))
    async with window, aiohttp.ClientSession() as session:
        port = URL(window.address).port
        there = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for reader, writer in there:
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"421" in await reader.readline()
        with pytest.raises(aiohttp.ClientError):
            await session.get(window.address)
        for _, writer in there:
            writer.close()


async def test_another_host_name_is_refused_and_pages_say_what_browsers_may_do(
    opened: Opened,
) -> None:
    browser = await opened()
    status, _, headers = await browser.ask("GET", "/", headers={"Host": "evil.example"})
    assert status == 421
    _, html, headers = await browser.ask("GET", "/")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert not re.search(r"<script|\son\w+=|\sstyle=|https?://", html)


async def test_a_question_of_which_nobody_knows_who_read_along_is_withheld(
    house: House, opened: Opened, ids: dict[str, str]
) -> None:
    database = Database(house.folder / "whimbrel.db")
    with database.transaction() as db:
        db.execute("UPDATE turns SET is_private = NULL WHERE id = ?", (ids[ASKED[0]],))
    database.close()
    browser = await opened()
    assert ASKED[0] not in (await browser.get(f"/questions/{ids[ASKED[0]]}"))[1]


async def test_a_reviewer_sees_no_private_name_or_word_unless_texts_are_shown(
    house: House, opened: Opened
) -> None:
    email = known(house, "U9", "nine@example.org")
    rights = {"experts": ("U9",), "user_audiences": {"U9": ("hr",)}}
    silent = await opened(email, **rights)
    _, html = await silent.get("/reviews")
    assert [word for word in PRIVATE if re.search(rf"\b{word}", html)] == []
    assert "1 more wait in Slack" in html
    told = await opened(email, shows_text=True, **rights)
    _, html = await told.get("/reviews")
    assert "E4 or E5" in html
    assert "salaries.md" in html


async def test_a_page_that_cannot_be_read_says_so_and_the_others_are_there(
    house: House, opened: Opened
) -> None:
    (manifest,) = (house.folder / "index").rglob("manifest.json")
    manifest.write_text("{}")
    browser = await opened(known(house, "U5", "five@example.org", is_admin=True))
    status, html = await browser.get("/")
    assert status == 500
    assert "The log tells why" in html
    assert (await browser.get("/queue"))[0] == 200


@pytest.mark.parametrize("path", ["/?days=" + "9" * 5000, "/audit?before=x", "/?lang=../en"])
async def test_addresses_that_nobody_links_to_are_harmless(opened: Opened, path: str) -> None:
    browser = await opened()
    assert (await browser.get(path))[0] == 200


async def test_a_cookie_of_bytes_that_are_no_text_opens_nothing(opened: Opened) -> None:
    browser = await opened()
    host = browser.base.removeprefix("http://").encode()
    cookie = b"Cookie: whimbrel-" + host.partition(b":")[2] + b"=\xff"
    assert await status_of(browser.base, b"GET / HTTP/1.1", b"Host: " + host, cookie) == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded; charset=nonsense"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"},
        {"Content-Type": "multipart/form-data"},
        {"Content-Type": "multipart/form-data; boundary=x"},
    ],
)
async def test_a_form_that_cannot_be_read_is_refused(
    opened: Opened, headers: dict[str, str]
) -> None:
    browser = await opened()
    status, *_ = await browser.ask("POST", "/reviews/1", headers=headers, data=b"csrf=\xff")
    assert status == 400


@pytest.mark.parametrize(
    ("host", "changes", "told"),
    [
        ("0.0.0.0", {}, "SLACK_DASHBOARD_HEADER"),  # noqa: S104 - it is refused
        ("127.0.0.1", {"dashboard_header": HEADER}, "SLACK_DASHBOARD_HOSTS"),
        (
            "127.0.0.1",
            {"dashboard_header": HEADER, "dashboard_hosts": ("a",), "dashboard_proxies": ("x",)},
            "SLACK_DASHBOARD_PROXIES",
        ),
    ],
)
async def test_what_would_let_in_anybody_is_refused(
    house: House, ids: dict[str, str], host: str, changes: dict[str, Any], told: str
) -> None:
    assert ids
    window = Window(settings_in(house.folder), house.settings(**changes), host=host)
    with pytest.raises(SettingsError, match=told):
        await window.__aenter__()


async def test_a_reviewer_approves_through_the_running_bot(house: House, opened: Opened) -> None:
    email = known(house, "U5", "five@example.org")
    bot = house.bot(settings=house.settings(experts=("U5",)), documents=SentenceDocuments())
    browser = await opened(email, experts=("U5",))
    _, html = await browser.get("/reviews")
    assert "It is called Heron, by the stairs." in html
    assert "E4 or E5" not in html
    (action,) = re.findall(r'action="(/reviews/\d+)"', html)
    (csrf,) = re.findall(r'name="csrf" value="(\w+)"', html)
    form = {"csrf": csrf, "act": "approve"}
    forged = [({}, form | {"csrf": "0" * 64}), ({"Origin": "https://evil.example"}, form)]
    for headers, data in [*forged, ({"Sec-Fetch-Site": "cross-site"}, form)]:
        assert (await browser.ask("POST", action, headers=headers, data=data))[0] == 403
    await house.enter(bot)
    status, _, told = await browser.ask("POST", action, data=form)
    assert (status, told["Location"]) == (303, "/reviews?said=approved")
    database = Database(house.folder / "whimbrel.db")
    review = Reviews(database).get(int(action.rpartition("/")[2]))
    database.close()
    assert review is not None
    assert (review.state, review.reviewer) == ("approved", "U5")


@pytest.mark.slow
async def test_gaps_are_gathered_and_told_to_who_may_read_them(
    house: House, opened: Opened, models_home: Path
) -> None:
    (house.folder / "models").symlink_to(models_home / "models")
    nobody = await opened(shows_text=True)
    _, html = await nobody.get("/gaps?days=366")
    assert "Who won the cup?" in html
    assert "canary" not in html
    assert html.count("a question that may not be told") >= 1
    email = known(house, "U9", "nine@example.org", is_admin=True)
    asker = await opened(email, shows_text=True, user_audiences={"U9": ("hr",)})
    assert SECRET in (await asker.get("/gaps?days=366"))[1]

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from retrieval.errors import SettingsError, SourceError
from retrieval.sources.connector import Omission, SourceSettings
from retrieval.sources.web import Web, connect, is_below
from tests.retrieval.sources.site import Asked, Site, Told

HTML = {"Content-Type": "text/html; charset=utf-8"}


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


def page(*links: str, text: str = "text", **headers: str) -> Told:
    anchors = "".join(f'<a href="{link}">{link}</a>' for link in links)
    body = f"<html><head><title>Page</title></head><body>{text}{anchors}</body></html>"
    return Told(body.encode(), headers={**HTML, **headers})


class Walk:
    """Lists a site, with its bodies."""

    def __init__(self, site: Site, folder: Path, **options: Any) -> None:
        self.waits: list[float] = []
        given = {"url": f"{site.url}/docs/", "private": True, "delay_s": 0, **options}
        text_types = given.pop("text_types", ())
        settings = SourceSettings(
            "site", "web", folder / "own", given, audience="staff", text_types=text_types
        )
        self.bodies: dict[str, bytes] = {}
        self.versions: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.left_out: list[Omission] = []
        with closing(connect(settings, sleep=self.waits.append)) as web:
            self._walk(web, len(site.url))

    def _walk(self, web: Web, start: int) -> None:
        for step in web.pages(None):
            self.left_out += step.left_out
            for document in step.documents:
                path = document.key[start:]
                self.names[path], self.versions[path] = document.name, document.version
                if web._held[0] == document.key:
                    self.bodies[path] = web.body(document)


def test_links_are_followed_within_the_address(site: Site, tmp_path: Path) -> None:
    site.answers["/docs/"] = page("leave", "/docs/deep/er.html#part", "/other", "../out", "x.png")
    site.answers["/docs/leave"] = page("https://elsewhere.example/", "/docs/", "?q=1", "leave#top")
    site.answers["/docs/deep/er.html"] = page()
    walk = Walk(site, tmp_path)
    assert walk.names == {
        "/docs/": "docs.html",
        "/docs/leave": "docs/leave.html",
        "/docs/deep/er.html": "docs/deep/er.html",
    }
    assert site.paths() == ["/robots.txt", "/docs/", "/docs/leave", "/docs/deep/er.html"]
    assert b"elsewhere" in walk.bodies["/docs/leave"]


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream"])
def test_types_that_are_read_as_plain_text_are_read(site: Site, tmp_path: Path, kind: str) -> None:
    site.answers["/docs/"] = page("run.log")
    site.answers["/docs/run.log"] = Told(b"It ran.", headers={"Content-Type": kind})
    assert "/docs/run.log" not in Walk(site, tmp_path).names
    assert "/docs/run.log" in Walk(site, tmp_path, text_types=(".log",)).names


def test_a_sitemap_names_the_pages(site: Site, tmp_path: Path) -> None:
    site.answers["/sitemap.xml"] = Told(
        f"<sitemapindex><sitemap><loc>{site.url}/more.xml</loc></sitemap></sitemapindex>".encode()
    )
    site.answers["/more.xml"] = Told(
        f"<urlset><url><loc>{site.url}/docs/a</loc></url><url><loc>{site.url}/blog/b</loc></url>"
        "<url><loc>https://elsewhere.example/docs/c</loc></url></urlset>".encode()
    )
    site.answers["/docs/a"] = page("/docs/b")
    assert set(Walk(site, tmp_path, sitemap=f"{site.url}/sitemap.xml").names) == {"/docs/a"}


def index_of(site: Site, *paths: str) -> Told:
    named = "".join(f"<sitemap><loc>{site.url}{path}</loc></sitemap>" for path in paths)
    return Told(f"<sitemapindex>{named}</sitemapindex>".encode())


def test_a_sitemap_that_is_named_twice_is_read_once(site: Site, tmp_path: Path) -> None:
    site.answers["/a.xml"] = index_of(site, "/c.xml", ":0x/d.xml", "/b.xml", "/c.xml")
    site.answers["/b.xml"] = index_of(site, "/c.xml")
    site.answers["/c.xml"] = Told(
        f"<urlset><url><loc>{site.url}/docs/</loc></url></urlset>".encode()
    )
    site.answers["/docs/"] = page()
    assert set(Walk(site, tmp_path, sitemap=f"{site.url}/a.xml").names) == {"/docs/"}
    assert site.paths() == ["/robots.txt", "/a.xml", "/c.xml", "/b.xml", "/docs/"]


@pytest.mark.parametrize(
    ("sitemaps", "told"),
    [
        ({}, "status 404"),
        ({"/a.xml": ["/a.xml"]}, "names itself"),
        ({"/a.xml": ["/b.xml"], "/b.xml": ["/a.xml"]}, "names itself"),
        ({"/a.xml": ["/b.xml", "/html"], "/b.xml": []}, "html: is no sitemap"),
        ({f"/{n or 'a.xml'}": [f"/{n + 1}"] for n in range(200)}, "over 100 sitemaps"),
    ],
)
def test_a_sitemap_that_cannot_be_read_to_its_end_ends_the_listing(
    site: Site, tmp_path: Path, sitemaps: dict[str, list[str]], told: str
) -> None:
    for path, named in sitemaps.items():
        site.answers[path] = index_of(site, *named)
    site.answers["/html"] = page()
    with pytest.raises(SourceError, match=told):
        Walk(site, tmp_path, sitemap=f"{site.url}/a.xml")
    assert "/docs/" not in site.paths()


def test_what_the_site_forbids_is_left_out(site: Site, tmp_path: Path) -> None:
    site.answers["/robots.txt"] = Told(b"User-agent: *\nDisallow: /docs/private\nCrawl-delay: 3\n")
    site.answers["/docs/"] = page("private")
    site.answers["/docs/private"] = page()
    walk = Walk(site, tmp_path)
    assert [left.reason for left in walk.left_out] == ["is forbidden by robots.txt"]
    assert "/docs/private" not in site.paths()
    assert set(walk.waits) == {3.0}


@pytest.mark.parametrize(("status", "count"), [(401, 0), (403, 0), (404, 1), (410, 1)])
def test_a_site_that_does_not_show_its_rules(
    site: Site, tmp_path: Path, status: int, count: int
) -> None:
    site.answers["/robots.txt"] = Told(status=status)
    site.answers["/docs/"] = page()
    assert len(Walk(site, tmp_path).names) == count


def test_a_site_whose_rules_are_out_of_order_is_not_read(site: Site, tmp_path: Path) -> None:
    site.answers["/robots.txt"] = Told(status=503)
    with pytest.raises(SourceError):
        Walk(site, tmp_path)
    assert set(site.paths()) == {"/robots.txt"}


def test_what_has_not_changed_is_not_sent_again(site: Site, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Told:
        if asked.headers.get("if-none-match") == '"1"':
            return Told(status=304)
        return page("leave", ETag='"1"')

    site.answers["/docs/"] = answer
    site.answers["/docs/leave"] = page(text="27 days")
    first, second = Walk(site, tmp_path), Walk(site, tmp_path)
    assert second.versions == first.versions
    assert set(second.bodies) == {"/docs/leave"}


def test_a_page_that_has_gone_is_not_named(site: Site, tmp_path: Path) -> None:
    site.answers["/docs/"] = page("a", "b")
    site.answers["/docs/a"] = site.answers["/docs/b"] = page()
    Walk(site, tmp_path)
    site.answers["/docs/a"] = Told(status=410)
    site.answers["/docs/b"] = Told(status=403)
    walk = Walk(site, tmp_path)
    assert set(walk.names) == {"/docs/"}
    assert [left.key[len(site.url) :] for left in walk.left_out] == ["/docs/b"]


def test_a_page_that_is_out_of_order_stays(site: Site, tmp_path: Path) -> None:
    site.answers["/docs/"] = page("a", "b")
    site.answers["/docs/a"] = page()
    before = Walk(site, tmp_path).versions["/docs/a"]
    site.answers["/docs/a"] = Told(status=500)
    assert Walk(site, tmp_path).versions["/docs/a"] == before


def test_a_site_that_is_out_of_order_loses_nothing(site: Site, tmp_path: Path) -> None:
    pages = [str(number) for number in range(9)]
    site.answers["/docs/"] = page(*pages)
    for name in pages:
        site.answers[f"/docs/{name}"] = Told(status=500)
    with pytest.raises(SourceError, match="status 500"):
        Walk(site, tmp_path)
    site.answers["/docs/"] = Told(status=404)
    with pytest.raises(SourceError, match="status 404"):
        Walk(site, tmp_path)


def test_a_page_that_leads_elsewhere_is_not_followed(site: Site, tmp_path: Path) -> None:
    site.answers["/docs/"] = page("moved", "out")
    site.answers["/docs/moved"] = Told(status=301, headers={"Location": "/docs/new"})
    site.answers["/docs/new"] = page()
    site.answers["/docs/out"] = Told(status=302, headers={"Location": "/secret"})
    site.answers["/secret"] = page(text="secret")
    walk = Walk(site, tmp_path)
    assert set(walk.names) == {"/docs/", "/docs/new"}
    assert "/secret" not in site.paths()
    assert "is not followed" in walk.left_out[0].reason


def test_a_page_that_leads_to_what_is_not_read_is_not_followed(site: Site, tmp_path: Path) -> None:
    site.answers["/robots.txt"] = Told(b"User-agent: *\nDisallow: /docs/private\n")
    site.answers["/docs/"] = page("moved", "asked")
    site.answers["/docs/moved"] = Told(status=302, headers={"Location": "/docs/hop"})
    site.answers["/docs/hop"] = Told(status=302, headers={"Location": "/docs/private"})
    site.answers["/docs/asked"] = Told(status=302, headers={"Location": "/docs/found?q=1"})
    site.answers["/docs/private"] = site.answers["/docs/found"] = page(text="secret")
    walk = Walk(site, tmp_path)
    assert set(walk.names) == {"/docs/"}
    assert site.paths()[-1] == "/docs/asked"
    assert "/docs/private" not in site.paths()
    assert all("is not followed" in left.reason for left in walk.left_out)
    assert "/docs/found?q=1" in Walk(site, tmp_path, queries=True).names


def test_there_are_not_more_pages_than_settings_say(site: Site, tmp_path: Path) -> None:
    site.answers["/docs/"] = page(*map(str, range(50)))
    for number in range(50):
        site.answers[f"/docs/{number}"] = page(f"{number}/deeper")
    walk = Walk(site, tmp_path, pages=10)
    assert len(walk.names) == 10
    assert "after 10 pages" in walk.left_out[-1].reason


def test_a_site_is_asked_slowly(site: Site, tmp_path: Path) -> None:
    site.answers["/docs/"] = page("a")
    site.answers["/docs/a"] = page()
    assert Walk(site, tmp_path, delay_s=2).waits == [2.0, 2.0]


def test_a_type_that_is_not_read_is_named(site: Site, tmp_path: Path) -> None:
    site.answers["/docs/"] = page("a", "b.pdf", "c")
    site.answers["/docs/a"] = Told(b"x", headers={"Content-Type": "video/mp4"})
    site.answers["/docs/b.pdf"] = Told(b"%PDF", headers={"Content-Type": "application/pdf"})
    site.answers["/docs/c"] = Told(b"text", headers={"Content-Type": "text/plain"})
    walk = Walk(site, tmp_path)
    assert walk.names["/docs/b.pdf"] == "docs/b.pdf"
    assert walk.names["/docs/c"] == "docs/c.txt"
    assert walk.left_out[0].reason == "is of a type that is not read (video/mp4)"


def test_the_encoding_that_a_site_says_is_heard(site: Site, tmp_path: Path) -> None:
    headers = {"Content-Type": "text/plain; charset=gb18030"}
    site.answers["/docs/"] = Told("每年有27天".encode("gb18030"), headers=headers)
    assert Walk(site, tmp_path).bodies["/docs/"].decode("utf-8-sig") == "每年有27天"


def test_a_private_network_is_read_only_where_settings_say_so(site: Site, tmp_path: Path) -> None:
    site.answers["/docs/"] = page()
    with pytest.raises(SourceError, match="private network"):
        Walk(site, tmp_path, private=False)
    assert site.asked == []
    options = {"url": site.url, "private": True}
    with pytest.raises(SettingsError, match="audience is not set"):
        connect(SourceSettings("site", "web", tmp_path, options))


@pytest.mark.parametrize(
    "url", ["ftp://docs.example/", "docs.example", "https://user:secret@docs.example/", "https://"]
)
def test_what_is_no_address_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="wanted an address"):
        connect(SourceSettings("site", "web", tmp_path, {"url": url}))


@pytest.mark.parametrize(
    ("url", "prefix", "is_within"),
    [
        ("https://a.example/docs/x", "https://a.example/docs/", True),
        ("https://a.example/docs", "https://a.example/docs", True),
        ("https://a.example/docs/x", "https://a.example/docs", True),
        ("https://a.example/docsother", "https://a.example/docs", False),
        ("https://a.example/docs/x", "https://a.example/docs/index.html", True),
        ("https://a.example/x", "https://a.example/docs/index.html", False),
        ("https://a.example/x", "https://a.example", True),
        ("https://a.example/docs/%2e%2e/x", "https://a.example/docs/", False),
        ("http://a.example/docs/x", "https://a.example/docs/", False),
        ("https://a.example:444/docs/x", "https://a.example/docs/", False),
        ("https://a.example.evil.example/docs/x", "https://a.example/docs/", False),
        ("https://a.example@evil.example/docs/x", "https://a.example/docs/", False),
        ("https://[bad/docs/x", "https://a.example/docs/", False),
    ],
)
def test_what_lies_below_an_address(url: str, prefix: str, is_within: bool) -> None:
    assert is_below(url, prefix) is is_within

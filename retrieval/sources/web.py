"""Reads a web site: what a sitemap names below an address, or what links there lead to."""

from __future__ import annotations

import hashlib
import json
import re
import time
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from pydantic import Field, field_validator

from retrieval.documents.loaders import comes_along, is_readable
from retrieval.documents.loaders.pictures import PICTURES
from retrieval.errors import SettingsError, SourceError
from retrieval.private import make_private
from retrieval.registry.folders import replace_text
from retrieval.sources.addresses import CheckedTransport, Resolve, resolved
from retrieval.sources.client import HttpClient, Reply, origin, place
from retrieval.sources.connector import Omission, Options, Page, Remote, SourceSettings
from retrieval.sources.robots import FORBIDDEN, Robots, read_robots
from retrieval.sources.sitemaps import Sitemap, read_sitemap

AGENT = "whimbrel"
PAGE_BYTES = 16 * 2**20
MAX_SITEMAPS = 100
LONGEST_DELAY_S = 30.0
MAX_FAILURES = 5
"""After so many pages in a row that cannot be had, the site is taken to be out of order."""

_CHARSET = re.compile(r"^text/[^;]+;.*\bcharset=[\"']?([\w.:-]+)", re.IGNORECASE)
_SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "application/pdf": ".pdf",
}


class WebOptions(Options):
    """What is read lies below `url`. Without a `sitemap`, links are followed."""

    url: str
    sitemap: str | None = None
    pages: int = Field(1_000, ge=1)
    max_mb: int = Field(500, ge=1)
    delay_s: float = Field(1.0, ge=0, le=LONGEST_DELAY_S)
    queries: bool = False
    private: bool = False

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError("wanted an address such as https://docs.example/handbook/")
        return plain(url)


def connect(
    settings: SourceSettings,
    *,
    resolve: Resolve = resolved,
    sleep: Callable[[float], None] = time.sleep,
) -> Web:
    """The connector of a web site.

    Raises:
        SettingsError: If it is in a private network, and nothing says who may read it.
    """
    options = settings.read(WebOptions)
    if options.private:
        settings.need_audience()
    if options.sitemap and origin(options.sitemap) != origin(options.url):
        raise SettingsError(f"{settings.title} sitemap: is on another host than url")
    transport = CheckedTransport(allows_private=options.private, resolve=resolve)
    return Web(settings, options, transport, sleep)


@dataclass(slots=True)
class _Known:
    """What was seen of a page last time."""

    version: str
    name: str
    modified: str
    links: list[str]
    etag: str = ""
    last_modified: str = ""


class _WithinPrefix(HttpClient):
    """Follows an answer nowhere but below an address, and where the site's rules allow it."""

    robots = Robots()
    follows_queries = True

    def may_follow(self, url: str) -> bool:
        is_allowed = is_below(url, self.base) and self.robots.allows(url)
        return is_allowed and (self.follows_queries or not urlsplit(url).query)


class Web:
    """The pages of a site, one after the other; what has not changed is not sent again."""

    def __init__(
        self,
        settings: SourceSettings,
        options: WebOptions,
        transport: CheckedTransport,
        sleep: Callable[[float], None],
    ) -> None:
        self._options, self._text_types = options, settings.text_types
        self._notes = settings.folder / "pages.json"
        self._client = _WithinPrefix(
            options.url, max_bytes=PAGE_BYTES, transport=transport, sleep=sleep
        )
        self._sleep = sleep
        self._delay_s = options.delay_s
        self._bytes = 0
        self._failures = 0
        self._held: tuple[str, bytes] = ("", b"")

    def pages(self, cursor: str | None) -> Iterator[Page]:  # noqa: ARG002 (it is always whole)
        """The pages, each when it has come."""
        robots = self._robots()
        self._client.robots = robots
        self._delay_s = min(max(self._delay_s, robots.delay_s), LONGEST_DELAY_S)
        before, now = self._remembered(), dict[str, _Known]()
        start = self._from_sitemap() if self._options.sitemap else [self._options.url]
        self._client.follows_queries = self._options.queries
        waiting, met = deque(start), set(start)
        while waiting:
            url = waiting.popleft()
            if not robots.allows(url):
                yield Page(left_out=[Omission(url, _name(url, ""), "is forbidden by robots.txt")])
                continue
            if len(now) >= self._options.pages or self._bytes > self._options.max_mb << 20:
                yield Page(left_out=[Omission(url, _name(url, ""), self._limit())])
                break
            page, links = self._page(url, before, now)
            yield page
            if not self._options.sitemap:
                new = [link for link in links if self._is_wanted(link) and link not in met]
                met.update(new)
                waiting.extend(new)
        make_private(self._notes.parent)
        replace_text(self._notes, json.dumps({url: asdict(known) for url, known in now.items()}))

    def body(self, document: Remote) -> bytes:
        """The page's bytes, as they came for the listing."""
        url, body = self._held
        return body if url == document.key else self._ask(document.key).body

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _page(
        self, url: str, before: dict[str, _Known], now: dict[str, _Known]
    ) -> tuple[Page, Iterable[str]]:
        """What is at an address, and where it leads."""
        known = before.get(url)
        try:
            reply = self._ask(url, known)
        except SourceError as error:
            return self._unread(url, known, now, error)
        at = plain(reply.url)
        if at in now:
            return Page(), ()
        self._failures = 0
        if reply.status != 304:
            known = self._known(reply, before.get(at))
        if known is None:
            return Page(left_out=[Omission(at, _name(at, ""), _odd_type(reply))]), ()
        now[at] = known
        self._held = ("", b"") if reply.status == 304 else (at, _in_utf8(reply))
        document = Remote(at, known.version, known.name, None, known.modified, url=at)
        return Page([document]), known.links

    def _known(self, reply: Reply, before: _Known | None) -> _Known | None:
        """What to remember of a page; None for what cannot be read."""
        name = _name(reply.url, _type(reply))
        if not is_readable(Path(name), self._text_types):
            return None
        version = hashlib.sha256(reply.body).hexdigest()
        is_same = before is not None and before.version == version
        return _Known(
            version=version,
            name=name,
            modified=before.modified if before is not None and is_same else _modified(reply),
            links=_links(reply) if name.endswith((".html", ".htm")) else [],
            etag=reply.headers.get("ETag", ""),
            last_modified=reply.headers.get("Last-Modified", ""),
        )

    def _unread(
        self, url: str, known: _Known | None, now: dict[str, _Known], error: SourceError
    ) -> tuple[Page, Iterable[str]]:
        """A page that is out of order stays as it was, for there it is; several are the site."""
        is_later = error.status in (408, 425, 429)
        is_gone = error.status is not None and 300 <= error.status < 500 and not is_later
        self._failures += not is_gone
        is_start = url == self._options.url and not self._options.sitemap
        if is_start or self._failures >= MAX_FAILURES:
            raise error
        if is_gone or known is None:
            left = Omission(url, _name(url, ""), str(error))
            return Page(left_out=[] if error.status in (404, 410) else [left]), ()
        now[url] = known
        document = Remote(url, known.version, known.name, None, known.modified, url=url)
        return Page([document]), known.links

    def _ask(self, url: str, known: _Known | None = None) -> Reply:
        self._sleep(self._delay_s)
        headers = {"Accept": "text/html, application/pdf, text/*;q=0.9, */*;q=0.1"}
        if known is not None and known.etag:
            headers["If-None-Match"] = known.etag
        if known is not None and known.last_modified:
            headers["If-Modified-Since"] = known.last_modified
        reply = self._client.get(url, headers=headers)
        self._bytes += len(reply.body)
        return reply

    def _robots(self) -> Robots:
        """What the site lets us read; all where it has no such file."""
        try:
            text = self._client.get("/robots.txt").body.decode("utf-8", "replace")
        except SourceError as error:
            if error.status is None or not 400 <= error.status < 500:
                raise
            return FORBIDDEN if error.status in (401, 403) else Robots()
        return read_robots(text, AGENT)

    def _from_sitemap(self) -> list[str]:
        """The addresses below ours that the sitemap names, and those that it names in turn."""
        found: dict[str, None] = {}
        asked: set[str] = set()
        waiting = deque([(str(self._options.sitemap), frozenset[str]())])
        while waiting:
            url, above = waiting.popleft()
            if url in asked:
                continue
            asked.add(url)
            if len(asked) > MAX_SITEMAPS:
                raise SourceError(f"{self._options.sitemap}: leads to over {MAX_SITEMAPS} sitemaps")
            sitemap = self._sitemap(url)
            named = [plain(address) for address in sitemap.addresses]
            if not sitemap.is_index:
                found |= dict.fromkeys(page for page in named if self._is_wanted(page))
                continue
            above |= {url}
            if above & set(named):
                raise SourceError(f"{place(url)}: names itself as a further sitemap")
            site = urljoin(self._options.url, "/")
            waiting.extend((further, above) for further in named if is_below(further, site))
        return list(found)

    def _sitemap(self, url: str) -> Sitemap:
        self._sleep(self._delay_s)
        reply = self._client.get(url)
        try:
            return read_sitemap(reply.body)
        except SourceError as error:
            raise SourceError(f"{place(url)}: {error}") from error

    def _is_wanted(self, url: str) -> bool:
        parts = urlsplit(url)
        path = Path(parts.path)
        is_page = not comes_along(path, self._text_types) and path.suffix.lower() not in PICTURES
        return (
            is_page
            and is_below(url, self._options.url)
            and (self._options.queries or not parts.query)
        )

    def _limit(self) -> str:
        if self._bytes > self._options.max_mb << 20:
            return f"and what follows come after {self._options.max_mb} MB; see max_mb"
        return f"and what follows come after {self._options.pages} pages; see pages"

    def _remembered(self) -> dict[str, _Known]:
        try:
            told = json.loads(self._notes.read_text(encoding="utf-8"))
            return {url: _Known(**known) for url, known in told.items()}
        except (OSError, ValueError, TypeError):
            return {}


def plain(url: str) -> str:
    """An address without a fragment, in the one way that it is written here."""
    try:
        parts = urlsplit(url.strip())
        path = quote(parts.path, safe="/:@!$&'()*+,;=~-._%") or "/"
        return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), path, parts.query, ""))
    except ValueError:
        return ""


def is_below(url: str, prefix: str) -> bool:
    """Whether an address is the other one or lies below it; a file's is its folder's."""
    try:
        above, path = (unquote(urlsplit(address).path) or "/" for address in (prefix, url))
        is_same = origin(url) == origin(prefix)
    except ValueError:
        return False
    folder, _, file = above.rpartition("/")
    folder = folder if not file or "." in file else above
    is_within = path == above or path.startswith(f"{folder}/")
    return is_same and is_within and ".." not in path.split("/")


def _links(reply: Reply) -> list[str]:
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(reply.body.decode("utf-8", "replace"))
    base = tree.css_first("base[href]")
    root = _joined(reply.url, base.attributes.get("href") or "") if base else reply.url
    hrefs = (node.attributes.get("href") or "" for node in tree.css("a[href], area[href]"))
    found = (plain(_joined(root, href)) for href in hrefs)
    return list(dict.fromkeys(link for link in found if link.startswith("http")))


def _joined(base: str, href: str) -> str:
    try:
        return urljoin(base, href.strip())
    except ValueError:
        return ""


def _type(reply: Reply) -> str:
    return reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _in_utf8(reply: Reply) -> bytes:
    """The body of a text in the encoding that every loader takes first, where the site says its."""
    match = _CHARSET.search(reply.headers.get("Content-Type", ""))
    if match is None or match[1].lower() in ("utf-8", "utf8") or reply.body[:3] == BOM_UTF8:
        return reply.body
    try:
        return BOM_UTF8 + reply.body.decode(match[1]).encode()
    except (LookupError, ValueError):
        return reply.body


def _odd_type(reply: Reply) -> str:
    return f"is of a type that is not read ({_type(reply) or 'none is said'})"


def _name(url: str, kind: str) -> str:
    """A path that people can read, with the suffix of what is there."""
    parts = urlsplit(url)
    path = unquote(parts.path).strip("/") or "index"
    path = f"{path} {parts.query}" if parts.query else path
    suffix = _SUFFIXES.get(kind, "")
    known = PurePosixPath(path).suffix.lower()
    if not suffix or known == suffix or (suffix, known) in ((".html", ".htm"), (".txt", ".md")):
        return path
    return path + suffix


def _modified(reply: Reply) -> str:
    try:
        at = parsedate_to_datetime(reply.headers.get("Last-Modified", "")).astimezone(UTC)
    except ValueError:
        at = datetime.now(UTC)
    return at.isoformat(timespec="seconds")

"""Notion: the pages that an integration was connected with, and the rows of databases as pages.

Its API does not tell who may read a page: all of them are for everybody at the source.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from pydantic import Field, SecretStr

from retrieval.errors import CursorExpiredError, SourceError
from retrieval.models.client import JsonObject
from retrieval.sources.client import HttpClient
from retrieval.sources.connector import Options, Page, Remote, SourceSettings
from retrieval.sources.notion_blocks import blocks_html, properties_html, property_text
from retrieval.sources.vendors import path_part, utc

VERSION = "2025-09-03"
"""The version of Notion's API that is spoken."""

_AT_ONCE = 100
_FEW = 25
"""Notion gives no more of a property's parts together with its page."""
_FRESH = timedelta(minutes=2)
"""Moments of editing are told by the minute: a page that was just edited may change unseen."""
_MAX_BLOCKS = 20_000
_DEEPEST = 30
_SEARCH = ""


class NotionOptions(Options):
    """What `[sources.NAME]` says of a workspace."""

    token: SecretStr = Field(description="the secret of an internal integration")
    url: str = Field("https://api.notion.com/v1/", description="the API's address")


def connect(source: SourceSettings) -> Notion:
    """The connector of a workspace."""
    options = source.read(NotionOptions)
    headers = {
        "Authorization": f"Bearer {options.token.get_secret_value()}",
        "Notion-Version": VERSION,
    }
    return Notion(HttpClient(options.url, credentials=lambda: headers))


class Notion:
    """Lists pages as search gives them, then the rows of each database."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._people: dict[str, str] | None = None

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """All that there is, from where the cursor says on."""
        begun, start = json.loads(cursor) if cursor else (_SEARCH, "")
        tables = {table["id"]: table for table in self._all("search", _only("data_source"))}
        for key in (_SEARCH, *sorted(tables)):
            if key > begun or (key == begun and start is not None):
                yield from self._part(key, start if key == begun else "", tables)
        yield Page()

    def body(self, document: Remote) -> bytes:
        """A page with its properties, as HTML."""
        page = self._get(f"pages/{document.key}", {})
        told = properties_html(
            {name: self._whole(page, value) for name, value in page["properties"].items()}
        )
        blocks = _Blocks(self)
        html = blocks_html(blocks.within(document.key), blocks.children)
        return f'<!doctype html><meta charset="utf-8"><body>{told}{html}</body>'.encode()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _part(
        self, key: str, start: str | None, tables: Mapping[str, JsonObject]
    ) -> Iterator[Page]:
        path = f"data_sources/{key}/query" if key else "search"
        asked = {} if key else _only("page")
        while start is not None:
            try:
                answer = self._asked(path, asked, start)
            except SourceError as error:
                if start and error.status in (400, 404):
                    raise CursorExpiredError(str(error), status=error.status) from error
                if key and error.status == 404:
                    return  # it went since it was listed
                raise
            start = answer.get("next_cursor") if answer.get("has_more") else None
            documents = [
                self._remote(page, tables)
                for page in answer["results"]
                if page["object"] == "page"
                and not (page.get("in_trash") or page.get("archived"))
                and (key or _table(page) not in tables)
            ]
            yield Page(documents, cursor=json.dumps([key, start]))

    def _remote(self, page: JsonObject, tables: Mapping[str, JsonObject]) -> Remote:
        title = next(
            (
                property_text(told)
                for told in page["properties"].values()
                if told["type"] == "title"
            ),
            "",
        )
        table = tables.get(_table(page))
        within = [_title(table)] if table else []
        edited = page["last_edited_time"]
        return Remote(
            key=page["id"],
            version=edited + _freshness(edited),
            name="/".join([*map(path_part, within), f"{path_part(title)}.html"]),
            title=title or "Untitled",
            modified=utc(edited),
            url=page.get("url"),
            owner=self._names().get((page.get("created_by") or {}).get("id", "")),
        )

    def _names(self) -> dict[str, str]:
        if self._people is None:
            try:
                listed = list(self._listed("users"))
            except SourceError as error:
                if error.status not in (403, 404):
                    raise
                listed = []  # the integration may not know people
            self._people = {person["id"]: person.get("name") or "" for person in listed}
        return self._people

    def _whole(self, page: JsonObject, told: JsonObject) -> JsonObject:
        """A property with all its parts."""
        kind = told["type"]
        value = told.get(kind)
        if not isinstance(value, list) or len(value) < _FEW or kind == "relation":
            return told
        parts = list(self._listed(f"pages/{page['id']}/properties/{told['id']}"))
        return {**told, kind: [part[kind] for part in parts]}

    def _all(self, path: str, asked: JsonObject) -> Iterator[JsonObject]:
        start: str | None = ""
        while start is not None:
            answer = self._asked(path, asked, start)
            yield from answer["results"]
            start = answer.get("next_cursor") if answer.get("has_more") else None

    def _asked(self, path: str, asked: JsonObject, start: str) -> JsonObject:
        body = {**asked, "page_size": _AT_ONCE, **({"start_cursor": start} if start else {})}
        answer: JsonObject = self._http.post(path, json=body).json()
        return answer

    def _listed(self, path: str) -> Iterator[JsonObject]:
        start: str | None = ""
        while start is not None:
            further = {"start_cursor": start} if start else {}
            answer = self._get(path, {"page_size": str(_AT_ONCE), **further})
            yield from answer["results"]
            start = answer.get("next_cursor") if answer.get("has_more") else None

    def _get(self, path: str, query: Mapping[str, str]) -> JsonObject:
        answer: JsonObject = self._http.get(path, params=query).json()
        return answer

    def blocks(self, id_: str) -> Iterator[JsonObject]:
        """The blocks within a page or block."""
        return self._listed(f"blocks/{id_}/children")


class _Blocks:
    """Asks for the blocks of one page, so many at most."""

    def __init__(self, source: Notion) -> None:
        self._source = source
        self._count = 0
        self._depths: dict[str, int] = {}

    def within(self, id_: str, depth: int = 0) -> list[JsonObject]:
        """The blocks within a page or block."""
        if depth > _DEEPEST:
            raise SourceError(f"is nested more than {_DEEPEST} deep")
        blocks = []
        for block in self._source.blocks(id_):
            self._count += 1
            if self._count > _MAX_BLOCKS:
                raise SourceError(f"has more than {_MAX_BLOCKS:,} blocks")
            self._depths[block["id"]] = depth
            if not (block.get("in_trash") or block.get("archived")):
                blocks.append(block)
        return blocks

    def children(self, block: JsonObject) -> list[JsonObject]:
        """The blocks within a block; a synced one has those of its original."""
        if not block.get("has_children"):
            return []
        original = ((block.get("synced_block") or {}).get("synced_from") or {}).get("block_id")
        try:
            return self.within(original or block["id"], self._depths[block["id"]] + 1)
        except SourceError as error:
            if not original or error.status not in (403, 404):
                raise
            return []  # it stands on a page that the integration may not see


def _only(kind: str) -> JsonObject:
    # What is edited meanwhile moves to the end, where it is not missed.
    order = {"direction": "ascending", "timestamp": "last_edited_time"}
    return {"filter": {"property": "object", "value": kind}, "sort": order}


def _table(page: JsonObject) -> str:
    """The database's part that a page is a row of; empty for other pages."""
    parent = page.get("parent") or {}
    return str(parent.get("data_source_id") or "")


def _title(table: JsonObject) -> str:
    return "".join(part["plain_text"] for part in table.get("title", ())) or "Untitled"


def _freshness(edited: str) -> str:
    now = datetime.now(UTC)
    is_fresh = now - datetime.fromisoformat(edited) < _FRESH
    return f" {now.timestamp()}" if is_fresh else ""

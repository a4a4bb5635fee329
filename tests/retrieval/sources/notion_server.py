"""A workspace on localhost that answers as Notion's API of 2025-09-03 is documented."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.retrieval.sources.site import Asked
from tests.retrieval.sources.vendor_site import JsonObject, RefusedError, Routes, VendorSite

TOKEN = "ntn_secret"
LONG_AGO = "2026-03-04T05:06:00.000Z"


def rich(text: str, *, href: str | None = None, **look: bool) -> list[JsonObject]:
    return [{"type": "text", "plain_text": text, "href": href, "annotations": look}]


@dataclass
class NotionPage:
    id: str
    title: str
    blocks: list[JsonObject] = field(default_factory=list)
    table: str | None = None
    properties: JsonObject = field(default_factory=dict)
    edited: str = LONG_AGO
    in_trash: bool = False


class NotionSite(VendorSite):
    """Pages by id, and tables (data sources) by id with their titles; blocks have ids of their own.

    A block within another stands in its `children`, which no answer has.
    """

    root, proof = "/v1", f"Bearer {TOKEN}"
    at_once = 2

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[str, NotionPage] = {}
        self.tables: dict[str, str] = {}
        self.people = {"u1": "Ada Lovelace"}
        self.blocks: dict[str, list[JsonObject]] = {}
        self.forgets = self.knows_no_people = False

    def add(self, page: NotionPage) -> NotionPage:
        self.pages[page.id] = page
        self.blocks[page.id] = self.known(page.id, page.blocks)
        return page

    def known(self, parent: str, blocks: list[JsonObject]) -> list[JsonObject]:
        shown = []
        for number, block in enumerate(blocks):
            id_ = block.get("id", f"{parent}-{number}")
            children = block.get("children", [])
            self.blocks[id_] = self.known(id_, children)
            rest = {name: value for name, value in block.items() if name != "children"}
            shown.append({"object": "block", "has_children": bool(children), **rest, "id": id_})
        return shown

    def bodies(self) -> list[str]:
        """The ids of the pages that were fetched."""
        return [a.path.removeprefix("/v1/pages/") for a in self.asked if "/v1/pages/" in a.path]

    def routes(self) -> Routes:
        return {
            "search": self.post_search,
            "data_sources/([^/]+)/query": self.post_query,
            "pages/([^/]+)": self.get_page,
            "pages/([^/]+)/properties/([^/]+)": self.get_property,
            "blocks/([^/]+)/children": self.get_children,
            "users": self.get_users,
        }

    def check(self, asked: Asked) -> None:
        super().check(asked)
        if asked.headers.get("notion-version") != "2025-09-03":
            raise RefusedError(400, code="missing_version")

    def part(self, told: JsonObject, shown: list[JsonObject]) -> JsonObject:
        assert 1 <= int(told["page_size"]) <= 100
        if self.forgets and "start_cursor" in told:
            raise RefusedError(400, "start_cursor is invalid", code="validation_error")
        start = int(told.get("start_cursor", "c0").removeprefix("c"))
        stop = start + self.at_once
        is_more = stop < len(shown)
        return {
            "object": "list",
            "results": shown[start:stop],
            "has_more": is_more,
            "next_cursor": f"c{stop}" if is_more else None,
        }

    def shown(self, page: NotionPage) -> JsonObject:
        title = {"id": "title", "type": "title", "title": rich(page.title)}
        few = {
            name: {**told, told["type"]: told[told["type"]][:25]}
            if isinstance(told[told["type"]], list)
            else told
            for name, told in page.properties.items()
        }
        row = {"type": "data_source_id", "data_source_id": page.table}
        return {
            "object": "page",
            "id": page.id,
            "created_by": {"object": "user", "id": "u1"},
            "last_edited_time": page.edited,
            "in_trash": page.in_trash,
            "parent": row if page.table else {"type": "workspace", "workspace": True},
            "properties": {"Name": title, **few},
            "url": f"https://www.notion.so/{page.id}",
        }

    def post_search(self, asked: Asked) -> JsonObject:
        told = asked.json()
        assert told["sort"] == {"direction": "ascending", "timestamp": "last_edited_time"}
        if told["filter"] == {"property": "object", "value": "data_source"}:
            tables = [
                {"object": "data_source", "id": id_, "title": rich(title)}
                for id_, title in self.tables.items()
            ]
            return self.part(told, tables)
        assert told["filter"] == {"property": "object", "value": "page"}
        found = sorted(self.pages.values(), key=lambda page: page.edited)
        return self.part(told, [self.shown(page) for page in found if not page.in_trash])

    def post_query(self, asked: Asked, id_: str) -> JsonObject:
        if id_ not in self.tables:
            raise RefusedError(404, code="object_not_found")
        rows = [page for page in self.pages.values() if page.table == id_ and not page.in_trash]
        return self.part(asked.json(), [self.shown(page) for page in rows])

    def found(self, id_: str) -> NotionPage:
        if id_ not in self.pages:
            raise RefusedError(404, code="object_not_found")
        return self.pages[id_]

    def get_page(self, _asked: Asked, id_: str) -> JsonObject:
        return self.shown(self.found(id_))

    def get_property(self, asked: Asked, id_: str, name: str) -> JsonObject:
        told = next(p for p in self.found(id_).properties.values() if p["id"] == name)
        kind = told["type"]
        parts = [{"object": "property_item", "type": kind, kind: part} for part in told[kind]]
        return self.part(dict(asked.query), parts)

    def get_children(self, asked: Asked, id_: str) -> JsonObject:
        if id_ not in self.blocks:
            raise RefusedError(404, code="object_not_found")
        return self.part(dict(asked.query), self.blocks[id_])

    def get_users(self, asked: Asked) -> JsonObject:
        if self.knows_no_people:
            raise RefusedError(403, code="restricted_resource")
        people = [{"object": "user", "id": id_, "name": name} for id_, name in self.people.items()]
        return self.part(dict(asked.query), people)

"""A wiki on localhost that answers as Confluence documents it, in both editions."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.retrieval.sources.site import Asked
from tests.retrieval.sources.vendor_site import JsonObject, RefusedError, Routes, VendorSite

USER, TOKEN = "bot@acme.example", "t0ken"


@dataclass
class WikiPage:
    """A page, blog post or attachment; `users` and `groups` are whom its reading is limited to."""

    id: str
    title: str
    storage: str = "<p>Nothing yet.</p>"
    kind: str = "page"
    space: str = "HR"
    parent: str | None = None
    version: int = 1
    users: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    status: str = "current"
    author: str = "ada"
    data: bytes = b""


@dataclass
class WikiSpace:
    id: str
    key: str
    kind: str = "global"
    readers: list[tuple[str, str]] = field(default_factory=list)


class Wiki(VendorSite):
    """People are by account, with a name and an address that may be hidden; pages by id."""

    most_at_once = 2

    def __init__(self) -> None:
        super().__init__()
        self.people = {
            "ada": ("Ada Lovelace", "Ada@acme.example"),
            "bob": ("Bob", "bob@acme.example"),
            "eve": ("Eve", ""),
        }
        self.hidden_in_lists: set[str] = set()
        self.groups = {"staff": ["ada", "bob", "eve"], "board": ["ada"]}
        self.spaces = {"HR": WikiSpace("11", "HR", readers=[("group", "staff")])}
        self.wiki: dict[str, WikiPage] = {}
        self.forgets = self.hides_ancestors = False
        self.links_parts = True
        self.closed_permissions: set[str] = set()

    def add(self, page: WikiPage) -> WikiPage:
        self.wiki[page.id] = page
        return page

    def bodies(self) -> list[str]:
        """The ids of the pages whose bodies were asked for."""
        return [a.path.rpartition("/")[2] for a in self.asked if self._is_body(a)]

    def check(self, asked: Asked) -> None:
        super().check(asked)
        if self.forgets and asked.query.get("next") and "/content" in asked.path:
            raise RefusedError(400, "no such cursor")

    def _is_body(self, asked: Asked) -> bool:
        raise NotImplementedError

    def person(self, account: str) -> JsonObject:
        raise NotImplementedError

    def group(self, name: str) -> JsonObject:
        raise NotImplementedError

    def page(self, id_: str) -> WikiPage:
        if id_ not in self.wiki or self.wiki[id_].status == "trashed":
            raise RefusedError(404, "no such content")
        return self.wiki[id_]

    def shown(self, page: WikiPage, expand: Sequence[str]) -> JsonObject:
        """A piece of content as the first version of the API gives it: only what was expanded."""
        history: JsonObject = {"createdDate": "2026-01-02T03:04:05.000Z"}
        if "history" in expand:
            history["createdBy"] = self.person(page.author)
        shown: JsonObject = {
            "id": page.id,
            "type": page.kind,
            "status": page.status,
            "title": page.title,
            "_links": {"webui": f"/spaces/{page.space}/pages/{page.id}"},
            "_expandable": {},
        }
        if "version" in expand:
            when = f"2026-02-{page.version:02}T10:00:00.000+08:00"
            shown["version"] = {"number": page.version, "when": when}
        if "history" in expand:
            shown["history"] = history
        if "ancestors" in expand and not self.hides_ancestors:
            above = self.above(page)
            within = [e.removeprefix("ancestors.") for e in expand if e.startswith("ancestors.")]
            shown["ancestors"] = [self.shown(ancestor, within) for ancestor in above]
        if "container" in expand and page.parent:
            shown["container"] = self.shown(self.wiki[page.parent], ())
        if "body.storage" in expand:
            shown["body"] = {"storage": {"value": page.storage, "representation": "storage"}}
        if page.kind == "attachment":
            shown["_links"]["download"] = f"/download/attachments/{page.parent}/{page.id}?version=1"
        if {f"restrictions.read.restrictions.{w}" for w in ("user", "group")} <= set(expand):
            shown["restrictions"] = {"read": self.restriction(page, 0, self.most_at_once)}
        return shown

    def above(self, page: WikiPage) -> list[WikiPage]:
        if page.parent is None or page.kind == "attachment":
            return []
        parent = self.wiki[page.parent]
        return [*self.above(parent), parent]

    def restriction(self, page: WikiPage, start: int, limit: int) -> JsonObject:
        def part(shown: list[JsonObject]) -> JsonObject:
            some = shown[start : start + limit]
            return {"results": some, "start": start, "limit": limit, "size": len(some)}

        users, groups = map(self.person, page.users), map(self.group, page.groups)
        return {
            "operation": "read",
            "restrictions": {"user": part([*users]), "group": part([*groups])},
        }

    def read_restriction(self, asked: Asked, id_: str) -> JsonObject:
        if id_ in self.closed_permissions:
            raise RefusedError(403, "you may not see that")
        start, limit = int(asked.query["start"]), min(int(asked.query["limit"]), self.most_at_once)
        return self.restriction(self.page(id_), start, limit)

    def searched(self, asked: Asked) -> JsonObject:
        cql = asked.query["cql"]
        if by_id := re.fullmatch(r"id = (\d+)", cql):
            found = [p for p in self.wiki.values() if p.id == by_id[1] and p.status == "current"]
        else:
            rule = re.fullmatch(r'space = "(.+)" and type = (\w+) order by created asc', cql)
            if rule is None:
                raise RefusedError(400, f"cannot parse {cql}")
            found = self.listed(rule[1], rule[2])
        return self.part(asked, found)

    def listed(self, space: str, kind: str) -> list[WikiPage]:
        return [
            page
            for page in self.wiki.values()
            if (page.space, page.kind) == (space, kind) and page.status != "trashed"
        ]

    def part(self, asked: Asked, found: list[WikiPage]) -> JsonObject:
        """A part of a list that is paged as in the first version of the API."""
        start = int(asked.query.get("start", 0))
        limit = min(int(asked.query["limit"]), self.most_at_once)
        expand = asked.query.get("expand", "").split(",")
        answer: JsonObject = {
            "results": [self.shown(page, expand) for page in found[start : start + limit]],
            "start": start,
            "limit": limit,
            "_links": {"base": f"{self.url}{self.root}", "context": self.root},
        }
        if start + limit < len(found):
            further = urlencode({**asked.query, "start": start + limit, "limit": limit})
            local = asked.path.removeprefix(self.root)
            answer["_links"]["next"] = f"{local}?next=true&{further}"
        return answer

    def counted(self, asked: Asked, shown: list[JsonObject]) -> JsonObject:
        start, limit = int(asked.query["start"]), min(int(asked.query["limit"]), self.most_at_once)
        some = shown[start : start + limit]
        is_more = start + limit < len(shown) and self.links_parts
        links = {"next": f"/x?start={start + limit}"} if is_more else {}
        return {"results": some, "start": start, "limit": limit, "size": len(some), "_links": links}


class CloudWiki(Wiki):
    """As in the cloud: groups have ids, people account ids, and addresses may be hidden."""

    root = "/wiki"
    proof = "Basic " + b64encode(f"{USER}:{TOKEN}".encode()).decode()

    def routes(self) -> Routes:
        return {
            "api/v2/spaces": self.get_spaces,
            "api/v2/spaces/([^/]+)/permissions": self.get_permissions,
            "api/v2/(page|blogpost)s/([^/]+)": self.get_body,
            "api/v2/users-bulk": self.get_users,
            "rest/api/content/search": self.searched,
            "rest/api/content/([^/]+)/restriction/byOperation/read": self.read_restriction,
            "rest/api/content/([^/]+)/child/attachment/([^/]+)/download": self.get_file,
            "rest/api/group/by-id": lambda asked: self.group(asked.query["id"].removeprefix("g-")),
            "rest/api/group/g-([^/]+)/membersByGroupId": self.get_members,
        }

    def _is_body(self, asked: Asked) -> bool:
        return "/api/v2/pages/" in asked.path or "/api/v2/blogposts/" in asked.path

    def person(self, account: str) -> JsonObject:
        name, mail = self.people[account]
        mail = "" if account in self.hidden_in_lists else mail
        kind = "app" if account.startswith("app-") else "atlassian"
        return {"accountId": account, "accountType": kind, "displayName": name, "email": mail}

    def group(self, name: str) -> JsonObject:
        return {"type": "group", "name": name, "id": f"g-{name}"}

    def cursored(self, asked: Asked, shown: list[JsonObject]) -> JsonObject:
        assert 1 <= int(asked.query["limit"]) <= 250
        start = int(asked.query.get("cursor", "c0").removeprefix("c"))
        stop = start + min(int(asked.query["limit"]), self.most_at_once)
        further = urlencode({**asked.query, "cursor": f"c{stop}"})
        links = {"next": f"{asked.path}?{further}"} if stop < len(shown) else {}
        return {"results": shown[start:stop], "_links": links}

    def get_spaces(self, asked: Asked) -> JsonObject:
        spaces = [{"id": s.id, "key": s.key, "type": s.kind} for s in self.spaces.values()]
        return self.cursored(asked, spaces)

    def get_permissions(self, asked: Asked, id_: str) -> JsonObject:
        if id_ in self.closed_permissions:
            raise RefusedError(404, "no such space, or you may not see it")
        space = next(s for s in self.spaces.values() if s.id == id_)
        shown: list[JsonObject] = []
        for kind, who in space.readers:
            principal = {"type": kind, "id": f"g-{who}" if kind == "group" else who}
            for key in ("read", "delete"):
                operation = {"key": key, "targetType": "space"}
                shown.append(
                    {"id": str(len(shown)), "principal": principal, "operation": operation}
                )
        admin = {"type": "user", "id": "admin"}
        operation = {"key": "administer", "targetType": "space"}
        return self.cursored(asked, [*shown, {"principal": admin, "operation": operation}])

    def get_members(self, asked: Asked, name: str) -> JsonObject:
        if name not in self.groups:
            raise RefusedError(404, "no such group")
        return self.counted(asked, [self.person(account) for account in self.groups[name]])

    def get_users(self, asked: Asked) -> JsonObject:
        assert asked.method == "POST"
        ids = asked.json()["accountIds"]
        assert len(ids) <= 250
        known = [id_ for id_ in ids if id_ in self.people]
        return {"results": [{**self.person(id_), "email": self.people[id_][1]} for id_ in known]}

    def get_body(self, asked: Asked, kind: str, id_: str) -> JsonObject:
        page = self.page(id_)
        if page.kind != kind or asked.query["body-format"] != "storage":
            raise RefusedError(404, "no such content")
        shown = self.shown(page, ["version", "body.storage"])
        return {name: shown[name] for name in ("id", "version", "body")}

    def get_file(self, asked: Asked, page: str, id_: str) -> bytes:
        assert asked.method == "GET"
        file = self.page(id_)
        if (file.parent, str(file.version)) != (page, asked.query["version"]):
            raise RefusedError(404, "no such file")
        return self.wiki[id_].data


class ServerWiki(Wiki):
    """As on a server of one's own: names instead of ids, and addresses in profiles only."""

    root = "/confluence"
    proof = f"Bearer {TOKEN}"
    is_older = False

    def routes(self) -> Routes:
        routes: Routes = {
            "rest/api/space": self.get_spaces,
            "rest/api/content": self.get_contents,
            "rest/api/content/search": self.searched,
            "rest/api/content/([^/]+)": self.get_content,
            "rest/api/content/([^/]+)/restriction/byOperation/read": self.read_restriction,
            "rest/api/group/([^/]+)/member": self.get_members,
            "rest/api/user": lambda asked: self.person(asked.query["key"].removeprefix("key-")),
            "rest/mobile/1.0/profile/([^/]+)": self.get_profile,
            "download/attachments/([^/]+)/([^/]+)": lambda _asked, _page, id_: self.wiki[id_].data,
        }
        if self.is_older:
            path = "rpc/json-rpc/confluenceservice-v2/getSpacePermissionSets"
            return {**routes, path: self.get_older_permissions}
        return {**routes, "rest/api/space/([^/]+)/permissions": self.get_permissions}

    def _is_body(self, asked: Asked) -> bool:
        return asked.query.get("expand") == "body.storage,version"

    def person(self, account: str) -> JsonObject:
        name = self.people[account][0]
        return {
            "type": "known", "username": account, "userKey": f"key-{account}", "displayName": name
        }  # fmt: skip

    def group(self, name: str) -> JsonObject:
        return {"type": "group", "name": name}

    def get_spaces(self, asked: Asked) -> JsonObject:
        spaces = [{"id": int(s.id), "key": s.key, "type": s.kind} for s in self.spaces.values()]
        return self.counted(asked, spaces)

    def get_contents(self, asked: Asked) -> JsonObject:
        found = self.listed(asked.query["spaceKey"], asked.query["type"])
        return self.part(asked, [page for page in found if page.status == asked.query["status"]])

    def get_content(self, asked: Asked, id_: str) -> JsonObject:
        return self.shown(self.page(id_), asked.query.get("expand", "").split(","))

    def get_permissions(self, asked: Asked, key: str) -> list[JsonObject]:
        assert asked.method == "GET"
        shown = []
        for kind, who in self.spaces[key].readers:
            subjects = {
                "group": {"type": "group", "name": who, "displayName": who},
                "user": self.person(who) if kind == "user" else {},
                "anonymous": {"type": "anonymous", "displayName": "Anonymous"},
            }
            operation = {"targetType": "space", "operationKey": "read"}
            shown.append({"operation": operation, "subject": subjects[kind], "spaceKey": key})
        return shown

    def get_older_permissions(self, asked: Asked) -> list[JsonObject]:
        [key] = asked.json()
        shown = [
            {
                "type": "VIEWSPACE",
                "userName": who if kind == "user" else None,
                "groupName": who if kind == "group" else None,
            }
            for kind, who in self.spaces[key].readers
        ]
        admins = [{"type": "SETSPACEPERMISSIONS", "userName": "eve", "groupName": None}]
        return [
            {"type": "VIEWSPACE", "spacePermissions": shown},
            {"type": "SETSPACEPERMISSIONS", "spacePermissions": admins},
        ]

    def get_members(self, asked: Asked, name: str) -> JsonObject:
        if name not in self.groups:
            raise RefusedError(404, "no such group")
        return self.counted(asked, [self.person(account) for account in self.groups[name]])

    def get_profile(self, asked: Asked, account: str) -> JsonObject:
        assert asked.method == "GET"
        name, mail = self.people[account]
        return {"userName": account, "fullName": name, "email": mail}

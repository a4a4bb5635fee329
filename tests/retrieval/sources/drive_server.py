"""A Drive on localhost that answers as version 3 of Google's API is documented."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from tests.retrieval.sources.site import Asked, Told
from tests.retrieval.sources.vendor_site import JsonObject, RefusedError, Routes, VendorSite

GOOGLE = "application/vnd.google-apps."
FOLDER, SHORTCUT, DOCUMENT = f"{GOOGLE}folder", f"{GOOGLE}shortcut", f"{GOOGLE}document"
SECRET = "refresh-me"


def user(address: str, role: str = "reader", **more: object) -> JsonObject:
    return {"id": f"u-{address}", "type": "user", "role": role, "emailAddress": address, **more}


def group(address: str) -> JsonObject:
    return {"id": f"g-{address}", "type": "group", "role": "reader", "emailAddress": address}


def domain(name: str, *, found: bool = True) -> JsonObject:
    grant = {"id": f"d-{name}", "type": "domain", "role": "reader", "domain": name}
    return {**grant, "allowFileDiscovery": found}


def anyone(*, found: bool = True) -> JsonObject:
    return {"id": "anyone", "type": "anyone", "role": "reader", "allowFileDiscovery": found}


@dataclass
class Item:
    """A file or folder; `grants` are given on it, and hold for what is below it too."""

    id: str
    name: str
    kind: str = "text/plain"
    parent: str | None = None
    grants: list[JsonObject] = field(default_factory=list)
    data: bytes = b""
    drive: str | None = None
    modified: str = "2026-03-04T05:06:07.890Z"
    is_trashed: bool = False
    is_limited: bool = False
    is_shareable: bool = True
    may_download: bool = True
    target: str | None = None


class DriveSite(VendorSite):
    """Items by id; `drives` are shared ones, with their members."""

    proof = "Bearer access-1"
    at_once = 2

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[str, Item] = {}
        self.drives: dict[str, list[JsonObject]] = {}
        self.groups: dict[str, list[JsonObject]] = {}
        self.tokens = 0
        self.forgets = self.is_incomplete = False
        self.assertions: list[str] = []

    def add(self, item: Item) -> Item:
        self.items[item.id] = item
        return item

    def bodies(self) -> list[str]:
        """The ids of the files that were fetched."""
        return [
            asked.path.split("/")[4]
            for asked in self.asked
            if asked.path.endswith("/export") or asked.query.get("alt") == "media"
        ]

    def routes(self) -> Routes:
        return {
            "drive/v3/drives": self.get_drives,
            "drive/v3/files": self.get_files,
            "drive/v3/files/([^/]+)": self.get_file,
            "drive/v3/files/([^/]+)/export": self.get_export,
            "drive/v3/files/([^/]+)/permissions": self.get_permissions,
            "directory/groups/([^/]+)/members": self.get_members,
            "token": self.post_token,
        }

    def check(self, asked: Asked) -> None:
        if asked.path != "/token":
            super().check(asked)

    def post_token(self, asked: Asked) -> JsonObject:
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        if form["grant_type"] == "refresh_token":
            if (form["refresh_token"], form["client_id"]) != (SECRET, "app"):
                raise RefusedError(400, error="invalid_grant")
        else:
            assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
            self.assertions.append(form["assertion"])
        self.tokens += 1
        return {"access_token": "access-1", "expires_in": 3599, "token_type": "Bearer"}

    def get_drives(self, asked: Asked) -> JsonObject:
        assert 1 <= int(asked.query["pageSize"]) <= 100
        drives = [{"id": id_, "name": f"Drive {id_}"} for id_ in self.drives]
        return self.part(asked, "drives", drives)

    def part(self, asked: Asked, name: str, shown: list[JsonObject]) -> JsonObject:
        start = int(asked.query.get("pageToken", "p0").removeprefix("p"))
        stop = start + self.at_once
        further = {"nextPageToken": f"p{stop}"} if stop < len(shown) else {}
        return {name: shown[start:stop], **further}

    def get_files(self, asked: Asked) -> JsonObject:
        assert 1 <= int(asked.query["pageSize"]) <= 1000
        if self.forgets and "pageToken" in asked.query:
            raise RefusedError(400, "Invalid Value", location="pageToken")
        rules = [rule.split(" ", 2) for rule in asked.query["q"].split(" and ")]
        assert rules.pop(0) == ["trashed", "=", "false"]
        found = [
            item
            for item in self.items.values()
            if item.drive == asked.query.get("driveId")
            and not self.is_in_bin(item)
            and all((item.kind == kind[1:-1]) == (sign == "=") for _, sign, kind in rules)
        ]
        if "driveId" in asked.query:
            assert asked.query["corpora"] == "drive"
            assert asked.query["includeItemsFromAllDrives"] == "true"
            assert asked.query["supportsAllDrives"] == "true"
        answer = self.part(asked, "files", [self.shown(item, asked) for item in found])
        return {**answer, "incompleteSearch": self.is_incomplete}

    def above(self, item: Item) -> list[Item]:
        parent = self.items.get(item.parent or "")
        return [] if parent is None else [parent, *self.above(parent)]

    def is_in_bin(self, item: Item) -> bool:
        return item.is_trashed or any(above.is_trashed for above in self.above(item))

    def shown(self, item: Item, asked: Asked) -> JsonObject:
        """Only what the fields name is told of a file."""
        is_own = item.drive is None
        is_file = not item.kind.startswith(GOOGLE)
        known: JsonObject = {
            "id": item.id,
            "name": item.name,
            "mimeType": item.kind,
            "parents": [item.parent] if item.parent else None,
            "driveId": item.drive,
            "trashed": self.is_in_bin(item),
            "modifiedTime": item.modified,
            "md5Checksum": hashlib.md5(item.data).hexdigest() if is_file else None,  # noqa: S324
            "webViewLink": f"https://docs.example/d/{item.id}",
            "owners": [{"displayName": "Ada Lovelace"}] if is_own else None,
            "lastModifyingUser": {"displayName": "Bob"},
            "capabilities": {"canDownload": item.may_download},
            "hasAugmentedPermissions": None if is_own else bool(item.grants),
            "inheritedPermissionsDisabled": item.is_limited,
            "permissions": self.granted(item) if is_own and item.is_shareable else None,
        }
        if item.target:
            kind = self.items[item.target].kind if item.target in self.items else DOCUMENT
            known["shortcutDetails"] = {"targetId": item.target, "targetMimeType": kind}
        names = set(re.findall(r"\w+", asked.query["fields"]))
        return {name: value for name, value in known.items() if name in names and value is not None}

    def granted(self, item: Item) -> list[JsonObject]:
        """All permissions that hold on a file, and whether they come from above."""
        inherited = [grant for above in self.above(item) for grant in above.grants]
        inherited += self.drives.get(item.drive or "", [])
        shown = [{**grant, "permissionDetails": [{"inherited": False}]} for grant in item.grants]
        shown += [{**grant, "permissionDetails": [{"inherited": True}]} for grant in inherited]
        return shown

    def found(self, id_: str) -> Item:
        if id_ not in self.items:
            raise RefusedError(404, "File not found", reason="notFound")
        return self.items[id_]

    def get_file(self, asked: Asked, id_: str) -> JsonObject | bytes:
        item = self.found(id_)
        assert item.drive is None or asked.query["supportsAllDrives"] == "true"
        if asked.query.get("alt") != "media":
            return self.shown(item, asked)
        if item.kind.startswith(GOOGLE):
            raise RefusedError(403, reason="fileNotDownloadable")
        return item.data

    def get_export(self, asked: Asked, id_: str) -> Told:
        item = self.found(id_)
        if not item.kind.startswith(GOOGLE) or len(item.data) > 1000:
            raise RefusedError(403, "too large", reason="exportSizeLimitExceeded")
        return Told(item.data, headers={"Content-Type": asked.query["mimeType"]})

    def get_permissions(self, asked: Asked, id_: str) -> JsonObject:
        if id_ in self.drives:
            return self.part(asked, "permissions", self.drives[id_])
        item = self.found(id_)
        if not item.is_shareable:
            raise RefusedError(403, reason="insufficientFilePermissions")
        return self.part(asked, "permissions", self.granted(item))

    def get_members(self, asked: Asked, address: str) -> JsonObject:
        assert int(asked.query["maxResults"]) <= 200
        assert asked.query["includeDerivedMembership"] == "true"
        if address not in self.groups:
            raise RefusedError(404, reason="notFound")
        return self.part(asked, "members", self.groups[address])

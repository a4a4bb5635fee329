"""Sites and drives on localhost that answer as version 1.0 of Microsoft Graph is documented."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

from tests.retrieval.sources.site import Asked, Told
from tests.retrieval.sources.vendor_site import JsonObject, RefusedError, Routes, VendorSite

SECRET = "s3cret"


def to_user(id_: str, address: str | None = None, **more: object) -> JsonObject:
    told = {"id": id_, "displayName": id_, **({"email": address} if address else {})}
    return {"id": f"p-{id_}", "roles": ["read"], "grantedToV2": {"user": told}, **more}


def to_group(id_: str) -> JsonObject:
    group = {"id": id_, "displayName": id_.upper()}
    return {"id": f"p-{id_}", "roles": ["write"], "grantedToV2": {"group": group}}


def to_login(login: str, **more: object) -> JsonObject:
    user = {"id": "9", "displayName": login, "loginName": login, **more}
    return {"id": f"p-{login}", "roles": ["read"], "grantedToV2": {"siteUser": user}}


def to_site_group(name: str) -> JsonObject:
    group = {"id": "5", "displayName": name, "loginName": name}
    return {"id": f"p-{name}", "roles": ["read"], "grantedToV2": {"siteGroup": group}}


def by_link(scope: str, *users: JsonObject, **more: object) -> JsonObject:
    several = [user["grantedToV2"] for user in users]
    link = {"type": "view", "scope": scope}
    return {"id": scope, "roles": ["read"], "link": link, "grantedToIdentitiesV2": several, **more}


@dataclass
class GraphFile:
    id: str
    name: str
    data: bytes = b""
    permissions: list[JsonObject] = field(default_factory=list)
    drive: str = "b!1"
    is_folder: bool = False
    is_deleted: bool = False
    version: int = 1
    more: JsonObject = field(default_factory=dict)


class GraphSite(VendorSite):
    """Files by id. `busy` are those whose permissions cannot be told in a batch just now."""

    proof = "Bearer access-1"
    at_once = 2

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, GraphFile] = {}
        self.sites = {"team.sharepoint.com/sites/HR": ("HR", ["b!1"])}
        self.users = {"ada": "ada@acme.example", "bob": "bob@acme.example", "eve": None}
        self.drives_of: dict[str, str] = {}
        self.groups: dict[str, list[str]] = {}
        self.hidden: set[str] = set()
        self.busy: set[str] = set()
        self.forgets = False

    def add(self, file: GraphFile) -> GraphFile:
        self.files[file.id] = file
        return file

    def bodies(self) -> list[str]:
        """The ids of the files that were fetched."""
        return [a.path.split("/")[5] for a in self.asked if a.path.endswith("/content")]

    def routes(self) -> Routes:
        return {
            "(t3nant)/oauth2/v2.0/token": self.post_token,
            "v1.0/sites/(?!site-)([^:/]+)(?::(/.+))?": self.get_site,
            "v1.0/sites/site-([^/]+)/drives": self.get_drives,
            "v1.0/users/([^/]+)/drive": self.get_drive,
            "v1.0/users/([^/]+)": self.get_user,
            "v1.0/drives/([^/]+)/root/delta": self.get_delta,
            "v1.0/drives/([^/]+)/items/([^/]+)": self.get_item,
            "v1.0/drives/([^/]+)/items/([^/]+)/permissions": self.get_permissions,
            "v1.0/drives/([^/]+)/items/([^/]+)/content": self.get_content,
            "v1.0/groups/([^/]+)/(transitiveMembers|owners)": self.get_members,
            r"v1.0/\$batch": self.post_batch,
            "download/([^/]+)": self.get_download,
        }

    def check(self, asked: Asked) -> None:
        if asked.path.startswith("/v1.0/"):
            super().check(asked)

    def post_token(self, asked: Asked, _tenant: str) -> JsonObject:
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        assert form["scope"] == f"{self.url}/.default"
        if (form["grant_type"], form["client_secret"]) != ("client_credentials", SECRET):
            raise RefusedError(401, error="invalid_client")
        return {"access_token": "access-1", "expires_in": 3599, "token_type": "Bearer"}

    def part(self, asked: Asked, shown: list[JsonObject]) -> JsonObject:
        start = int(asked.query.get("$skiptoken", 0))
        stop = start + self.at_once
        answer: JsonObject = {"value": shown[start:stop]}
        if stop < len(shown):
            further = urlencode({**asked.query, "$skiptoken": stop})
            answer["@odata.nextLink"] = f"{self.url}{asked.path}?{further}"
        return answer

    def get_site(self, _asked: Asked, host: str, path: str = "") -> JsonObject:
        name = f"{host}{path}"
        if name not in self.sites:
            raise RefusedError(404, code="itemNotFound")
        return {"id": f"site-{self.sites[name][0]}", "displayName": self.sites[name][0]}

    def get_drives(self, asked: Asked, name: str) -> JsonObject:
        drives = next(drives for site, drives in self.sites.values() if site == name)
        return self.part(asked, [{"id": id_, "name": "Documents"} for id_ in drives])

    def get_drive(self, _asked: Asked, user: str) -> JsonObject:
        if user not in self.drives_of:
            raise RefusedError(404, code="itemNotFound")
        return {"id": self.drives_of[user]}

    def get_user(self, asked: Asked, id_: str) -> JsonObject:
        if id_ not in self.users:
            raise RefusedError(404, code="Request_ResourceNotFound")
        assert asked.query["$select"] == "id,mail,userPrincipalName"
        return self.person(id_)

    def person(self, id_: str) -> JsonObject:
        return {
            "@odata.type": "#microsoft.graph.user",
            "id": id_,
            "mail": self.users[id_],
            "userPrincipalName": id_,
        }

    def get_delta(self, asked: Asked, drive: str) -> JsonObject:
        if self.forgets and "$skiptoken" in asked.query:
            raise RefusedError(410, code="resyncRequired")
        root: JsonObject = {"id": "root", "name": "root", "root": {}, "folder": {}}
        found = [self.shown(file) for file in self.files.values() if file.drive == drive]
        answer = self.part(asked, [root, *found])
        if "@odata.nextLink" not in answer:
            answer["@odata.deltaLink"] = f"{self.url}{asked.path}?token=latest"
        return answer

    def shown(self, file: GraphFile) -> JsonObject:
        if file.is_deleted:
            return {"id": file.id, "deleted": {"state": "deleted"}}
        kind = {"folder": {"childCount": 1}} if file.is_folder else {"file": {"mimeType": "x/y"}}
        return {
            "id": file.id,
            "name": file.name,
            "cTag": f"c:{file.id},{file.version}",
            "lastModifiedDateTime": f"2026-03-{file.version:02}T05:06:07Z",
            "webUrl": f"https://team.sharepoint.com/{file.id}",
            "createdBy": {"user": {"displayName": "Ada Lovelace"}},
            **kind,
            **file.more,
        }

    def found(self, id_: str) -> GraphFile:
        if id_ not in self.files or self.files[id_].is_deleted:
            raise RefusedError(404, code="itemNotFound")
        return self.files[id_]

    def get_item(self, _asked: Asked, _drive: str, id_: str) -> JsonObject:
        return self.shown(self.found(id_))

    def get_permissions(self, asked: Asked, _drive: str, id_: str) -> JsonObject:
        if id_ in self.hidden:
            raise RefusedError(403, code="accessDenied")
        return self.part(asked, self.found(id_).permissions)

    def post_batch(self, asked: Asked) -> JsonObject:
        requests = asked.json()["requests"]
        assert 1 <= len(requests) <= 20
        answers = []
        for request in reversed(requests):  # in no order that could be relied on
            assert request["url"].startswith("/drives/")
            if request["id"] in self.busy:
                told = Told({"code": "activityLimitReached"}, 429)
            else:
                inner = Asked("GET", f"/v1.0{request['url']}", {}, {"authorization": self.proof})
                try:
                    told = self.routed(inner)
                except RefusedError as refusal:
                    told = refusal.told
            answers.append({"id": request["id"], "status": told.status, "body": told.body})
        return {"responses": answers}

    def get_content(self, _asked: Asked, _drive: str, id_: str) -> Told:
        self.found(id_)
        return Told(status=302, headers={"Location": f"{self.url}/download/{id_}"})

    def get_download(self, _asked: Asked, id_: str) -> bytes:
        return self.files[id_].data

    def get_members(self, asked: Asked, id_: str, kind: str) -> JsonObject:
        name = id_ if kind == "transitiveMembers" else f"{id_} owners"
        if name not in self.groups:
            raise RefusedError(404, code="Request_ResourceNotFound")
        assert asked.query["$select"] == "id,mail,userPrincipalName"
        inner = {"@odata.type": "#microsoft.graph.group", "id": "inner"}
        return self.part(asked, [inner, *map(self.person, self.groups[name])])

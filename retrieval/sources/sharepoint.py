"""SharePoint and OneDrive, by Microsoft Graph: the files in sites' libraries and people's drives.

Each file is for those whom its permissions name; a link alone opens it to nobody else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr

from retrieval.errors import ChangedError, CursorExpiredError, SourceError
from retrieval.models.client import JsonObject
from retrieval.sources.client import HttpClient
from retrieval.sources.connector import (
    Omission,
    Options,
    Page,
    Readers,
    Remote,
    SourceSettings,
    may_all,
)
from retrieval.sources.vendors import (
    NOBODY,
    UNSEEN,
    BearerToken,
    Unmatched,
    either,
    is_past,
    mail_of,
    path_part,
    utc,
)

_FIELDS = (
    "id,name,file,folder,package,deleted,cTag,size,lastModifiedDateTime,webUrl,createdBy,"
    "lastModifiedBy,parentReference,malware"
)
_IN_A_BATCH = 20
_PEOPLE_AT_ONCE = 999
_NEXT = "@odata.nextLink"
_USER = "#microsoft.graph.user"
_WITH_MAIL = {"$select": "id,mail,userPrincipalName"}
# How SharePoint calls those who log in; the rest of the name is an address or a group's id.
_MEMBER = re.compile(r"i:0#\.f\|membership\|(?P<mail>.+)")
_GROUP = re.compile(
    r"c:0(?:o\.c\|federateddirectory|t\.c\|tenant)\|(?P<id>[0-9a-f-]{36})(?P<own>_o)?"
)
_EVERYBODY = ("c:0(.s|true", "c:0-.f|rolemanager|spo-grid-all-users/")


class SharePointOptions(Options):
    """What `[sources.NAME]` says of sites and drives."""

    tenant: str = Field(description="the directory's id")
    client_id: str = Field(description="the registered application's id")
    secret: SecretStr = Field(description="the application's secret")
    sites: tuple[str, ...] = Field(
        (), description="addresses such as https://team.sharepoint.com/sites/HR"
    )
    users: tuple[str, ...] = Field((), description="user names whose OneDrive is read")
    site_groups: dict[str, str] = Field(
        default_factory=dict,
        description="names of SharePoint's own groups to ids of groups in Entra, or `everybody`",
    )
    links: bool = Field(False, description="whether a link that opens a file is for everybody")
    url: str = Field("https://graph.microsoft.com/v1.0/", description="the API's address")
    login_url: str = Field("https://login.microsoftonline.com/", description="where tokens are had")


def connect(source: SourceSettings) -> SharePoint:
    """The connector of sites and drives."""
    options = source.read(SharePointOptions)
    form = {
        "grant_type": "client_credentials",
        "client_id": options.client_id,
        "client_secret": options.secret.get_secret_value(),
        "scope": f"{'/'.join(options.url.split('/')[:3])}/.default",
    }
    address = f"{options.login_url}{quote(options.tenant, safe='')}/oauth2/v2.0/token"
    token = BearerToken(address, lambda: form)
    return SharePoint(options, HttpClient(options.url, credentials=token.headers), token)


class SharePoint:
    """Lists drive by drive, with who may read each file."""

    def __init__(self, options: SharePointOptions, http: HttpClient, token: BearerToken) -> None:
        self._options, self._http, self._token = options, http, token
        self._forget()

    def _forget(self) -> None:
        """What is known of people is asked anew at each sync."""
        self._unmatched = Unmatched()
        self._groups: dict[str, Readers] = {}
        self._people: dict[str, Readers] = {}

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """All that there is, from where the cursor says on."""
        self._forget()
        begun, link = json.loads(cursor) if cursor else ("", "")
        missing: list[Omission] = []
        drives = dict(sorted(self._drives(missing)))
        for id_, name in drives.items():
            if id_ > begun or (id_ == begun and link):
                yield from self._drive(id_, name, link if id_ == begun else "")
        yield Page(left_out=[*missing, *self._unmatched.told()])

    def body(self, document: Remote) -> bytes:
        """A file as it is."""
        drive, item = document.key.split("/")
        body = self._http.get(f"{_item(drive, item)}/content").body
        now = self._get(_item(drive, item), {"$select": _FIELDS})
        granted = self._permissions(drive, [item]).get(item, ())
        readers = either(map(self._granted_by, granted))
        if _version(now) != document.version or not may_all(document.readers, readers):
            raise ChangedError
        return body

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._token.close()

    def _drives(self, missing: list[Omission]) -> Iterator[tuple[str, str]]:
        """Ids and names; what is not found is added to those that are missing."""
        for address in self._options.sites:
            parts = urlsplit(address)
            path = f":{quote(parts.path.rstrip('/'))}" if parts.path.strip("/") else ""
            try:
                site = self._get(f"sites/{parts.netloc}{path}", {})
                for drive in self._all(f"sites/{site['id']}/drives", {"$select": "id,name"}):
                    yield drive["id"], f"{site['displayName']}/{drive['name']}"
            except SourceError as error:
                missing.append(_missing(address, error))
        for user in self._options.users:
            try:
                yield self._get(f"users/{quote(user)}/drive", {"$select": "id"})["id"], user
            except SourceError as error:
                missing.append(_missing(user, error))

    def _drive(self, id_: str, name: str, link: str) -> Iterator[Page]:
        start = link or f"drives/{quote(id_)}/root/delta"
        while start:
            try:
                answer = self._get(start, {} if "?" in start else {"$select": _FIELDS})
            except SourceError as error:
                if link and error.status in (400, 404, 410):
                    raise CursorExpiredError(str(error), status=error.status) from error
                raise
            start = answer.get(_NEXT, "")
            items = {item["id"]: item for item in answer["value"]}  # the last one holds
            gone = [f"{id_}/{item['id']}" for item in items.values() if "deleted" in item]
            files = [item for item in items.values() if "file" in item and "deleted" not in item]
            documents, left_out = self._read(id_, name, files)
            yield Page(documents, gone, left_out, json.dumps([id_, start]))

    def _read(
        self, drive: str, name: str, files: Sequence[JsonObject]
    ) -> tuple[list[Remote], list[Omission]]:
        documents: list[Remote] = []
        left_out: list[Omission] = []
        permissions = self._permissions(drive, [file["id"] for file in files])
        for file in files:
            path = "/".join(map(path_part, (*name.split("/"), file["name"])))
            key, granted = f"{drive}/{file['id']}", permissions.get(file["id"])
            readers = None if granted is None else either(map(self._granted_by, granted))
            if granted is None:
                left_out.append(Omission(key, path, UNSEEN))
            elif readers == frozenset():
                left_out.append(Omission(key, path, NOBODY))
            elif "malware" in file:
                left_out.append(Omission(key, path, "holds what Microsoft takes for malware"))
            else:
                documents.append(_remote(key, path, file, readers))
        return documents, left_out

    def _permissions(self, drive: str, ids: Sequence[str]) -> dict[str, list[JsonObject]]:
        """The permissions of items, but for those that have gone or are hidden from us."""
        found: dict[str, list[JsonObject]] = {}
        for start in range(0, len(ids), _IN_A_BATCH):
            part = ids[start : start + _IN_A_BATCH]
            paths = {id_: f"{_item(drive, id_)}/permissions" for id_ in part}
            asked = [{"id": id_, "method": "GET", "url": f"/{paths[id_]}"} for id_ in part]
            answers = self._http.post("$batch", json={"requests": asked}).json()["responses"]
            for answer in answers:
                listed = self._answered(answer, paths[answer["id"]])
                if listed is not None:
                    found[answer["id"]] = listed
        return found

    def _answered(self, answer: JsonObject, path: str) -> list[JsonObject] | None:
        """The list in one answer of several; one that was too much for now is asked for alone."""
        if answer["status"] == 200:
            further = answer["body"].get(_NEXT)
            return [*answer["body"]["value"], *(self._all(further, {}) if further else ())]
        if answer["status"] in (403, 404, 410):
            return None
        try:
            return list(self._all(path, {}))
        except SourceError as error:
            if error.status not in (403, 404, 410):
                raise
            return None

    def _granted_by(self, permission: JsonObject) -> Readers | None:
        is_over = is_past(permission.get("expirationDateTime"))
        roles = permission.get("roles", ())
        if is_over or all("limited" in role.lower() for role in roles):
            return frozenset()
        scope = permission.get("link", {}).get("scope", "users")
        if scope in ("anonymous", "organization"):
            is_open = self._options.links and not permission.get("hasPassword")
            return None if is_open else frozenset()
        several = permission.get("grantedToIdentitiesV2") or permission.get("grantedToIdentities")
        whole = permission.get("grantedToV2") or permission.get("grantedTo") or {}
        return either(map(self._named, [whole, *(several or ())]))

    def _named(self, identity: JsonObject) -> Readers | None:
        """Those whom an identity means, by the first of the ways in which it is told."""
        if group := identity.get("group"):
            return self._in_group(group["id"], group.get("displayName"))
        user = identity.get("user") or {}
        if user.get("id") or user.get("email"):
            return self._person(user)
        if login := (identity.get("siteUser") or {}).get("loginName"):
            return self._logging_in(login, identity["siteUser"])
        if site_group := identity.get("siteGroup"):
            return self._in_site_group(site_group["displayName"])
        return frozenset()

    def _person(self, user: JsonObject) -> Readers:
        mail = mail_of(user.get("email"))
        id_ = user.get("id") or ""
        if not mail and id_ and id_ not in self._people:
            try:
                self._people[id_] = _mail(self._get(f"users/{quote(id_)}", _WITH_MAIL))
            except SourceError as error:
                if error.status not in (403, 404):
                    raise
                self._people[id_] = frozenset()
        mail = mail or self._people.get(id_, mail)
        if not mail:
            self._unmatched.people.add(id_ or user.get("displayName", ""))
        return mail

    def _logging_in(self, login: str, user: JsonObject) -> Readers | None:
        if login.startswith(_EVERYBODY):
            return None
        if group := _GROUP.fullmatch(login):
            return self._in_group(group["id"], user.get("displayName"), owners=bool(group["own"]))
        member = _MEMBER.fullmatch(login)
        mail = mail_of(user.get("email")) or mail_of(member and member["mail"])
        if not mail:
            self._unmatched.people.add(login)
        return mail

    def _in_site_group(self, name: str) -> Readers | None:
        meant = self._options.site_groups.get(name)
        if meant == "everybody":
            return None
        if meant:
            return self._in_group(meant, name)
        self._unmatched.groups.add(name)
        return frozenset()

    def _in_group(self, id_: str, name: str | None, *, owners: bool = False) -> Readers:
        path = f"groups/{quote(id_)}/{'owners' if owners else 'transitiveMembers'}"
        if path not in self._groups:
            try:
                members = list(self._all(path, {**_WITH_MAIL, "$top": _PEOPLE_AT_ONCE}))
            except SourceError as error:
                if error.status not in (403, 404):
                    raise
                members = []
                self._unmatched.groups.add(name or id_)
            people = {m["id"]: _mail(m) for m in members if m.get("@odata.type", _USER) == _USER}
            self._unmatched.people.update(id_ for id_, mail in people.items() if not mail)
            self._groups[path] = frozenset().union(*people.values())
        return self._groups[path]

    def _all(self, path: str, query: Mapping[str, str | int]) -> Iterator[JsonObject]:
        link: str | None = path
        while link:
            answer = self._get(link, query if link == path else {})
            yield from answer["value"]
            link = answer.get(_NEXT)

    def _get(self, path: str, query: Mapping[str, str | int]) -> JsonObject:
        # A link to what comes next has its query already.
        answer: JsonObject = self._http.get(path, params=query or None).json()
        return answer


def _item(drive: str, id_: str) -> str:
    return f"drives/{quote(drive)}/items/{quote(id_)}"


def _mail(person: JsonObject) -> Readers:
    return mail_of(person.get("mail")) or mail_of(person.get("userPrincipalName"))


def _missing(name: str, error: SourceError) -> Omission:
    """What cannot be found, unless it is only not found now."""
    if error.status not in (403, 404):
        raise error
    return Omission(name, name, "is nothing that the application may read")


def _version(file: JsonObject) -> str:
    return file.get("cTag") or f"{file['lastModifiedDateTime']} {file.get('size')}"


def _remote(key: str, name: str, file: JsonObject, readers: Readers | None) -> Remote:
    people = (file.get(by, {}).get("user", {}) for by in ("createdBy", "lastModifiedBy"))
    return Remote(
        key=key,
        version=_version(file),
        name=name,
        title=file["name"],
        modified=utc(file["lastModifiedDateTime"]),
        url=file.get("webUrl"),
        owner=next((p["displayName"] for p in people if p.get("displayName")), None),
        readers=readers,
    )

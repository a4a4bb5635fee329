"""Google Drive: documents, tables and slides as office files, and files as they are.

Each file is for those whom its permissions name; a link alone opens it to nobody else.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from urllib.parse import quote

from pydantic import Field, SecretStr

from retrieval.errors import ChangedError, CursorExpiredError, SettingsError, SourceError
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
    BearerToken,
    Unmatched,
    either,
    is_past,
    mail_of,
    path_part,
    utc,
    who_reads,
)

_GOOGLE = "application/vnd.google-apps."
_FOLDER, _SHORTCUT = f"{_GOOGLE}folder", f"{_GOOGLE}shortcut"
_OFFICE = "application/vnd.openxmlformats-officedocument."
_EXPORTED = {
    f"{_GOOGLE}document": (".docx", f"{_OFFICE}wordprocessingml.document"),
    f"{_GOOGLE}spreadsheet": (".xlsx", f"{_OFFICE}spreadsheetml.sheet"),
    f"{_GOOGLE}presentation": (".pptx", f"{_OFFICE}presentationml.presentation"),
}
_PERMISSION = (
    "id,type,role,emailAddress,domain,allowFileDiscovery,deleted,expirationTime,view,"
    "permissionDetails(inherited)"
)
_FILE = (
    "id,name,mimeType,parents,driveId,trashed,modifiedTime,md5Checksum,headRevisionId,webViewLink,"
    "owners(displayName),lastModifyingUser(displayName),capabilities(canDownload),shortcutDetails,"
    f"hasAugmentedPermissions,inheritedPermissionsDisabled,permissions({_PERMISSION})"
)
_SCOPES = (
    "https://www.googleapis.com/auth/drive.readonly",
    "https://www.googleapis.com/auth/admin.directory.group.member.readonly",
)
_MD5 = re.compile(r"[0-9a-f]{32}")
_AT_ONCE = 1000
_OWN = ""
"""Stands for what is no shared drive's."""
_TOKENS = "https://oauth2.googleapis.com/token"


class DriveOptions(Options):
    """What `[sources.NAME]` says of a Drive."""

    credentials: SecretStr = Field(
        description="the JSON of a service account's key, or of a user's refresh token"
    )
    subject: str | None = Field(
        None, description="whom a service account acts for, by domain-wide delegation"
    )
    drives: tuple[str, ...] = Field(
        (), description="ids of shared drives; none: all, and what is shared with the account"
    )
    folders: tuple[str, ...] = Field((), description="ids; only what is below them is read")
    domains: tuple[str, ...] = Field(
        (), description="domains whose people are everybody at the source"
    )
    links: bool = Field(False, description="whether a link that opens a file is for everybody")
    groups: bool = Field(False, description="whether groups are looked into, by the Directory API")
    url: str = Field("https://www.googleapis.com/drive/v3/", description="the API's address")
    directory_url: str = Field(
        "https://admin.googleapis.com/admin/directory/v1/", description="that of the Directory API"
    )


def connect(source: SourceSettings) -> Drive:
    """The connector of a Drive."""
    options = source.read(DriveOptions)
    token = _token(options, source.title)
    return Drive(
        options,
        HttpClient(options.url, credentials=token.headers),
        HttpClient(options.directory_url, credentials=token.headers),
        token,
    )


def _token(options: DriveOptions, title: str) -> BearerToken:
    try:
        told: JsonObject = json.loads(options.credentials.get_secret_value())
        kind, address = told["type"], str(told.get("token_uri", _TOKENS))
    except (ValueError, TypeError, KeyError) as error:
        raise SettingsError(f"{title} credentials is no JSON with a type in it") from error
    if kind == "authorized_user":
        names = ("client_id", "client_secret", "refresh_token")
        form = {"grant_type": "refresh_token", **{name: str(told.get(name)) for name in names}}
        return BearerToken(address, lambda: form)
    if kind == "service_account":
        return BearerToken(address, lambda: _signed(told, address, options))
    raise SettingsError(f"{title} credentials are of a type that is not known: {kind}")


def _signed(told: JsonObject, address: str, options: DriveOptions) -> dict[str, str]:
    """What a service account asks for a token with."""
    try:
        from google.auth import crypt, jwt
    except ImportError as error:
        raise SettingsError(
            "a service account's key wants a library: pip install google-auth"
        ) from error
    try:
        signer, issuer = crypt.RSASigner.from_service_account_info(told), told["client_email"]
    except (ValueError, KeyError) as error:
        raise SettingsError("credentials hold no key of a service account") from error
    now = int(time.time())
    said = {
        "iss": issuer,
        "aud": address,
        "scope": " ".join(_SCOPES if options.groups else _SCOPES[:1]),
        "iat": now,
        "exp": now + 3600,
        **({"sub": options.subject} if options.subject else {}),
    }
    return {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": bytes(jwt.encode(signer, said)).decode(),
    }


class Drive:
    """Lists what an account sees, shared drive by shared drive, with who may read each file."""

    def __init__(
        self, options: DriveOptions, files: HttpClient, directory: HttpClient, token: BearerToken
    ) -> None:
        self._options, self._http, self._directory, self._token = options, files, directory, token
        self._forget()

    def _forget(self) -> None:
        """What is known of people and folders is asked anew at each sync."""
        self._unmatched = Unmatched()
        self._groups: dict[str, Readers | None] = {}
        self._folders: dict[str, JsonObject] = {}
        self._readers: dict[str, Readers | None] = {}

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """All that there is, from where the cursor says on."""
        self._forget()
        begun = json.loads(cursor) if cursor else (_OWN, 0, "")
        place, token = (begun[0], begun[1]), begun[2]
        known = {drive["id"]: drive for drive in self._all("drives", {"pageSize": 100}, "drives")}
        self._folders |= known
        self._drives = sorted(set(self._options.drives or known) & known.keys())
        corpora = self._drives if self._options.drives else [_OWN, *self._drives]
        kinds = [(corpus, number) for corpus in corpora for number in (0, 1)]
        for at, following in pairwise([*kinds, None]):
            if at is not None and at >= place:
                yield from self._corpus(*at, token if at == place else "", following)
        missing = [
            Omission(id_, id_, "is no shared drive that the account is in")
            for id_ in self._options.drives
            if id_ not in known
        ]
        yield Page(left_out=[*missing, *self._unmatched.told()])

    def body(self, document: Remote) -> bytes:
        """A file as it is, or what Google makes of one of its own."""
        path = f"files/{document.key}"
        kind = next((k for s, k in _EXPORTED.values() if document.version.endswith(f" {s}")), None)
        if kind:
            data = self._exported(path, kind)
        else:
            data = self._http.get(path, params={"alt": "media", "supportsAllDrives": "true"}).body
        listed = document.version.partition(" ")[0]
        if (
            _MD5.fullmatch(listed)
            and listed != hashlib.md5(data, usedforsecurity=False).hexdigest()
        ):
            raise ChangedError
        now = self._get(path, {"fields": _FILE, "supportsAllDrives": "true"})
        readers = self._granted(now, self._permissions(now))
        if _version(now) != document.version or not may_all(document.readers, readers):
            raise ChangedError
        return data

    def _exported(self, path: str, kind: str) -> bytes:
        try:
            return self._http.get(f"{path}/export", params={"mimeType": kind}).body
        except SourceError as error:
            if error.status == 403:
                reason = "Google does not export it; 10 MB are the most"
                raise SourceError(reason) from error
            raise

    def close(self) -> None:
        """Close the connections."""
        for client in (self._http, self._directory, self._token):
            client.close()

    def _corpus(
        self, corpus: str, number: int, token: str, following: tuple[str, int] | None
    ) -> Iterator[Page]:
        """The files of a drive, or at number 1 what its shortcuts lead to elsewhere."""
        self._find_folders(corpus)
        is_of = f"mimeType {'=' if number else '!='} '{_SHORTCUT}'"
        asked = f"trashed = false and mimeType != '{_FOLDER}' and {is_of}"
        while True:
            answer = self._listed(corpus, asked, token)
            token = answer.get("nextPageToken", "")
            place = [corpus, number, token] if token else [*following, ""] if following else None
            found = self._targets(answer["files"]) if number else self._wanted(answer["files"])
            documents, left_out = self._read(found)
            yield Page(documents, left_out=left_out, cursor=json.dumps(place) if place else None)
            if not token:
                return

    def _find_folders(self, corpus: str) -> None:
        token = ""
        asked = f"trashed = false and mimeType = '{_FOLDER}'"
        while True:
            answer = self._listed(corpus, asked, token)
            self._folders |= {folder["id"]: folder for folder in answer["files"]}
            token = answer.get("nextPageToken", "")
            if not token:
                return

    def _listed(self, corpus: str, asked: str, token: str) -> JsonObject:
        query: dict[str, str | int] = {
            "q": asked,
            "pageSize": _AT_ONCE,
            "fields": f"nextPageToken,incompleteSearch,files({_FILE})",
            "supportsAllDrives": "true",
            **({"pageToken": token} if token else {}),
        }
        if corpus != _OWN:
            query |= {"corpora": "drive", "driveId": corpus, "includeItemsFromAllDrives": "true"}
        try:
            answer = self._get("files", query)
        except SourceError as error:
            if token and error.status in (400, 404, 410):
                raise CursorExpiredError(str(error), status=error.status) from error
            raise
        if answer.get("incompleteSearch"):
            raise SourceError("Google Drive did not search everything; the next sync may")
        return answer

    def _wanted(self, files: Iterable[JsonObject]) -> list[JsonObject]:
        wanted = self._options.folders
        return [
            file
            for file in files
            if not wanted or any(folder["id"] in wanted for folder in self._above(file))
        ]

    def _targets(self, shortcuts: Iterable[JsonObject]) -> Iterator[JsonObject]:
        """What shortcuts lead to, unless it is listed anyway or cannot be seen."""
        for shortcut in self._wanted(shortcuts):
            details = shortcut.get("shortcutDetails", {})
            if details.get("targetMimeType") == _FOLDER or "targetId" not in details:
                continue
            query = {"fields": _FILE, "supportsAllDrives": "true"}
            try:
                file = self._get(f"files/{details['targetId']}", query)
            except SourceError as error:
                if error.status not in (403, 404):
                    raise
                continue
            is_own = not file.get("driveId") and not self._options.drives
            is_listed = (is_own or file.get("driveId") in self._drives) and self._wanted([file])
            if not is_listed and not file.get("trashed"):
                yield file

    def _above(self, file: JsonObject) -> Iterator[JsonObject]:
        """The folders that a file is in, from the lowest on, and the shared drive."""
        seen: set[str] = set()
        while (id_ := _parent(file)) in self._folders and id_ not in seen:
            seen.add(id_)
            file = self._folders[id_]
            yield file

    def _read(self, files: Iterable[JsonObject]) -> tuple[list[Remote], list[Omission]]:
        documents: list[Remote] = []
        left_out: list[Omission] = []
        for file in files:
            name = self._name(file)
            reason, readers = _unreadable(file), None
            if reason is None:
                readers, reason = who_reads(partial(self._readers_of, file))
            if reason is None:
                documents.append(_remote(file, name, readers))
            else:
                left_out.append(Omission(file["id"], name, reason))
        return documents, left_out

    def _name(self, file: JsonObject) -> str:
        parts = [path_part(folder["name"]) for folder in self._above(file)]
        suffix = _EXPORTED.get(file["mimeType"], ("",))[0]
        return "/".join((*reversed(parts), f"{path_part(file['name'])}{suffix}"))

    def _readers_of(self, item: JsonObject) -> Readers | None:
        """Who may read a file, a folder or all of a shared drive."""
        if item["id"] not in self._readers:
            self._readers[item["id"]] = self._asked_readers_of(item)
        return self._readers[item["id"]]

    def _asked_readers_of(self, item: JsonObject) -> Readers | None:
        # In a shared drive most files have their folder's permissions, which need one request.
        has_own = item.get("hasAugmentedPermissions") or item.get("inheritedPermissionsDisabled")
        parent = self._folders.get(_parent(item))
        if item.get("driveId") and parent is not None and not has_own:
            return self._readers_of(parent)
        return self._granted(item, self._permissions(item))

    def _permissions(self, item: JsonObject) -> Iterable[JsonObject]:
        if "permissions" in item and not item.get("driveId"):
            listed: Sequence[JsonObject] = item["permissions"]
            return listed
        query = {"fields": f"nextPageToken,permissions({_PERMISSION})", "supportsAllDrives": "true"}
        return self._all(f"files/{item['id']}/permissions", query, "permissions")

    def _granted(self, item: JsonObject, permissions: Iterable[JsonObject]) -> Readers | None:
        is_limited = bool(item.get("inheritedPermissionsDisabled"))
        return either(
            [
                self._granted_by(permission)
                for permission in permissions
                if not permission.get("deleted")
                and not permission.get("view")
                and not is_past(permission.get("expirationTime"))
                and not (is_limited and _is_inherited(permission))
            ]
        )

    def _granted_by(self, permission: JsonObject) -> Readers | None:
        kind, nobody = permission["type"], Readers()
        is_found = permission.get("allowFileDiscovery") or self._options.links
        if kind == "anyone":
            return None if is_found else nobody
        if kind == "domain":
            return self._everybody_at(permission["domain"]) if is_found else nobody
        address = permission.get("emailAddress", "")
        if kind == "group":
            if address not in self._groups:
                self._groups[address] = self._members(address)
            return self._groups[address]
        mail = mail_of(address)
        if not mail:
            self._unmatched.people.add(permission["id"])
        return mail

    def _everybody_at(self, domain: str) -> Readers | None:
        if domain.lower() in map(str.lower, self._options.domains):
            return None
        self._unmatched.groups.add(f"everybody at {domain}")
        return Readers()

    def _members(self, group: str) -> Readers | None:
        if not self._options.groups:
            self._unmatched.groups.add(group)
            return Readers()
        path = f"groups/{quote(group, safe='')}/members"
        query: dict[str, str | int] = {"includeDerivedMembership": "true", "maxResults": 200}
        try:
            members = list(self._all(path, query, "members", http=self._directory))
        except SourceError as error:
            if error.status not in (403, 404):
                raise
            self._unmatched.groups.add(group)
            return Readers()
        domain = group.rpartition("@")[2]
        return either(
            self._everybody_at(domain) if member["type"] == "CUSTOMER" else mail_of(member["email"])
            for member in members
            if member["type"] != "GROUP"  # those in it are listed too
        )

    def _all(
        self,
        path: str,
        query: Mapping[str, str | int],
        name: str,
        *,
        http: HttpClient | None = None,
    ) -> Iterator[JsonObject]:
        token = ""
        while True:
            asked = {**query, "pageToken": token} if token else query
            answer = self._get(path, asked, http=http)
            yield from answer.get(name, ())
            token = answer.get("nextPageToken", "")
            if not token:
                return

    def _get(
        self, path: str, query: Mapping[str, str | int], *, http: HttpClient | None = None
    ) -> JsonObject:
        answer: JsonObject = (http or self._http).get(path, params=query).json()
        return answer


def _parent(item: JsonObject) -> str:
    parents: Sequence[str] = item.get("parents") or ("",)
    return parents[0]


def _is_inherited(permission: JsonObject) -> bool:
    """Whether a permission does not hold where those of the folders above do not."""
    is_kept = permission["role"] in ("owner", "organizer")
    details = permission.get("permissionDetails", ())
    return not is_kept and all(detail.get("inherited", True) for detail in details)


def _unreadable(file: JsonObject) -> str | None:
    kind = file["mimeType"]
    if kind.startswith(_GOOGLE) and kind not in _EXPORTED:
        return f"is of a type of Google's that is not read ({kind.removeprefix(_GOOGLE)})"
    if file.get("capabilities", {}).get("canDownload") is False:
        return "may not be downloaded"
    return None


def _version(file: JsonObject) -> str:
    suffix = _EXPORTED.get(file["mimeType"], ("",))[0]
    content = file.get("md5Checksum") or file.get("headRevisionId") or file["modifiedTime"]
    return f"{content} {suffix}"


def _remote(file: JsonObject, name: str, readers: Readers | None) -> Remote:
    people = [*file.get("owners", ()), file.get("lastModifyingUser") or {}]
    return Remote(
        key=file["id"],
        version=_version(file),
        name=name,
        title=file["name"],
        modified=utc(file["modifiedTime"]),
        url=file.get("webViewLink"),
        owner=next((person["displayName"] for person in people if "displayName" in person), None),
        readers=readers,
    )

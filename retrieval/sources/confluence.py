"""Confluence, in the cloud and on servers: pages, blog posts and the files that hang on them.

Who may read a page may read its space, and is named wherever it or a page above it is restricted.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import Field

from retrieval.errors import ChangedError, CursorExpiredError, SourceError
from retrieval.models.client import JsonObject
from retrieval.sources.atlassian import AtlassianOptions
from retrieval.sources.client import HttpClient
from retrieval.sources.confluence_storage import html_of, people_in
from retrieval.sources.connector import Omission, Page, Readers, Remote, SourceSettings
from retrieval.sources.vendors import (
    NOBODY,
    Unmatched,
    both,
    either,
    mail_of,
    moved_on,
    path_part,
    utc,
    who_reads,
)

_KINDS = ("page", "blogpost", "attachment")
_AT_ONCE = 200
_NAMED_AT_ONCE = 100
_PEOPLE_AT_ONCE = 200
_READ = "restrictions.read.restrictions"
_EXPAND = ",".join(
    (
        *("version", "history", "history.ownedBy", "ancestors"),
        *(f"{of}{_READ}.{whom}" for of in ("", "ancestors.") for whom in ("user", "group")),
    )
)
_EVERYBODY = frozenset(("anonymous-users", "authenticated-users", "all-licensed-users"))
_NOT_PEOPLE = frozenset(("app", "anonymous"))


class ConfluenceOptions(AtlassianOptions):
    """What `[sources.NAME]` says of a wiki."""

    spaces: tuple[str, ...] = Field((), description="keys; none: all but people's own")
    emails: str | None = Field(
        None,
        pattern=r"^[^@\s]*\{username\}[^@\s]*@[^@\s]+$",
        description="on servers, an address for each user, such as {username}@example.com",
    )
    attachments: bool = Field(True, description="whether files on pages are read")


@dataclass(frozen=True, slots=True)
class _Space:
    id: str
    key: str
    is_personal: bool


@dataclass(frozen=True, slots=True)
class _Grant:
    """Somebody who may read a space: a person, a group, or everybody."""

    kind: Literal["user", "group", "everybody"]
    subject: JsonObject


def connect(source: SourceSettings) -> Confluence:
    """The connector of a wiki."""
    options = source.read(ConfluenceOptions)
    http = options.client()
    return Confluence(options, _CloudWiki(http) if options.is_cloud else _ServerWiki(http, options))


class Confluence:
    """Lists a wiki space by space, with who may read each page."""

    def __init__(self, options: ConfluenceOptions, wiki: _Wiki) -> None:
        self._options, self._wiki = options, wiki
        self._kinds = _KINDS if options.attachments else _KINDS[:-1]
        self._forget()

    def _forget(self) -> None:
        """What is known of people is asked anew at each sync."""
        self._unmatched = Unmatched()
        self._groups: dict[str, Readers | None] = {}
        self._restricted_to: dict[str, Readers | None] = {}
        self._readers_of: dict[str, Readers | None] = {}

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """All that there is, from where the cursor says on."""
        self._forget()
        begun_key, *begun = json.loads(cursor) if cursor else ("", 0, "")
        spaces = {space.key: space for space in self._wiki.spaces()}
        known = sorted(space.key for space in spaces.values() if not space.is_personal)
        wanted = sorted(set(self._options.spaces or known))
        for key in wanted:
            if key in spaces and key >= begun_key:
                yield from self._space(spaces[key], *(begun if key == begun_key else (0, "")))
        missing = [
            Omission(key, key, "is no space that the token may read")
            for key in wanted
            if key not in spaces
        ]
        yield Page(left_out=[*missing, *self._unmatched.told()])

    def body(self, document: Remote) -> bytes:
        """A page as HTML, or a file as it is."""
        kind, _, id_ = document.key.partition("/")
        if kind == "attachment":
            page, _, file = id_.partition("/")
            return self._wiki.file(page, file, document.version)
        storage = self._wiki.storage(kind, id_, document.version)
        html = html_of(
            storage,
            wiki=self._options.url,
            space=document.name.partition("/")[0],
            people=self._wiki.names(people_in(storage)),
        )
        return f'<!doctype html><meta charset="utf-8">{html}'.encode()

    def close(self) -> None:
        """Close the connections."""
        self._wiki.close()

    def _space(self, space: _Space, begun_kind: int, begun_query: str) -> Iterator[Page]:
        """The pages of a space, from its kind with this number and a query on."""
        try:
            allowed = either(map(self._readers_by, self._wiki.grants(space)))
        except SourceError as error:
            if error.status not in (403, 404):
                raise
            yield _refused(space, "the token may not see who may read the space")
            return
        if allowed == frozenset():
            yield _refused(space, "nobody who may read the space has an e-mail address")
            return
        for number, kind in enumerate(self._kinds[begun_kind:], start=begun_kind):
            query = begun_query if number == begun_kind else ""
            while True:
                answer = self._listed(space, kind, query)
                query = _next_query(answer)
                place = [space.key, number if query else number + 1, query]
                documents, left_out = self._read(space, allowed, answer)
                yield Page(documents, left_out=left_out, cursor=json.dumps(place))
                if not query:
                    break

    def _listed(self, space: _Space, kind: str, query: str) -> JsonObject:
        try:
            return self._wiki.contents(space, kind, dict(parse_qsl(query)))
        except SourceError as error:
            if query and error.status in (400, 404, 410):
                raise CursorExpiredError(str(error), status=error.status) from error
            raise

    def _read(
        self, space: _Space, allowed: Readers | None, answer: JsonObject
    ) -> tuple[list[Remote], list[Omission]]:
        documents: list[Remote] = []
        left_out: list[Omission] = []
        for content in answer["results"]:
            if content.get("status", "current") != "current":
                continue
            key, name = _key(content), _name(space, content)
            restricted, reason = who_reads(partial(self._restriction_of, content))
            readers = both(allowed, restricted)
            if reason or readers == frozenset():
                left_out.append(Omission(key, name, reason or NOBODY))
                continue
            base = answer.get("_links", {}).get("base") or self._options.url
            documents.append(_remote(key, name, content, base, readers))
        return documents, left_out

    def _restriction_of(self, content: JsonObject) -> Readers | None:
        """Those to whom the page, or what is above it, is restricted; None if it is not."""
        if content["type"] == "attachment":
            return self._restriction_of_page(content["container"])
        is_page = content["type"] == "page"
        if not (is_page or content["type"] == "blogpost") or (
            is_page and "ancestors" not in content
        ):
            raise SourceError("what is above it is not told", status=404)
        readers: Readers | None = None
        for part in (content, *content.get("ancestors", ())):
            readers = both(readers, self._restriction_on(part))
        self._readers_of[content["id"]] = readers
        return readers

    def _restriction_of_page(self, page: JsonObject) -> Readers | None:
        """Those to whom the page of a file is restricted."""
        if page["id"] not in self._readers_of:  # it was listed before an interruption
            self._readers_of[page["id"]] = self._restriction_of(self._wiki.content(page["id"]))
        return self._readers_of[page["id"]]

    def _restriction_on(self, content: JsonObject) -> Readers | None:
        """Those to whom this very page is restricted."""
        id_ = content["id"]
        if id_ not in self._restricted_to:
            read = content.get("restrictions", {}).get("read", {}).get("restrictions", {})
            if not all(_is_whole(read.get(whom)) for whom in ("user", "group")):
                read = self._wiki.restriction(id_)
            people, groups = (read[whom]["results"] for whom in ("user", "group"))
            grants = [_Grant("user", person) for person in people]
            grants += [_Grant("group", group) for group in groups]
            self._restricted_to[id_] = either(map(self._readers_by, grants)) if grants else None
        return self._restricted_to[id_]

    def _readers_by(self, grant: _Grant) -> Readers | None:
        if grant.kind == "everybody":
            return None
        if grant.kind == "user":
            return self._known([grant.subject])
        key = str(grant.subject.get("id") or grant.subject["name"])
        if key not in self._groups:
            self._groups[key] = self._members(grant.subject)
        return self._groups[key]

    def _members(self, group: JsonObject) -> Readers | None:
        try:
            everybody = self._options.everybody
            if everybody and self._wiki.group_name(group) in everybody:
                return None
            return self._known(list(self._wiki.members(group)))
        except SourceError as error:
            if error.status not in (403, 404):
                raise
            self._unmatched.groups.add(str(group.get("name") or group["id"]))
            return frozenset()

    def _known(self, people: Sequence[JsonObject]) -> Readers:
        mails = self._wiki.mails([p for p in people if p.get("accountType") not in _NOT_PEOPLE])
        self._unmatched.people.update(id_ for id_, mail in mails.items() if not mail)
        return frozenset().union(*mails.values())


class _Wiki(ABC):
    """The requests in which the editions differ."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._names: dict[str, str] = {}
        self._mails: dict[str, Readers] = {}

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @abstractmethod
    def spaces(self) -> Iterator[_Space]:
        """The spaces that are not archived."""

    @abstractmethod
    def grants(self, space: _Space) -> Iterator[_Grant]:
        """Who may read a space."""

    @abstractmethod
    def contents(self, space: _Space, kind: str, query: Mapping[str, str]) -> JsonObject:
        """A part of the list of a space's pages, blog posts or files."""

    @abstractmethod
    def content(self, id_: str) -> JsonObject:
        """A page or blog post as it would be listed."""

    @abstractmethod
    def members(self, group: JsonObject) -> Iterator[JsonObject]:
        """The people in a group."""

    @abstractmethod
    def group_name(self, group: JsonObject) -> str:
        """What people call a group."""

    @abstractmethod
    def mails(self, people: Sequence[JsonObject]) -> dict[str, Readers]:
        """Their addresses by what the wiki calls them, empty where there is none to be seen."""

    @abstractmethod
    def names(self, ids: Iterable[str]) -> dict[str, str]:
        """What people are called, where it is known."""

    @abstractmethod
    def storage(self, kind: str, id_: str, version: str) -> str:
        """What stands on a page or blog post in the version that was listed."""

    @abstractmethod
    def file(self, page: str, id_: str, version: str) -> bytes:
        """What is in a file that hangs on a page, in the version that was listed."""

    def restriction(self, id_: str) -> JsonObject:
        """All those who are named where a page is restricted."""
        found: JsonObject = {"user": {"results": []}, "group": {"results": []}}
        start, before = 0, None
        while True:
            answer = self._get(
                f"rest/api/content/{quote(id_, safe='')}/restriction/byOperation/read",
                {
                    "expand": "restrictions.user,restrictions.group",
                    "start": start,
                    "limit": _NAMED_AT_ONCE,
                },
            )
            parts = [answer["restrictions"][whom]["results"] for whom in found]
            moved_on(before, parts if any(parts) else None)
            before = parts
            for whom, part in zip(found.values(), parts, strict=True):
                whom["results"] += part
            if not any(parts):
                return found
            start += max(map(len, parts))

    def _get(self, path: str, query: Mapping[str, str | int]) -> JsonObject:
        answer: JsonObject = self._http.get(path, params=query).json()
        return answer

    def _counted(self, path: str, query: Mapping[str, str | int]) -> Iterator[JsonObject]:
        """All of a list that is paged by numbers."""
        start, before = 0, None
        while True:
            answer = self._get(path, {**query, "start": start, "limit": _PEOPLE_AT_ONCE})
            moved_on(before, answer["results"])
            before = answer["results"]
            yield from answer["results"]
            count = len(answer["results"])
            start += count
            is_last = not _next_query(answer) and count < answer.get("limit", _PEOPLE_AT_ONCE)
            if is_last or not count:
                return

    def _linked(self, path: str, query: Mapping[str, str | int]) -> Iterator[JsonObject]:
        """All of a list whose parts name the next one."""
        while query:
            answer = self._get(path, query)
            yield from answer["results"]
            query = dict(parse_qsl(_next_query(answer)))


class _CloudWiki(_Wiki):
    def spaces(self) -> Iterator[_Space]:
        for space in self._linked("api/v2/spaces", {"limit": 250, "status": "current"}):
            yield _Space(space["id"], space["key"], space.get("type") == "personal")

    def grants(self, space: _Space) -> Iterator[_Grant]:
        for permission in self._linked(f"api/v2/spaces/{space.id}/permissions", {"limit": 250}):
            operation, principal = permission["operation"], permission["principal"]
            if (operation["key"], operation["targetType"]) == ("read", "space"):
                if principal["id"] in _EVERYBODY:
                    yield _Grant("everybody", {})
                elif principal["type"] == "user":
                    yield _Grant("user", {"accountId": principal["id"]})
                else:  # what is no group either has no members
                    yield _Grant("group", {"id": principal["id"]})

    def contents(self, space: _Space, kind: str, query: Mapping[str, str]) -> JsonObject:
        cql = f'space = "{space.key}" and type = {kind} order by created asc'
        return self._get("rest/api/content/search", query or _asked(cql, kind))

    def content(self, id_: str) -> JsonObject:
        found = self._get("rest/api/content/search", _asked(f"id = {int(id_)}", "page"))["results"]
        if not found:
            raise SourceError(f"there is no page {id_}", status=404)
        content: JsonObject = found[0]
        return content

    def members(self, group: JsonObject) -> Iterator[JsonObject]:
        return self._counted(f"rest/api/group/{quote(group['id'], safe='')}/membersByGroupId", {})

    def group_name(self, group: JsonObject) -> str:
        name = group.get("name") or self._get("rest/api/group/by-id", {"id": group["id"]})["name"]
        return str(name)

    def mails(self, people: Sequence[JsonObject]) -> dict[str, Readers]:
        told = {person["accountId"]: mail_of(person.get("email")) for person in people}
        unknown = [id_ for id_, mail in told.items() if not mail and id_ not in self._mails]
        for account in self._accounts(unknown):
            self._mails[account["accountId"]] = mail_of(account.get("email"))
        return {id_: mail or self._mails.get(id_, mail) for id_, mail in told.items()}

    def names(self, ids: Iterable[str]) -> dict[str, str]:
        unknown = sorted(set(ids) - self._names.keys())
        self._names |= {a["accountId"]: a["displayName"] for a in self._accounts(unknown)}
        return self._names

    def _accounts(self, ids: Sequence[str]) -> Iterator[JsonObject]:
        for start in range(0, len(ids), _PEOPLE_AT_ONCE):
            asked = {"accountIds": ids[start : start + _PEOPLE_AT_ONCE]}
            yield from self._http.post("api/v2/users-bulk", json=asked).json()["results"]

    def storage(self, kind: str, id_: str, version: str) -> str:
        return _storage(self._get(f"api/v2/{kind}s/{id_}", {"body-format": "storage"}), version)

    def file(self, page: str, id_: str, version: str) -> bytes:
        path = f"rest/api/content/{page}/child/attachment/{id_}/download"
        return self._http.get(path, params={"version": version}).body


class _ServerWiki(_Wiki):
    def __init__(self, http: HttpClient, options: ConfluenceOptions) -> None:
        super().__init__(http)
        self._emails = options.emails

    def spaces(self) -> Iterator[_Space]:
        for space in self._counted("rest/api/space", {"status": "current"}):
            yield _Space(str(space["id"]), space["key"], space.get("type") == "personal")

    def grants(self, space: _Space) -> Iterator[_Grant]:
        try:
            answer = self._http.get(f"rest/api/space/{quote(space.key)}/permissions").json()
        except SourceError as error:
            if error.status not in (404, 405):
                raise
            yield from self._older_grants(space)  # before 8.9
            return
        for permission in answer:
            operation, subject = permission["operation"], permission.get("subject") or {}
            if (operation["operationKey"], operation["targetType"]) == ("read", "space"):
                if subject.get("type", "anonymous") == "anonymous":
                    yield _Grant("everybody", {})
                elif subject["type"] == "group":
                    name = subject.get("name") or subject["displayName"]
                    yield _Grant("group", {"name": name})
                elif subject.get("username"):
                    yield _Grant("user", subject)

    def _older_grants(self, space: _Space) -> Iterator[_Grant]:
        path = "rpc/json-rpc/confluenceservice-v2/getSpacePermissionSets"
        for permissions in self._http.post(path, json=[space.key]).json():
            if permissions["type"] == "VIEWSPACE":
                for permission in permissions["spacePermissions"]:
                    user, group = permission.get("userName"), permission.get("groupName")
                    if user:
                        yield _Grant("user", {"username": user})
                    elif group:
                        yield _Grant("group", {"name": group})
                    else:
                        yield _Grant("everybody", {})

    def contents(self, space: _Space, kind: str, query: Mapping[str, str]) -> JsonObject:
        if kind == "attachment":
            cql = f'space = "{space.key}" and type = attachment order by created asc'
            return self._get("rest/api/content/search", query or _asked(cql, kind))
        asked = {"spaceKey": space.key, "type": kind, "status": "current", "expand": _EXPAND}
        return self._get("rest/api/content", query or {**asked, "start": 0, "limit": _AT_ONCE})

    def content(self, id_: str) -> JsonObject:
        return self._get(f"rest/api/content/{id_}", {"expand": _EXPAND})

    def members(self, group: JsonObject) -> Iterator[JsonObject]:
        return self._counted(f"rest/api/group/{quote(group['name'], safe='')}/member", {})

    def group_name(self, group: JsonObject) -> str:
        return str(group["name"])

    def mails(self, people: Sequence[JsonObject]) -> dict[str, Readers]:
        return {person["username"]: self._mail(person["username"]) for person in people}

    def _mail(self, username: str) -> Readers:
        if self._emails:
            return mail_of(self._emails.replace("{username}", username))
        if username not in self._mails:
            try:
                profile = self._get(f"rest/mobile/1.0/profile/{quote(username, safe='')}", {})
            except SourceError as error:
                if error.status not in (403, 404):
                    raise
                profile = {}
            self._mails[username] = mail_of(profile.get("email"))
        return self._mails[username]

    def names(self, ids: Iterable[str]) -> dict[str, str]:
        for id_ in set(ids) - self._names.keys():
            for by in ("key", "username"):
                try:
                    self._names[id_] = self._get("rest/api/user", {by: id_})["displayName"]
                    break
                except SourceError as error:
                    if error.status not in (403, 404):
                        raise
        return self._names

    def storage(self, kind: str, id_: str, version: str) -> str:  # noqa: ARG002 - all alike here
        answer = self._get(f"rest/api/content/{id_}", {"expand": "body.storage,version"})
        return _storage(answer, version)

    def file(self, page: str, id_: str, version: str) -> bytes:  # noqa: ARG002 - as above
        answer = self._get(f"rest/api/content/{id_}", {"expand": "version"})
        _check_version(answer, version)
        return self._http.get(answer["_links"]["download"].lstrip("/")).body


def _storage(answer: JsonObject, version: str) -> str:
    _check_version(answer, version)
    return str(answer["body"]["storage"]["value"])


def _check_version(answer: JsonObject, version: str) -> None:
    if "version" in answer and str(answer["version"]["number"]) != version:
        raise ChangedError


def _asked(cql: str, kind: str) -> dict[str, str | int]:
    expand = "version,history,container" if kind == "attachment" else _EXPAND
    return {"cql": cql, "expand": expand, "limit": _AT_ONCE}


def _next_query(answer: JsonObject) -> str:
    # Of the address only this much is the same, whichever way the wiki is reached.
    return urlsplit(answer.get("_links", {}).get("next") or "").query


def _is_whole(listed: JsonObject | None) -> bool:
    """Whether a list within another one was given to its end."""
    return listed is not None and len(listed["results"]) < listed.get("limit", _NAMED_AT_ONCE)


def _key(content: JsonObject) -> str:
    within = f"{content['container']['id']}/" if content["type"] == "attachment" else ""
    return f"{content['type']}/{within}{content['id']}"


def _name(space: _Space, content: JsonObject) -> str:
    title = content["title"]
    if content["type"] == "attachment":
        return f"{space.key}/{path_part(content['container']['title'])}/{path_part(title)}"
    if content["type"] == "blogpost":
        day = utc(content["history"]["createdDate"])[:10]
        return f"{space.key}/blog/{day} {path_part(title)}.html"
    return f"{space.key}/{path_part(title)}.html"


def _remote(key: str, name: str, content: JsonObject, base: str, readers: Readers | None) -> Remote:
    history, version = content.get("history", {}), content["version"]
    author = history.get("ownedBy") or history.get("createdBy") or {}
    return Remote(
        key=key,
        version=str(version["number"]),
        name=name,
        title=content["title"],
        modified=utc(version["when"]),
        url=f"{base.rstrip('/')}{content['_links']['webui']}",
        owner=author.get("displayName"),
        readers=readers,
    )


def _refused(space: _Space, reason: str) -> Page:
    return Page(left_out=[Omission(space.key, space.key, reason)])

"""Jira, in the cloud and on servers: issues with what was said of them.

Who may read an issue may browse its project and, if it has a security level, is in that.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from html import escape
from urllib.parse import quote

from pydantic import Field

from retrieval.errors import ChangedError, CursorExpiredError, SourceError
from retrieval.models.client import JsonObject
from retrieval.sources.atlassian import AtlassianOptions
from retrieval.sources.client import HttpClient
from retrieval.sources.connector import Omission, Page, Readers, Remote, SourceSettings
from retrieval.sources.vendors import (
    Unmatched,
    both,
    either,
    mail_of,
    moved_on,
    path_part,
    utc,
    who_reads,
)

_AT_ONCE = 100
_PEOPLE_AT_ONCE = 50
_LISTED = ("summary", "updated", "reporter", "assignee", "security")
_SHOWN = ("issuetype", "status", "resolution", "priority", "assignee", "reporter")
_FIELDS = ",".join((*_SHOWN, "updated", "labels", "description", "comment"))
_EVERYBODY = frozenset(("anyone", "applicationRole"))
_OF_THE_ISSUE = frozenset(("reporter", "assignee"))


class JiraOptions(AtlassianOptions):
    """What `[sources.NAME]` says of issues."""

    projects: tuple[str, ...] = Field(description="keys, such as OPS")


def connect(source: SourceSettings) -> Jira:
    """The connector of issues."""
    options = source.read(JiraOptions)
    http = options.client()
    return Jira(options, _CloudJira(http) if options.is_cloud else _ServerJira(http))


@dataclass(frozen=True, slots=True)
class _Project:
    """A project's key and lead, and those to whom its permissions let it be browsed."""

    key: str
    lead: JsonObject
    holders: tuple[JsonObject, ...]
    has_levels: bool


class Jira:
    """Lists issues project by project, with who may read each."""

    def __init__(self, options: JiraOptions, site: _Site) -> None:
        self._options, self._site = options, site
        self._forget()

    def _forget(self) -> None:
        """What is known of people is asked anew at each sync."""
        self._unmatched = Unmatched()
        self._held: dict[tuple[str, ...], Readers | None] = {}
        self._levels: dict[str, tuple[JsonObject, ...]] = {}

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """All that there is, from where the cursor says on."""
        self._forget()
        begun, place = json.loads(cursor) if cursor else ("", "")
        missing: list[Omission] = []
        for key in sorted(set(self._options.projects)):
            if key > begun or (key == begun and place):
                yield from self._project(key, place if key == begun else "", missing)
        yield Page(left_out=[*missing, *self._unmatched.told()])

    def body(self, document: Remote) -> bytes:
        """An issue with the comments that all its readers may read, as HTML."""
        query = {"expand": "renderedFields", "fields": _FIELDS}
        issue = self._site.get(f"rest/api/2/issue/{document.key}", query)
        fields, rendered = issue["fields"], issue.get("renderedFields") or {}
        if fields.get("updated", document.version) != document.version:
            raise ChangedError
        facts = [f"{name.capitalize()}: {_called(fields.get(name))}" for name in _SHOWN
                 if fields.get(name)]  # fmt: skip
        facts += [f"Labels: {', '.join(fields['labels'])}"] if fields.get("labels") else []
        parts = [
            f"<p>{escape('; '.join(facts))}</p>",
            f"<div>{rendered.get('description') or ''}</div>",
        ]
        if (fields.get("comment") or {}).get("total"):
            parts += map(_comment, filter(_is_for_all, self._site.comments(document.key)))
        return f'<!doctype html><meta charset="utf-8"><body>{"".join(parts)}</body>'.encode()

    def close(self) -> None:
        """Close the connections."""
        self._site.close()

    def _project(self, key: str, place: str, missing: list[Omission]) -> Iterator[Page]:
        try:
            project = self._site.project(key)
        except SourceError as error:
            if error.status not in (403, 404):
                raise
            reason = "is no project whose permissions the token may see"
            missing.append(Omission(key, key, reason))
            return
        is_begun = bool(place)
        while place or not is_begun:
            is_begun = True
            try:
                issues, following = self._site.issues(key, place)
            except SourceError as error:
                if place and error.status in (400, 404, 410):
                    raise CursorExpiredError(str(error), status=error.status) from error
                raise
            place = following
            documents, left_out = self._read(project, issues)
            yield Page(documents, left_out=left_out, cursor=json.dumps([key, place]))

    def _read(
        self, project: _Project, issues: Iterable[JsonObject]
    ) -> tuple[list[Remote], list[Omission]]:
        documents: list[Remote] = []
        left_out: list[Omission] = []
        for issue in issues:
            name = f"{project.key}/{issue['key']} {path_part(issue['fields']['summary'])}.html"
            readers, reason = who_reads(partial(self._readers, project, issue["fields"]))
            if reason:
                left_out.append(Omission(issue["id"], name, reason))
            else:
                documents.append(self._remote(issue, name, readers))
        return documents, left_out

    def _remote(self, issue: JsonObject, name: str, readers: Readers | None) -> Remote:
        fields = issue["fields"]
        return Remote(
            key=issue["id"],
            version=fields["updated"],
            name=name,
            title=f"{issue['key']} {fields['summary']}",
            modified=utc(fields["updated"]),
            url=f"{self._options.url.rstrip('/')}/browse/{issue['key']}",
            owner=(fields.get("assignee") or fields.get("reporter") or {}).get("displayName"),
            readers=readers,
        )

    def _readers(self, project: _Project, fields: JsonObject) -> Readers | None:
        allowed = self._held_by(project.holders, project, fields)
        if project.has_levels and "security" not in fields:
            raise SourceError("its security level is not told", status=404)
        level = fields.get("security")
        if not level:
            return allowed
        if level["id"] not in self._levels:
            self._levels[level["id"]] = tuple(self._site.level(level["id"]))
        return both(allowed, self._held_by(self._levels[level["id"]], project, fields))

    def _held_by(
        self, holders: Iterable[JsonObject], project: _Project, fields: JsonObject
    ) -> Readers | None:
        return either([self._held_by_one(holder, project, fields) for holder in holders])

    def _held_by_one(
        self, holder: JsonObject, project: _Project, fields: JsonObject
    ) -> Readers | None:
        kind, parameter = holder["type"], str(holder.get("parameter") or "")
        if kind in _EVERYBODY:
            return None
        if kind in _OF_THE_ISSUE:
            return self._known([fields[kind]] if fields.get(kind) else [])
        place = (kind, parameter, project.key)
        if place not in self._held:
            self._held[place] = self._asked_held_by(holder, project)
        return self._held[place]

    def _asked_held_by(self, holder: JsonObject, project: _Project) -> Readers | None:
        kind, parameter = holder["type"], str(holder.get("parameter") or "")
        if kind == "projectLead":
            return self._known([project.lead])
        if kind == "user":
            return self._known([holder.get("user") or self._site.person(parameter)])
        if kind == "group":
            return self._in_group(holder.get("group") or {"name": parameter})
        if kind == "projectRole":
            actors = self._site.get(f"rest/api/2/project/{project.key}/role/{parameter}", {})
            return either([self._actor(actor) for actor in actors["actors"]])
        self._unmatched.groups.add(kind)  # such as a field that names people
        return frozenset()

    def _actor(self, actor: JsonObject) -> Readers | None:
        if actor["type"] == "atlassian-group-role-actor":
            return self._in_group(actor.get("actorGroup") or {"name": actor["name"]})
        named = (actor.get("actorUser") or {}).get("accountId") or actor.get("name")
        return self._known([self._site.person(str(named))])

    def _in_group(self, group: JsonObject) -> Readers | None:
        name = str(group.get("name") or group.get("groupId"))
        if name in self._options.everybody:
            return None
        if ("group", name) not in self._held:
            try:
                self._held["group", name] = self._known(list(self._site.members(group)))
            except SourceError as error:
                if error.status not in (403, 404):
                    raise
                self._unmatched.groups.add(name)
                self._held["group", name] = frozenset()
        return self._held["group", name]

    def _known(self, people: Iterable[JsonObject]) -> Readers:
        readers: Readers = frozenset()
        for person in people:
            if person.get("accountType", "atlassian") != "app" and person.get("active", True):
                id_ = str(person.get("accountId") or person.get("name"))
                mail = mail_of(person.get("emailAddress")) or self._looked_up(id_)
                readers |= mail
                if not mail:
                    self._unmatched.people.add(id_)
        return readers

    def _looked_up(self, id_: str) -> Readers:
        if ("person", id_) not in self._held:
            self._held["person", id_] = mail_of(self._site.person(id_).get("emailAddress"))
        return self._held["person", id_] or frozenset()


class _Site(ABC):
    """The requests in which the editions differ."""

    _person_by = ""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    @abstractmethod
    def issues(self, project: str, place: str) -> tuple[list[JsonObject], str]:
        """Some of a project's issues, and the place in their list where the next ones begin."""

    @abstractmethod
    def level(self, id_: str) -> Iterator[JsonObject]:
        """Those who are in a security level, as holders."""

    @abstractmethod
    def members(self, group: JsonObject) -> Iterator[JsonObject]:
        """The active people in a group."""

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, query: Mapping[str, str | int]) -> JsonObject:
        """What is at an address."""
        answer: JsonObject = self._http.get(path, params=query).json()
        return answer

    def project(self, key: str) -> _Project:
        """A project, with who may browse it."""
        path = f"rest/api/2/project/{quote(key, safe='')}"
        scheme = self.get(f"{path}/permissionscheme", {"expand": "all"})
        holders = tuple(
            granted["holder"]
            for granted in scheme.get("permissions", ())
            if granted["permission"] == "BROWSE_PROJECTS"
        )
        levels = self.get(f"{path}/securitylevel", {})["levels"]
        return _Project(key, self.get(path, {})["lead"], holders, bool(levels))

    def person(self, id_: str) -> JsonObject:
        """What is known of somebody; only the id for one who is not found."""
        try:
            return self.get("rest/api/2/user", {self._person_by: id_})
        except SourceError as error:
            if error.status not in (403, 404):
                raise
            return {"name": id_}

    def comments(self, issue: str) -> Iterator[JsonObject]:
        """What was said of an issue."""
        start, before = 0, None
        while True:
            answer = self.get(
                f"rest/api/2/issue/{issue}/comment",
                {"startAt": start, "maxResults": _AT_ONCE, "expand": "renderedBody"},
            )
            moved_on(before, answer["comments"])
            yield from (before := answer["comments"])
            start += len(answer["comments"])
            if not answer["comments"] or start >= answer["total"]:
                return

    def _listed(self, path: str, query: Mapping[str, str | int]) -> Iterator[JsonObject]:
        start, before = 0, None
        while True:
            sized = {**query, "startAt": start, "maxResults": _PEOPLE_AT_ONCE}
            answer = self.get(path, sized)
            moved_on(before, answer["values"])
            yield from (before := answer["values"])
            start += len(answer["values"])
            if answer.get("isLast", True) or not answer["values"]:
                return


class _CloudJira(_Site):
    _person_by = "accountId"

    def issues(self, project: str, place: str) -> tuple[list[JsonObject], str]:
        asked = {"jql": _jql(project), "maxResults": _AT_ONCE, "fields": list(_LISTED)}
        further = {"nextPageToken": place} if place else {}
        answer = self._http.post("rest/api/3/search/jql", json={**asked, **further}).json()
        return answer["issues"], answer.get("nextPageToken") or ""

    def level(self, id_: str) -> Iterator[JsonObject]:
        path = "rest/api/3/issuesecurityschemes/level/member"
        for member in self._listed(path, {"levelId": id_, "expand": "all"}):
            yield member["holder"]

    def members(self, group: JsonObject) -> Iterator[JsonObject]:
        by = "groupId" if group.get("groupId") else "groupname"
        named = str(group.get("groupId") or group["name"])
        return self._listed("rest/api/3/group/member", {by: named})


class _ServerJira(_Site):
    _person_by = "username"

    def issues(self, project: str, place: str) -> tuple[list[JsonObject], str]:
        asked = {"jql": _jql(project), "maxResults": _AT_ONCE, "fields": list(_LISTED)}
        start = int(place or 0)
        answer = self._http.post("rest/api/2/search", json={**asked, "startAt": start}).json()
        end = start + len(answer["issues"])
        return answer["issues"], str(end) if answer["issues"] and end < answer["total"] else ""

    def level(self, id_: str) -> Iterator[JsonObject]:
        raise SourceError(f"a server does not tell who is in the security level {id_}", status=404)

    def members(self, group: JsonObject) -> Iterator[JsonObject]:
        return self._listed("rest/api/2/group/member", {"groupname": str(group["name"])})


def _jql(project: str) -> str:
    return f'project = "{project}" order by created asc'


def _called(value: object) -> str:
    told = value if isinstance(value, dict) else {}
    return str(told.get("displayName") or told.get("name") or "")


def _is_for_all(comment: JsonObject) -> bool:
    """Whether a comment is for everybody who may read the issue."""
    return not comment.get("visibility") and comment.get("jsdPublic", True)


def _comment(comment: JsonObject) -> str:
    author = escape(_called(comment.get("author")) or "somebody")
    heading = f"<h2>Comment by {author}, {escape(comment['created'][:10])}</h2>"
    return f"{heading}<div>{comment.get('renderedBody') or ''}</div>"

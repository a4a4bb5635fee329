"""Issues on localhost that answer as Jira documents it, in both editions."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field

from tests.retrieval.sources.site import Asked
from tests.retrieval.sources.vendor_site import JsonObject, RefusedError, Routes, VendorSite

USER, TOKEN = "bot@acme.example", "t0ken"


def holder(kind: str, parameter: str = "") -> JsonObject:
    return {"type": kind, **({"parameter": parameter} if parameter else {})}


@dataclass
class Ticket:
    id: str
    summary: str
    description: str = "<p>Text.</p>"
    project: str = "OPS"
    level: str | None = None
    comments: list[JsonObject] = field(default_factory=list)
    reporter: str = "ada"
    assignee: str | None = None
    updated: str = "2026-03-04T05:06:07.000+0800"


class JiraSite(VendorSite):
    """Tickets by id; `browsers` may browse the project, `roles` have actors by their number."""

    at_once = 2

    def __init__(self) -> None:
        super().__init__()
        self.people = {
            "ada": ("Ada Lovelace", "Ada@acme.example"),
            "bob": ("Bob", "bob@acme.example"),
            "eve": ("Eve", ""),
        }
        self.groups = {"staff": ["ada", "bob", "eve"], "board": ["ada"]}
        self.roles: dict[str, list[tuple[str, str]]] = {}
        self.browsers = [holder("group", "staff")]
        self.levels: dict[str, list[JsonObject]] = {}
        self.tickets: dict[str, Ticket] = {}
        self.is_closed = self.forgets = self.hides_levels = False

    def add(self, ticket: Ticket) -> Ticket:
        self.tickets[ticket.id] = ticket
        return ticket

    def bodies(self) -> list[str]:
        """The ids of the tickets that were fetched."""
        found = (re.fullmatch(r".*/issue/(\w+)", path) for path in self.paths())
        return [match[1] for match in found if match]

    def routes(self) -> Routes:
        return {
            "rest/api/2/project/(OPS)": lambda _, key: {"key": key, "lead": self.person("bob")},
            "rest/api/2/project/OPS/permissionscheme": self.get_scheme,
            "rest/api/2/project/OPS/securitylevel": lambda _: {"levels": [*map(str, self.levels)]},
            "rest/api/2/project/OPS/role/([^/]+)": self.get_role,
            "rest/api/2/issue/([^/]+)": self.get_issue,
            "rest/api/2/issue/([^/]+)/comment": self.get_comments,
            "rest/api/2/user": self.get_user,
        }

    def person(self, id_: str) -> JsonObject:
        raise NotImplementedError

    def get_scheme(self, asked: Asked) -> JsonObject:
        assert asked.query["expand"] == "all"
        if self.is_closed:
            raise RefusedError(403, "you may not see that")
        granted = [{"permission": "BROWSE_PROJECTS", "holder": held} for held in self.browsers]
        others = [{"permission": "ADMINISTER_PROJECTS", "holder": holder("anyone")}]
        return {"id": 1, "permissions": [*others, *granted]}

    def get_role(self, _asked: Asked, number: str) -> JsonObject:
        actors: list[JsonObject] = []
        for kind, who in self.roles[number]:
            if kind == "group":
                told = {"name": who, "groupId": f"g-{who}"}
                actors.append({"type": "atlassian-group-role-actor", "actorGroup": told})
            else:
                told = {"accountId": who} if self.person(who).get("accountId") else {}
                user = {"type": "atlassian-user-role-actor", "name": who}
                actors.append({**user, **({"actorUser": told} if told else {})})
        return {"actors": actors}

    def shown(self, ticket: Ticket) -> JsonObject:
        assignee = self.person(ticket.assignee) if ticket.assignee else None
        level = {"id": ticket.level, "name": "x"} if ticket.level else None
        fields = {
            "summary": ticket.summary,
            "updated": ticket.updated,
            "reporter": self.person(ticket.reporter),
            "assignee": assignee,
            **({} if self.hides_levels else {"security": level}),
            "status": {"name": "Done"},
            "labels": ["vpn"],
            "comment": {"total": len(ticket.comments)},
        }
        return {"id": ticket.id, "key": f"{ticket.project}-{ticket.id}", "fields": fields}

    def found(self, jql: str) -> list[JsonObject]:
        match = re.fullmatch(r'project = "(\w+)" order by created asc', jql)
        assert match
        tickets = [ticket for ticket in self.tickets.values() if ticket.project == match[1]]
        return [self.shown(ticket) for ticket in tickets]

    def get_issue(self, asked: Asked, id_: str) -> JsonObject:
        if id_ not in self.tickets:
            raise RefusedError(404, "no such issue")
        assert asked.query["expand"] == "renderedFields"
        rendered = {"description": self.tickets[id_].description}
        return {**self.shown(self.tickets[id_]), "renderedFields": rendered}

    def get_comments(self, asked: Asked, id_: str) -> JsonObject:
        assert asked.query["expand"] == "renderedBody"
        start = int(asked.query["startAt"])
        comments = self.tickets[id_].comments
        return {"comments": comments[start : start + self.at_once], "total": len(comments)}

    def values(self, asked: Asked, shown: list[JsonObject]) -> JsonObject:
        assert int(asked.query["maxResults"]) <= 50
        start = int(asked.query["startAt"])
        stop = start + self.at_once
        return {"values": shown[start:stop], "isLast": stop >= len(shown), "total": len(shown)}

    def in_group(self, asked: Asked, name: str) -> JsonObject:
        if name not in self.groups:
            raise RefusedError(404, "no such group")
        return self.values(asked, [self.person(id_) for id_ in self.groups[name]])

    def get_user(self, asked: Asked) -> JsonObject:
        id_ = next(iter(asked.query.values()))
        if id_ not in self.people:
            raise RefusedError(404, "no such user")
        return {**self.person(id_), "emailAddress": self.people[id_][1]}


class CloudJira(JiraSite):
    """As in the cloud; addresses are hidden in lists."""

    proof = "Basic " + b64encode(f"{USER}:{TOKEN}".encode()).decode()

    def routes(self) -> Routes:
        return {
            **super().routes(),
            "rest/api/3/search/jql": self.post_search,
            "rest/api/3/group/member": self.get_members,
            "rest/api/3/issuesecurityschemes/level/member": self.get_level,
        }

    def person(self, id_: str) -> JsonObject:
        return {
            "accountId": id_, "accountType": "atlassian", "displayName": self.people[id_][0]
        }  # fmt: skip

    def post_search(self, asked: Asked) -> JsonObject:
        told = asked.json()
        if self.forgets and "nextPageToken" in told:
            raise RefusedError(400, "the token has expired")
        start = int(told.get("nextPageToken", "t0").removeprefix("t"))
        found = self.found(told["jql"])
        stop = start + self.at_once
        further = {"nextPageToken": f"t{stop}"} if stop < len(found) else {}
        return {"issues": found[start:stop], "isLast": not further, **further}

    def get_members(self, asked: Asked) -> JsonObject:
        by_id = asked.query.get("groupId", "").removeprefix("g-")
        return self.in_group(asked, by_id or asked.query["groupname"])

    def get_level(self, asked: Asked) -> JsonObject:
        held = self.levels[asked.query["levelId"]]
        return self.values(asked, [{"id": "1", "holder": told} for told in held])


class ServerJira(JiraSite):
    """As on a server of one's own."""

    proof = f"Bearer {TOKEN}"

    def routes(self) -> Routes:
        return {
            **super().routes(),
            "rest/api/2/search": self.post_search,
            "rest/api/2/group/member": lambda asked: self.in_group(asked, asked.query["groupname"]),
        }

    def person(self, id_: str) -> JsonObject:
        name, mail = self.people[id_]
        return {"name": id_, "key": f"k-{id_}", "displayName": name, "emailAddress": mail}

    def post_search(self, asked: Asked) -> JsonObject:
        told = asked.json()
        start = told["startAt"]
        if self.forgets and start:
            raise RefusedError(400, "startAt is too large")
        found = self.found(told["jql"])
        some = found[start : start + self.at_once]
        return {"issues": some, "startAt": start, "maxResults": 2, "total": len(found)}

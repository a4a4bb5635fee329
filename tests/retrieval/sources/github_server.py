"""Repositories on localhost that answer as GitHub's API of 2022-11-28 is documented."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.retrieval.sources.site import Asked, Told
from tests.retrieval.sources.vendor_site import JsonObject, RefusedError, Routes, VendorSite

TOKEN = "ghp_secret"


@dataclass
class Issue:
    number: int
    title: str
    body: str | None = "Text."
    comments: list[str] = field(default_factory=list)
    is_pull: bool = False
    updated: str = "2026-03-04T05:06:07Z"
    labels: list[str] = field(default_factory=list)


@dataclass
class Repository:
    is_private: bool = True
    issues: list[Issue] = field(default_factory=list)
    discussions: list[Issue] = field(default_factory=list)
    collaborators: dict[str, str | None] = field(default_factory=dict)


class GitHubSite(VendorSite):
    """Repositories by owner and name."""

    root, proof = "/api", f"Bearer {TOKEN}"
    at_once = 2

    def __init__(self) -> None:
        super().__init__()
        self.repositories: dict[str, Repository] = {}
        self.forgets = self.closes_when_listed = False

    def routes(self) -> Routes:
        repository = "repos/([^/]+/[^/]+)"
        return {
            repository: self.get_repository,
            f"{repository}/issues": self.get_issues,
            rf"{repository}/issues/(\d+)": self.get_issue,
            rf"{repository}/issues/(\d+)/comments": self.get_comments,
            f"{repository}/collaborators": self.get_collaborators,
            "users/([^/]+)": self.get_user,
            "graphql": self.post_graphql,
        }

    def bodies(self) -> list[str]:
        """The paths of the issues that were fetched."""
        return [path for path in self.paths() if re.fullmatch(r".*/issues/\d+", path)]

    def check(self, asked: Asked) -> None:
        super().check(asked)
        assert asked.headers["x-github-api-version"] == "2022-11-28"
        assert asked.headers["accept"] == "application/vnd.github+json"

    def found(self, name: str) -> Repository:
        if name not in self.repositories:
            raise RefusedError(404, "Not Found")
        return self.repositories[name]

    def part(self, asked: Asked, shown: list[JsonObject]) -> Told:
        assert 1 <= int(asked.query["per_page"]) <= 100
        if self.forgets and "page" in asked.query:
            raise RefusedError(422, "no such page")
        page = int(asked.query.get("page", 1))
        stop = page * self.at_once
        further = urlencode({**asked.query, "page": page + 1})
        last = f'<{self.url}{asked.path}?page=9>; rel="last"'
        link = f'<{self.url}{asked.path}?{further}>; rel="next", {last}'
        headers = {"Link": link} if stop < len(shown) else {}
        return Told(shown[stop - self.at_once : stop], headers=headers)

    def get_repository(self, _asked: Asked, name: str) -> JsonObject:
        found = self.found(name)
        return {
            "full_name": name,
            "private": found.is_private,
            "has_issues": True,
            "has_discussions": bool(found.discussions),
        }

    def shown(self, name: str, issue: Issue) -> JsonObject:
        return {
            "number": issue.number,
            "title": issue.title,
            "body": issue.body,
            "state": "open",
            "comments": len(issue.comments),
            "labels": [{"name": label} for label in issue.labels],
            "user": {"login": "ada"},
            "updated_at": issue.updated,
            "html_url": f"https://github.com/{name}/issues/{issue.number}",
            **({"pull_request": {}} if issue.is_pull else {}),
        }

    def get_issues(self, asked: Asked, name: str) -> Told:
        assert asked.query["state"] == "all"
        self.found(name).is_private |= self.closes_when_listed
        return self.part(asked, [self.shown(name, issue) for issue in self.found(name).issues])

    def one(self, name: str, number: str) -> Issue:
        found = [issue for issue in self.found(name).issues if issue.number == int(number)]
        if not found:
            raise RefusedError(410, "This issue was deleted")
        return found[0]

    def get_issue(self, _asked: Asked, name: str, number: str) -> JsonObject:
        return self.shown(name, self.one(name, number))

    def get_comments(self, asked: Asked, name: str, number: str) -> Told:
        comments = [
            {"body": body, "created_at": "2026-03-05T00:00:00Z", "user": {"login": "bob"}}
            for body in self.one(name, number).comments
        ]
        return self.part(asked, comments)

    def get_collaborators(self, asked: Asked, name: str) -> Told:
        return self.part(asked, [{"login": login} for login in self.found(name).collaborators])

    def get_user(self, _asked: Asked, login: str) -> JsonObject:
        known = {
            name: mail
            for repository in self.repositories.values()
            for name, mail in repository.collaborators.items()
        }
        return {"login": login, "email": known[login]}

    def post_graphql(self, asked: Asked) -> JsonObject:
        told = asked.json()["variables"]
        name = f"{told['owner']}/{told['name']}"
        if name not in self.repositories:
            return {"data": {"repository": None}, "errors": [{"type": "NOT_FOUND"}]}
        start = int(told["after"] or 0)
        discussions = self.repositories[name].discussions
        if "number" not in told:
            nodes: list[JsonObject] = [
                {
                    "number": found.number,
                    "title": found.title,
                    "url": f"https://github.com/{name}/discussions/{found.number}",
                    "updatedAt": found.updated,
                    "author": {"login": "ada"},
                    "comments": {"totalCount": len(found.comments)},
                }
                for found in discussions
            ]
            return {"data": {"repository": {"discussions": self.connection(nodes, start)}}}
        found = next(found for found in discussions if found.number == told["number"])
        said = {"createdAt": "2026-03-05T00:00:00Z", "author": None}
        comments = [
            {
                "body": body,
                **said,
                "isAnswer": number == 1,
                "replies": {"totalCount": 3, "nodes": [{"body": f"Re: {body}", **said}]},
            }
            for number, body in enumerate(found.comments)
        ]
        shown = {
            "title": found.title,
            "updatedAt": found.updated,
            "body": found.body,
            **said,
            "category": {"name": "Q&A"},
            "comments": {
                "totalCount": len(comments),
                **self.connection(comments, start),
            },
        }
        return {"data": {"repository": {"discussion": shown}}}

    def connection(self, nodes: list[JsonObject], start: int) -> JsonObject:
        stop = start + self.at_once
        info = {"hasNextPage": stop < len(nodes), "endCursor": str(stop)}
        return {"pageInfo": info, "nodes": nodes[start:stop]}

"""GitHub: the issues and discussions of repositories, each with what was said in reply.

Files and wikis are read by the kind `git`. GitHub mostly hides addresses, so that a private
repository is for everybody at the source, or for those collaborators whose address is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, SecretStr, field_validator

from retrieval.errors import ChangedError, CursorExpiredError, SourceError
from retrieval.models.client import JsonObject
from retrieval.sources.client import HttpClient, Reply
from retrieval.sources.connector import Omission, Options, Page, Readers, Remote, SourceSettings
from retrieval.sources.vendors import Unmatched, mail_of, path_part, utc

VERSION = "2022-11-28"
"""The version of GitHub's API that is spoken."""

_AT_ONCE = 100
_FEW = 50
_ISSUES, _DISCUSSIONS = "issues", "discussions"
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')
_LISTED = """
query ($owner: String!, $name: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    discussions(first: 50, after: $after, orderBy: {field: CREATED_AT, direction: ASC}) {
      pageInfo { hasNextPage endCursor }
      nodes {
        number title url updatedAt author { login } comments { totalCount }
      }
    }
  }
}
"""
_SAID = "body createdAt author { login }"
_READ = f"""
query ($owner: String!, $name: String!, $number: Int!, $after: String) {{
  repository(owner: $owner, name: $name) {{
    discussion(number: $number) {{
      title updatedAt {_SAID} category {{ name }}
      comments(first: 50, after: $after) {{
        totalCount
        pageInfo {{ hasNextPage endCursor }}
        nodes {{ {_SAID} isAnswer replies(first: 50) {{ totalCount nodes {{ {_SAID} }} }} }}
      }}
    }}
  }}
}}
"""


class GitHubOptions(Options):
    """What `[sources.NAME]` says of repositories."""

    repositories: tuple[str, ...] = Field(description="such as octocat/handbook")
    token: SecretStr | None = Field(None, description="unset: public issues only")
    issues: bool = Field(True, description="whether issues are read")
    pulls: bool = Field(False, description="whether pull requests are read as issues")
    discussions: bool = Field(False, description="whether discussions are read; wants a token")
    collaborators: bool = Field(
        False, description="whether a private repository is for its collaborators alone"
    )
    people: dict[str, str] = Field(
        default_factory=dict, description="login names to e-mail addresses, for `collaborators`"
    )
    url: str = Field("https://api.github.com/", description="the API's address")

    @field_validator("repositories")
    @classmethod
    def _are_repositories(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _REPOSITORY.fullmatch(name):
                raise ValueError(f"found {name!r}; wanted a name such as octocat/handbook")
        return names


def connect(source: SourceSettings) -> GitHub:
    """The connector of repositories."""
    options = source.read(GitHubOptions)
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION}
    if options.token:
        headers["Authorization"] = f"Bearer {options.token.get_secret_value()}"
    return GitHub(options, HttpClient(options.url, credentials=lambda: headers))


class GitHub:
    """Lists repository by repository, all issues, then all discussions."""

    def __init__(self, options: GitHubOptions, http: HttpClient) -> None:
        self._options, self._http = options, http
        # A server of one's own has the two interfaces beside each other.
        self._graphql = "../graphql" if options.url.rstrip("/").endswith("/v3") else "graphql"
        self._unmatched = Unmatched()

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """All that there is, from where the cursor says on."""
        self._unmatched = Unmatched()
        first, *begun = json.loads(cursor or '["", 0, ""]')
        missing: list[Omission] = []
        for name in sorted(set(self._options.repositories)):
            if name >= first:
                place: tuple[int, str] = (begun[0], begun[1]) if name == first else (0, "")
                yield from self._repository(name, *place, missing)
        yield Page(left_out=[*missing, *self._unmatched.told()])

    def body(self, document: Remote) -> bytes:
        """An issue or discussion with its comments, as Markdown."""
        owner, name, kind, number = document.key.split("/")
        if kind == _DISCUSSIONS:
            return self._discussion(owner, name, int(number), document.version).encode()
        path = f"repos/{owner}/{name}/issues/{number}"
        has_comments = not document.version.endswith(" 0")
        said = list(self._all(f"{path}/comments")) if has_comments else ()
        issue = self._get(path, {}).json()
        if _version(issue, issue["updated_at"]) != document.version:
            raise ChangedError
        labels = ", ".join(label["name"] for label in issue.get("labels", ()))
        facts = f"State: {issue['state']}." + (f" Labels: {labels}." if labels else "")
        parts = [_head(issue["title"], facts, issue.get("body"))]
        parts += [_comment(_login(c.get("user")), c["created_at"], c.get("body")) for c in said]
        return "\n\n".join(parts).encode()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _repository(
        self, name: str, begun: int, place: str, missing: list[Omission]
    ) -> Iterator[Page]:
        try:
            told = self._get(f"repos/{name}", {}).json()
            readers = self._readers(name, told)
        except SourceError as error:
            if error.status not in (403, 404):
                raise
            missing.append(Omission(name, name, "is no repository that the token may read"))
            return
        if readers == frozenset():
            reason = "no collaborator has an e-mail address that is known"
            missing.append(Omission(name, name, reason))
            return
        kinds = (_ISSUES, _DISCUSSIONS)
        for number, kind in enumerate(kinds[begun:], start=begun):
            is_wanted = getattr(self._options, kind) or (kind == _ISSUES and self._options.pulls)
            while is_wanted and told.get(f"has_{kind}", True):
                documents, place = self._listed(name, kind, place, readers)
                self._refuse_to_widen(name, readers)
                done = [name, number if place else number + 1, place]
                yield Page(documents, cursor=json.dumps(done))
                if not place:
                    break

    def _refuse_to_widen(self, name: str, readers: Readers | None) -> None:
        """What was listed after a repository became private is not for everybody."""
        if not (self._options.collaborators and readers is None):
            return
        if self._get(f"repos/{name}", {}).json().get("private", True):
            raise SourceError(f"{name} has become private; the next sync tells who may read it")

    def _listed(
        self, name: str, kind: str, place: str, readers: Readers | None
    ) -> tuple[list[Remote], str]:
        try:
            if kind == _DISCUSSIONS:
                return self._discussions(name, place, readers)
            return self._issues(name, place, readers)
        except SourceError as error:
            if place and error.status in (400, 404, 422):
                raise CursorExpiredError(str(error), status=error.status) from error
            raise

    def _issues(self, name: str, place: str, readers: Readers | None) -> tuple[list[Remote], str]:
        first = {"state": "all", "sort": "created", "direction": "asc", "per_page": str(_AT_ONCE)}
        reply = self._get(f"repos/{name}/issues", dict(parse_qsl(place)) or first)
        wanted = [
            issue
            for issue in reply.json()
            if (self._options.pulls if "pull_request" in issue else self._options.issues)
        ]
        found = [
            _remote(name, _ISSUES, issue, issue["updated_at"], issue["html_url"], readers)
            for issue in wanted
        ]
        return found, _next_query(reply)

    def _discussions(
        self, name: str, place: str, readers: Readers | None
    ) -> tuple[list[Remote], str]:
        owner, _, own = name.partition("/")
        told = self._asked(_LISTED, owner=owner, name=own, after=place or None)["discussions"]
        found = [
            _remote(name, _DISCUSSIONS, node, node["updatedAt"], node["url"], readers)
            for node in told["nodes"]
        ]
        return found, _next_cursor(told) or ""

    def _discussion(self, owner: str, name: str, number: int, version: str) -> str:
        parts: list[str] = []
        after: str | None = None
        while not parts or after:
            asked = self._asked(_READ, owner=owner, name=name, number=number, after=after)
            told = asked["discussion"]
            if told is None:
                raise SourceError("is not there any more", status=404)
            if _version(told, told["updatedAt"]) != version:
                raise ChangedError
            if not parts:
                facts = f"Category: {told['category']['name']}."
                parts.append(_head(told["title"], facts, told["body"]))
            for node in told["comments"]["nodes"]:
                heading = "Answer" if node["isAnswer"] else "Comment"
                for said, what in ((node, heading), *((r, "Reply") for r in _replies(node))):
                    login = _login(said["author"])
                    parts.append(_comment(login, said["createdAt"], said["body"], heading=what))
                if more := node["replies"]["totalCount"] - len(_replies(node)):
                    parts.append(f"({more} more replies are on GitHub.)")
            after = _next_cursor(told["comments"])
        return "\n\n".join(parts)

    def _readers(self, name: str, repository: JsonObject) -> Readers | None:
        if not (self._options.collaborators and repository.get("private", True)):
            return None
        readers: Readers = frozenset()
        for person in self._all(f"repos/{name}/collaborators"):
            mail = self._mail(person["login"])
            readers |= mail
            if not mail:
                self._unmatched.people.add(person["login"])
        return readers

    def _mail(self, login: str) -> Readers:
        people = {name.lower(): mail for name, mail in self._options.people.items()}
        if login.lower() in people:
            return mail_of(people[login.lower()])
        return mail_of(self._get(f"users/{login}", {}).json().get("email"))

    def _all(self, path: str) -> Iterator[JsonObject]:
        query: Mapping[str, str] = {"per_page": str(_AT_ONCE)}
        while query:
            reply = self._get(path, query)
            yield from reply.json()
            query = dict(parse_qsl(_next_query(reply)))

    def _get(self, path: str, query: Mapping[str, str]) -> Reply:
        return self._http.get(path, params=query)

    def _asked(self, query: str, **variables: object) -> JsonObject:
        asked = {"query": query, "variables": variables}
        answer = self._http.post(self._graphql, json=asked).json()
        if errors := answer.get("errors"):
            kinds = {error.get("type") for error in errors}
            status = 404 if "NOT_FOUND" in kinds else 429 if "RATE_LIMITED" in kinds else None
            raise SourceError(f"GitHub: {str(errors[0].get('message'))[:200]}", status=status)
        repository: JsonObject = answer["data"]["repository"]
        return repository


def _remote(
    name: str, kind: str, told: JsonObject, updated: str, url: str, readers: Readers | None
) -> Remote:
    number, title = told["number"], told["title"]
    return Remote(
        key=f"{name}/{kind}/{number}",
        version=_version(told, updated),
        name=f"{name}/{kind}/{number} {path_part(title)}.md",
        title=title,
        modified=utc(updated),
        url=url,
        owner=_login(told.get("user") or told.get("author")),
        readers=readers,
    )


def _version(told: JsonObject, updated: str) -> str:
    count = told["comments"]
    return f"{updated} {count['totalCount'] if isinstance(count, dict) else count}"


def _head(title: str, facts: str, body: str | None) -> str:
    # The heading first: what somebody wrote can then be no front matter.
    return f"# {' '.join(title.split())}\n\n{facts}\n\n{body or ''}"


def _comment(login: str | None, at: str, body: str | None, *, heading: str = "Comment") -> str:
    return f"## {heading} by {login or 'somebody'}, {at[:10]}\n\n{body or ''}"


def _login(person: JsonObject | None) -> str | None:
    return person["login"] if person else None


def _replies(comment: JsonObject) -> Sequence[JsonObject]:
    replies: Sequence[JsonObject] = comment["replies"]["nodes"]
    return replies


def _next_cursor(told: JsonObject) -> str | None:
    info = told["pageInfo"]
    return info["endCursor"] if info["hasNextPage"] else None


def _next_query(reply: Reply) -> str:
    found = _NEXT.search(reply.headers.get("Link", ""))
    return urlsplit(found[1]).query if found else ""

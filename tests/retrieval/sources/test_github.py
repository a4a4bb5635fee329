from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.errors import ChangedError, CursorExpiredError, SettingsError, SourceError
from retrieval.sources.connector import Connector, SourceSettings
from retrieval.sources.github import connect
from tests.retrieval.sources.github_server import TOKEN, GitHubSite, Issue, Repository
from tests.retrieval.sources.reading import listing
from tests.retrieval.sources.site import Told
from tests.retrieval.sources.test_syncing import Desk

ADA = frozenset({"ada@acme.example"})
NAME = "acme/handbook"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubSite]:
    monkeypatch.setenv("WHIMBREL_SOURCE_CODE_TOKEN", TOKEN)
    with GitHubSite() as site:
        site.repositories[NAME] = Repository()
        yield site


def connected(site: GitHubSite, **more: object) -> Connector:
    options = {"url": f"{site.url}/api/", "repositories": [NAME], **more}
    source = SourceSettings("code", "github", Path("own"), options, audience="staff")
    return site.closing(connect(source))


def test_an_issue_is_listed_and_read_with_its_comments(site: GitHubSite) -> None:
    comments = [f"Comment {number}." for number in range(5)]
    issue = Issue(7, "It / breaks", "How to see it.", comments, labels=["bug"])
    site.repositories[NAME].issues = [issue]
    connector = connected(site)
    [document] = listing(connector).documents.values()
    assert document.key == f"{NAME}/issues/7"
    assert document.name == f"{NAME}/issues/7 It breaks.md"
    assert (document.title, document.owner) == ("It / breaks", "ada")
    assert document.url == f"https://github.com/{NAME}/issues/7"
    assert document.modified == "2026-03-04T05:06:07+00:00"
    assert document.readers is None
    read = connector.body(document).decode()
    assert read.startswith(
        "# It / breaks\n\nState: open. Labels: bug.\n\nHow to see it.\n\n## Comm"
    )
    assert [line for line in read.split("\n") if line in comments] == comments


def test_what_somebody_wrote_is_no_front_matter(site: GitHubSite) -> None:
    site.repositories[NAME].issues = [Issue(1, "x\n---\naudience: a", "---\naudience: b\n---\n")]
    connector = connected(site)
    read = connector.body(listing(connector).documents[f"{NAME}/issues/1"]).decode()
    assert read.startswith("# x --- audience: a\n")


def test_every_page_of_every_list_is_read(site: GitHubSite) -> None:
    site.repositories[NAME].issues = [Issue(number, "I") for number in range(5)]
    site.repositories[NAME].discussions = [Issue(number, "D") for number in range(10, 15)]
    site.repositories["acme/other"] = Repository(issues=[Issue(1, "O")])
    found = listing(connected(site, repositories=[NAME, "acme/other"], discussions=True))
    assert len(found.documents) == 11


def test_pull_requests_and_discussions_are_read_on_request(site: GitHubSite) -> None:
    site.repositories[NAME].issues = [Issue(1, "Issue"), Issue(2, "Pull", is_pull=True)]
    site.repositories[NAME].discussions = [Issue(3, "Discussion")]
    assert set(listing(connected(site)).readers()) == {"Issue"}
    assert set(listing(connected(site, issues=False, pulls=True)).readers()) == {"Pull"}
    found = listing(connected(site, issues=False, discussions=True)).readers()
    assert set(found) == {"Discussion"}


def test_a_discussion_is_read_with_answers_and_replies(site: GitHubSite) -> None:
    comments = [f"Comment {number}." for number in range(3)]
    site.repositories[NAME].discussions = [Issue(3, "How?", "Tell me.", comments)]
    connector = connected(site, discussions=True)
    read = connector.body(listing(connector).documents[f"{NAME}/discussions/3"]).decode()
    lines = [line for line in read.split("\n") if line]
    assert lines == [
        "# How?",
        "Category: Q&A.",
        "Tell me.",
        "## Comment by somebody, 2026-03-05",
        "Comment 0.",
        "## Reply by somebody, 2026-03-05",
        "Re: Comment 0.",
        "(2 more replies are on GitHub.)",
        "## Answer by somebody, 2026-03-05",
        "Comment 1.",
        "## Reply by somebody, 2026-03-05",
        "Re: Comment 1.",
        "(2 more replies are on GitHub.)",
        "## Comment by somebody, 2026-03-05",
        "Comment 2.",
        "## Reply by somebody, 2026-03-05",
        "Re: Comment 2.",
        "(2 more replies are on GitHub.)",
    ]


def test_a_private_repository_may_be_for_its_collaborators(site: GitHubSite) -> None:
    repository = site.repositories[NAME]
    repository.issues = [Issue(1, "One")]
    repository.collaborators = {"ada": "Ada@acme.example", "bob": None, "eve": None}
    found = listing(connected(site, collaborators=True))
    assert found.readers() == {"One": ADA}
    assert "2 have no e-mail address" in found.left_out["people"].reason
    known = listing(connected(site, collaborators=True, people={"Bob": "bob@acme.example"}))
    assert known.readers() == {"One": ADA | {"bob@acme.example"}}
    repository.is_private = False
    assert listing(connected(site, collaborators=True)).readers() == {"One": None}


def test_a_repository_whose_collaborators_are_all_unknown_is_left_out(site: GitHubSite) -> None:
    site.repositories[NAME] = Repository(issues=[Issue(1, "One")], collaborators={"bob": None})
    found = listing(connected(site, collaborators=True))
    assert not found.documents
    assert "no collaborator" in found.reasons()[NAME]


def test_a_repository_that_is_not_found_is_named(site: GitHubSite) -> None:
    found = listing(connected(site, repositories=["acme/gone"]))
    assert found.reasons() == {"acme/gone": "is no repository that the token may read"}


def test_what_is_no_repository_s_name_is_refused(site: GitHubSite) -> None:
    with pytest.raises(SettingsError, match="octocat/handbook"):
        connected(site, repositories=["https://github.com/a/b"])


def test_a_listing_goes_on_where_it_was_interrupted(site: GitHubSite) -> None:
    site.repositories[NAME].issues = [Issue(number, "I") for number in range(5)]
    site.repositories[NAME].discussions = [Issue(number, "D") for number in range(10, 15)]
    seen: list[str] = []
    cursor, steps = None, 0
    while steps == 0 or cursor is not None:
        part = listing(connected(site, discussions=True), cursor, steps=1)
        seen += part.documents
        cursor, steps = part.cursors[0], steps + 1
    assert len(seen) == len(set(seen)) == 10


def test_a_place_in_a_list_that_github_forgot_is_told(site: GitHubSite) -> None:
    site.repositories[NAME].issues = [Issue(number, "I") for number in range(5)]
    cursor = listing(connected(site), steps=1).cursors[0]
    site.forgets = True
    with pytest.raises(CursorExpiredError):
        listing(connected(site), cursor)


def test_issues_are_followed(site: GitHubSite, tmp_path: Path) -> None:
    desk = Desk(tmp_path / "home")
    issues = site.repositories[NAME].issues
    issues += [Issue(number, f"I{number}", f"Text {number}.") for number in range(4)]
    limit = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0"}
    site.first.append(Told({"message": "API rate limit exceeded"}, 403, limit))
    desk.sync(connected(site))
    assert len(desk.sources()) == 4
    issues[1].comments, issues[1].updated = ["Done."], "2026-03-06T00:00:00Z"
    del issues[3]
    site.asked.clear()
    desk.sync(connected(site))
    assert len(site.bodies()) == 1
    assert len(desk.sources()) == 3
    assert "Done." in " ".join(desk.texts())


def test_a_sync_that_broke_off_goes_on_without_fetching_twice(
    site: GitHubSite, tmp_path: Path
) -> None:
    desk = Desk(tmp_path / "home")
    site.repositories[NAME].issues = [Issue(number, "I") for number in range(7)]
    site.refuse_after = 7
    assert desk.pull(connected(site)).error
    site.refuse_after = None
    assert desk.pull(connected(site)).error is None
    assert len(set(site.bodies())) == 7
    assert len(site.bodies()) <= 7 + site.at_once  # those that were refused


def test_an_issue_or_discussion_that_changed_since_it_was_listed_is_not_read(
    site: GitHubSite,
) -> None:
    repository = site.repositories[NAME]
    repository.issues, repository.discussions = [Issue(1, "One")], [Issue(2, "Two")]
    connector = connected(site, discussions=True)
    for document in listing(connector).documents.values():
        assert b"Text." in connector.body(document)
        for told in (*repository.issues, *repository.discussions):
            told.updated = "2026-03-06T00:00:00Z"
        with pytest.raises(ChangedError):
            connector.body(document)
        for told in (*repository.issues, *repository.discussions):
            told.updated = Issue(0, "").updated


def test_what_is_listed_after_a_repository_became_private_is_not_for_everybody(
    site: GitHubSite,
) -> None:
    site.repositories[NAME] = Repository(is_private=False, issues=[Issue(1, "One")])
    site.closes_when_listed = True
    with pytest.raises(SourceError, match="become private"):
        listing(connected(site, collaborators=True))

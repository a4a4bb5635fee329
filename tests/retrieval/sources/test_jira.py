from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retrieval.documents.loaders.markup import load_html
from retrieval.errors import ChangedError, CursorExpiredError
from retrieval.sources.connector import Connector, SourceSettings
from retrieval.sources.jira import connect
from tests.retrieval.sources.jira_server import (
    TOKEN,
    USER,
    CloudJira,
    JiraSite,
    ServerJira,
    Ticket,
    holder,
)
from tests.retrieval.sources.reading import keys_in_steps, listing
from tests.retrieval.sources.site import Told
from tests.retrieval.sources.test_syncing import Desk

ADA, BOB = frozenset({"ada@acme.example"}), frozenset({"bob@acme.example"})


@pytest.fixture(params=[CloudJira, ServerJira])
def site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[JiraSite]:
    monkeypatch.setenv("WHIMBREL_SOURCE_ISSUES_TOKEN", TOKEN)
    with request.param() as site:
        yield site


def connected(site: JiraSite, **more: object) -> Connector:
    is_cloud = isinstance(site, CloudJira)
    options = {
        "url": site.url,
        "edition": "cloud" if is_cloud else "server",
        "projects": ["OPS"],
        **({"user": USER} if is_cloud else {}),
        **more,
    }
    source = SourceSettings("issues", "jira", Path("own"), options, audience="staff")
    return site.closing(connect(source))


def said(body: str, **more: object) -> dict[str, Any]:
    comment = {"author": {"displayName": "Bob"}, "created": "2026-03-05T00:00:00.000+0000"}
    return {**comment, "renderedBody": f"<p>{body}</p>", **more}


def test_an_issue_is_listed_and_read_with_its_comments(site: JiraSite) -> None:
    comments = [said(f"Comment {number}.") for number in range(5)]
    comments += [said("secret", visibility={"type": "role", "value": "Admins"})]
    comments += [said("internal", jsdPublic=False), said("open", jsdPublic=True)]
    site.add(Ticket("1", "It / breaks", "<p>How to see it.</p>", comments=comments, assignee="bob"))
    connector = connected(site)
    [document] = listing(connector).documents.values()
    assert document.key == "1"
    assert document.name == "OPS/OPS-1 It breaks.html"
    assert (document.title, document.owner) == ("OPS-1 It / breaks", "Bob")
    assert document.url == f"{site.url}/browse/OPS-1"
    assert document.modified == "2026-03-03T21:06:07+00:00"
    assert document.readers == ADA | BOB
    [loaded] = load_html(connector.body(document))
    read = "\n".join(section.text for section in loaded.sections)
    assert read.startswith("Status: Done; Assignee: Bob; Reporter: Ada Lovelace; Labels: vpn")
    assert "How to see it." in read
    assert all(f"Comment {number}." in read for number in range(5))
    assert "open" in read
    assert "secret" not in read
    assert "internal" not in read


def test_every_page_of_every_list_is_read(site: JiraSite) -> None:
    names = [f"p{number}" for number in range(5)]
    site.people |= {name: (name, f"{name}@acme.example") for name in names}
    site.groups["staff"] = names
    for number in range(5):
        site.add(Ticket(str(number), "x"))
    found = listing(connected(site))
    assert len(found.documents) == 5
    readers = {document.readers for document in found.documents.values()}
    assert readers == {frozenset(f"{name}@acme.example" for name in names)}


@pytest.mark.parametrize(
    ("held", "options", "readers"),
    [
        (holder("group", "board"), {}, ADA),
        (holder("group", "lost"), {}, None),
        (holder("group", "staff"), {"everybody": ["staff"]}, "everybody"),
        (holder("anyone"), {}, "everybody"),
        (holder("applicationRole"), {}, "everybody"),
        (holder("user", "bob"), {}, BOB),
        (holder("user", "eve"), {}, None),
        (holder("user", "gone"), {}, None),
        (holder("projectLead"), {}, BOB),
        (holder("reporter"), {}, ADA),
        (holder("assignee"), {}, None),
        (holder("projectRole", "10"), {}, ADA | BOB),
        (holder("userCustomField", "customfield_1"), {}, None),
    ],
)
def test_a_permission_opens_a_project_to_those_whom_it_names(
    site: JiraSite, held: dict[str, Any], options: dict[str, Any], readers: object
) -> None:
    site.roles["10"] = [("group", "board"), ("user", "bob")]
    site.browsers = [held]
    site.add(Ticket("1", "x"))
    found = listing(connected(site, **options))
    if readers is None:
        assert not found.documents
        assert "nobody who may read it" in found.reasons()["1"]
    else:
        expected = None if readers == "everybody" else readers
        assert [d.readers for d in found.documents.values()] == [expected]


def test_an_issue_with_a_security_level_is_for_those_in_it(site: JiraSite) -> None:
    site.levels["7"] = [holder("user", "bob"), holder("reporter"), holder("group", "board")]
    site.levels["8"] = [holder("projectLead")]
    site.people["zoe"] = ("Zoe", "zoe@acme.example")
    site.add(Ticket("1", "x", level="7", reporter="zoe"))
    site.add(Ticket("2", "x", level="8"))
    site.add(Ticket("3", "x"))
    found = listing(connected(site))
    readers = {key: document.readers for key, document in found.documents.items()}
    if isinstance(site, CloudJira):
        assert readers == {"1": ADA | BOB, "2": BOB, "3": ADA | BOB}
    else:  # a server tells nobody
        assert readers == {"3": ADA | BOB}
        assert found.reasons()["1"] == "who may read it cannot be seen"


def test_an_issue_whose_security_level_is_hidden_is_left_out(site: JiraSite) -> None:
    site.hides_levels = True
    site.add(Ticket("1", "x"))
    assert set(listing(connected(site)).documents) == {"1"}  # the project has none
    site.levels["7"] = [holder("user", "bob")]
    assert listing(connected(site)).reasons()["1"] == "who may read it cannot be seen"


def test_who_cannot_be_told_is_counted(site: JiraSite) -> None:
    site.browsers = [holder("group", "staff"), holder("group", "lost")]
    site.add(Ticket("1", "x"))
    told = listing(connected(site)).left_out["people"].reason
    assert "1 have no e-mail address" in told
    assert "1 groups cannot be looked into, such as lost" in told


def test_a_project_whose_permissions_cannot_be_seen_is_left_out(site: JiraSite) -> None:
    site.is_closed = True
    site.add(Ticket("1", "x"))
    found = listing(connected(site, projects=["OPS", "GONE"]))
    assert not found.documents
    assert set(found.left_out) == {"OPS", "GONE"}


def test_a_listing_goes_on_where_it_was_interrupted(site: JiraSite) -> None:
    for number in range(5):
        site.add(Ticket(str(number), "x"))
    seen = keys_in_steps(lambda: connected(site))
    assert sorted(seen) == ["0", "1", "2", "3", "4"]


def test_a_place_in_a_list_that_jira_forgot_is_told(site: JiraSite) -> None:
    for number in range(5):
        site.add(Ticket(str(number), "x"))
    cursor = listing(connected(site), steps=1).cursors[0]
    site.forgets = True
    with pytest.raises(CursorExpiredError):
        listing(connected(site), cursor)


def test_issues_are_followed_and_disappear_for_those_who_lose_them(
    site: JiraSite, tmp_path: Path
) -> None:
    desk = Desk(tmp_path / "home")
    for number in range(4):
        site.add(Ticket(str(number), f"T{number}", f"<p>Text {number}.</p>"))
    site.first.append(Told(status=429, headers={"Retry-After": "0"}))
    desk.sync(connected(site))
    assert {source.audience for source in desk.sources().values()} == set(desk.holds(*BOB))
    site.tickets["1"].description = "<p>Other.</p>"
    site.tickets["1"].updated = "2026-03-05T00:00:00.000+0000"
    del site.tickets["3"]
    site.browsers = [holder("group", "board")]
    site.asked.clear()
    desk.sync(connected(site))
    assert site.bodies() == ["1"]
    assert len(desk.sources()) == 3
    assert (len(desk.holds(*ADA)), desk.holds(*BOB)) == (1, [])


def test_a_sync_that_broke_off_goes_on_without_fetching_twice(
    site: JiraSite, tmp_path: Path
) -> None:
    desk = Desk(tmp_path / "home")
    for number in range(7):
        site.add(Ticket(str(number), "x"))
    site.refuse_after = 11
    assert desk.pull(connected(site)).error
    site.refuse_after = None
    assert desk.pull(connected(site)).error is None
    assert len(set(site.bodies())) == 7
    assert len(site.bodies()) <= 7 + site.at_once  # those that were refused


def test_an_issue_that_changed_since_it_was_listed_is_not_read(site: JiraSite) -> None:
    ticket = site.add(Ticket("1", "It breaks"))
    connector = connected(site)
    [document] = listing(connector).documents.values()
    ticket.updated = "2026-03-04T05:06:08.000+0800"
    with pytest.raises(ChangedError):
        connector.body(document)

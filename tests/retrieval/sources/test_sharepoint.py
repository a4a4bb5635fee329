from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retrieval.errors import ChangedError, CursorExpiredError, SourceError
from retrieval.sources.connector import Connector, SourceSettings
from retrieval.sources.sharepoint import connect
from tests.retrieval.sources.graph_server import (
    SECRET,
    GraphFile,
    GraphSite,
    by_link,
    to_group,
    to_login,
    to_site_group,
    to_user,
)
from tests.retrieval.sources.reading import keys_in_steps, listing
from tests.retrieval.sources.site import Told
from tests.retrieval.sources.test_syncing import Desk

ADA, BOB = frozenset({"ada@acme.example"}), frozenset({"bob@acme.example"})
FOR_ADA, FOR_BOB = to_user("ada", "Ada@acme.example"), to_user("bob")
GROUP_ID = "0123abcd-0000-0000-0000-000000000000"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[GraphSite]:
    monkeypatch.setenv("WHIMBREL_SOURCE_FILES_SECRET", SECRET)
    with GraphSite() as site:
        yield site


def connected(site: GraphSite, **more: object) -> Connector:
    options = {
        "tenant": "t3nant",
        "client_id": "app",
        "sites": ["https://team.sharepoint.com/sites/HR"],
        "url": f"{site.url}/v1.0/",
        "login_url": f"{site.url}/",
        **more,
    }
    source = SourceSettings("files", "sharepoint", Path("own"), options, audience="staff")
    return site.closing(connect(source))


def test_a_file_is_listed_with_all_that_is_known_of_it(site: GraphSite) -> None:
    site.add(GraphFile("f", "Plans", is_folder=True))
    site.add(GraphFile("1", "Leave policy.docx", b"docx", [FOR_ADA]))
    connector = connected(site)
    [document] = listing(connector).documents.values()
    assert document.key == "b!1/1"
    assert document.name == "HR/Documents/Leave policy.docx"
    assert (document.title, document.owner) == ("Leave policy.docx", "Ada Lovelace")
    assert document.url == "https://team.sharepoint.com/1"
    assert document.modified == "2026-03-01T05:06:07+00:00"
    assert document.readers == ADA
    assert connector.body(document) == b"docx"


def test_every_page_of_every_list_is_read(site: GraphSite) -> None:
    site.sites["team.sharepoint.com/sites/HR"] = ("HR", [f"b!{n}" for n in range(5)])
    site.sites["team.sharepoint.com"] = ("Home", ["b!home"])
    site.drives_of["ada@acme.example"] = "b!ada"
    names = [f"u{number}" for number in range(5)]
    site.users |= {name: f"{name}@acme.example" for name in names}
    site.groups["all"] = names
    permissions = [to_user(name) for name in names]
    for drive in ("b!home", "b!ada", *(f"b!{n}" for n in range(5))):
        for number in range(23):
            site.add(GraphFile(f"{drive}-{number}", "x.txt", b"", permissions, drive=drive))
    site.add(GraphFile("g", "Of all.txt", b"", [to_group("all")]))
    found = listing(
        connected(
            site,
            sites=["https://team.sharepoint.com/", "https://team.sharepoint.com/sites/HR"],
            users=["ada@acme.example"],
        )
    )
    assert len(found.documents) == 7 * 23 + 1
    assert set(found.readers().values()) == {frozenset(f"{name}@acme.example" for name in names)}


@pytest.mark.parametrize(
    ("permission", "options", "readers"),
    [
        (FOR_BOB, {}, ADA | BOB),
        (to_user("eve"), {}, ADA),
        (to_user("gone"), {}, ADA),
        (to_user("bob", expirationDateTime="2020-01-01T00:00:00Z"), {}, ADA),
        (to_user("bob", expirationDateTime="2100-01-01T00:00:00Z"), {}, ADA | BOB),
        (to_user("bob", roles=["sp.limited access"]), {}, ADA),
        (to_group("board"), {}, ADA | BOB),
        (to_group("lost"), {}, ADA),
        (by_link("users", FOR_BOB), {}, ADA | BOB),
        (by_link("existingAccess"), {}, ADA),
        (by_link("anonymous"), {}, ADA),
        (by_link("anonymous"), {"links": True}, None),
        (by_link("organization", FOR_BOB), {}, ADA),
        (by_link("organization"), {"links": True}, None),
        (by_link("anonymous", hasPassword=True), {"links": True}, ADA),
        (to_login("i:0#.f|membership|bob@acme.example"), {}, ADA | BOB),
        (to_login("i:0#.f|membership|live.com#bob", email="bob@acme.example"), {}, ADA | BOB),
        (to_login("i:0#.f|membership|odd"), {}, ADA),
        (to_login(f"c:0o.c|federateddirectory|{GROUP_ID}"), {}, ADA | BOB),
        (to_login(f"c:0t.c|tenant|{GROUP_ID}"), {}, ADA | BOB),
        (to_login(f"c:0o.c|federateddirectory|{GROUP_ID}_o"), {}, ADA | {"zoe@acme.example"}),
        (to_login("c:0(.s|true"), {}, None),
        (to_login("c:0-.f|rolemanager|spo-grid-all-users/t3nant"), {}, None),
        (to_login("c:0!.s|windows"), {}, ADA),
        (to_site_group("HR Members"), {}, ADA),
        (to_site_group("HR Members"), {"site_groups": {"HR Members": "board"}}, ADA | BOB),
        (to_site_group("HR Visitors"), {"site_groups": {"HR Visitors": "everybody"}}, None),
        ({"id": "app", "roles": ["write"], "grantedToV2": {"application": {"id": "x"}}}, {}, ADA),
    ],
)
def test_a_permission_opens_a_file_to_those_whom_it_names(
    site: GraphSite, permission: dict[str, Any], options: dict[str, Any], readers: object
) -> None:
    site.users["zoe"] = "zoe@acme.example"
    site.groups |= {
        "board": ["bob"], GROUP_ID: ["bob", "eve"], f"{GROUP_ID} owners": ["zoe"]
    }  # fmt: skip
    site.add(GraphFile("1", "Plan.txt", b"", [FOR_ADA, permission]))
    assert listing(connected(site, **options)).readers() == {"Plan.txt": readers}


def test_who_cannot_be_told_is_counted_and_shown_nothing(site: GraphSite) -> None:
    site.add(GraphFile("1", "Of a site's group.txt", b"", [to_site_group("HR Members")]))
    site.add(GraphFile("2", "Of nobody known.txt", b"", [to_user("eve")]))
    site.add(GraphFile("3", "Of nobody.txt"))
    found = listing(connected(site))
    assert not found.documents
    assert set(found.left_out) == {"b!1/1", "b!1/2", "b!1/3", "people"}
    assert "1 have no e-mail address" in found.left_out["people"].reason
    assert "HR Members" in found.left_out["people"].reason


def test_a_file_whose_permissions_cannot_be_seen_is_left_out(site: GraphSite) -> None:
    site.add(GraphFile("1", "Theirs.txt", b"", [FOR_ADA]))
    site.hidden.add("1")
    assert listing(connected(site)).reasons() == {"b!1/1": "who may read it cannot be seen"}


def test_permissions_that_were_too_much_in_a_batch_are_asked_for_alone(site: GraphSite) -> None:
    site.add(GraphFile("1", "One.txt", b"", [FOR_ADA]))
    site.add(GraphFile("2", "Two.txt", b"", [FOR_BOB]))
    site.busy.add("2")
    assert listing(connected(site)).readers() == {"One.txt": ADA, "Two.txt": BOB}


def test_what_was_deleted_has_gone(site: GraphSite) -> None:
    site.add(GraphFile("1", "One.txt", b"", [FOR_ADA], is_deleted=True))
    found = listing(connected(site))
    assert (found.gone, found.documents) == (["b!1/1"], {})


def test_what_is_taken_for_malware_is_left_out(site: GraphSite) -> None:
    site.add(GraphFile("1", "One.txt", b"", [FOR_ADA], more={"malware": {"description": "x"}}))
    assert "malware" in listing(connected(site)).reasons()["b!1/1"]


def test_a_site_that_is_not_found_is_named(site: GraphSite) -> None:
    found = listing(connected(site, sites=["https://team.sharepoint.com/sites/No"], users=["zoe"]))
    assert set(found.left_out) == {"https://team.sharepoint.com/sites/No", "zoe"}


def test_a_wrong_secret_ends_the_listing(site: GraphSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHIMBREL_SOURCE_FILES_SECRET", "wrong")
    with pytest.raises(SourceError, match="credentials"):
        listing(connected(site))


def test_a_listing_goes_on_where_it_was_interrupted(site: GraphSite) -> None:
    site.sites["team.sharepoint.com/sites/HR"] = ("HR", ["b!1", "b!2"])
    for number in range(5):
        for drive in ("b!1", "b!2"):
            site.add(GraphFile(f"{drive[2]}{number}", "x.txt", b"", [FOR_ADA], drive))
    seen = keys_in_steps(lambda: connected(site))
    assert sorted(seen) == sorted({f"b!{d}/{d}{n}" for d in (1, 2) for n in range(5)})


def test_a_place_in_a_list_that_graph_forgot_is_told(site: GraphSite) -> None:
    for number in range(5):
        site.add(GraphFile(str(number), "x.txt", b"", [FOR_ADA]))
    cursor = listing(connected(site), steps=1).cursors[0]
    site.forgets = True
    with pytest.raises(CursorExpiredError):
        listing(connected(site), cursor)


def test_a_file_that_is_shared_with_fewer_disappears_for_the_others(
    site: GraphSite, tmp_path: Path
) -> None:
    desk = Desk(tmp_path / "home")
    pay = site.add(GraphFile("1", "Pay.txt", b"Pay comes on the 25th.", [FOR_ADA, FOR_BOB]))
    site.add(GraphFile("2", "Leave.txt", b"There are 27 days.", [FOR_ADA, FOR_BOB]))
    desk.sync(connected(site))
    name = "shelf/HR/Documents/{}.txt"
    assert desk.sources()[name.format("Pay")].audience in desk.holds(*BOB)
    pay.permissions = [FOR_ADA]
    site.asked.clear()
    site.first.append(Told(status=429, headers={"Retry-After": "0"}))
    assert desk.sync(connected(site)) == 0
    assert not site.bodies()
    audience = desk.sources()[name.format("Pay")].audience
    assert (audience in desk.holds(*ADA), audience in desk.holds(*BOB)) == (True, False)
    assert desk.sources()[name.format("Leave")].audience in desk.holds(*BOB)


def test_files_are_followed_when_they_change_and_go(site: GraphSite, tmp_path: Path) -> None:
    desk = Desk(tmp_path / "home")
    for number in range(4):
        site.add(GraphFile(str(number), f"{number}.txt", b"N%d." % number, [FOR_ADA]))
    desk.sync(connected(site))
    site.files["0"].data, site.files["0"].version = b"Other words.", 2
    site.files["1"].name = "Renamed.txt"
    site.files["2"].is_deleted = True
    del site.files["3"]
    desk.sync(connected(site))
    assert {source.title for source in desk.sources().values()} == {"0.txt", "Renamed.txt"}
    assert desk.texts() == {"Other words.", "N1."}


def test_a_sync_that_broke_off_goes_on_without_fetching_twice(
    site: GraphSite, tmp_path: Path
) -> None:
    desk = Desk(tmp_path / "home")
    for number in range(7):
        site.add(GraphFile(str(number), f"{number}.txt", b"N%d." % number, [FOR_ADA]))
    site.refuse_after = 14
    assert desk.pull(connected(site)).error
    site.refuse_after = None
    assert desk.pull(connected(site)).error is None
    assert len(set(site.bodies())) == 7
    assert len(site.bodies()) <= 7 + site.at_once  # those that were refused


@pytest.mark.parametrize("is_edited", [False, True])
def test_who_may_read_a_file_is_asked_again_once_it_was_fetched(
    site: GraphSite, is_edited: bool
) -> None:
    file = site.add(GraphFile("1", "Plan.txt", b"open", [FOR_ADA, FOR_BOB]))
    connector = connected(site)
    document = listing(connector).documents["b!1/1"]
    assert connector.body(document) == b"open"
    if is_edited:
        file.version = 2
    else:
        file.permissions = [FOR_ADA]
    with pytest.raises(ChangedError):
        connector.body(document)
    fetched = next(n for n, path in enumerate(reversed(site.paths())) if "download" in path)
    assert fetched == 2  # the file and its permissions were asked for after it


def test_a_file_that_nobody_sees_the_permissions_of_any_more_is_not_read(site: GraphSite) -> None:
    site.add(GraphFile("1", "Plan.txt", b"open", [to_login("c:0(.s|true")]))
    connector = connected(site)
    document = listing(connector).documents["b!1/1"]
    assert document.readers is None
    site.hidden.add("1")
    with pytest.raises(ChangedError):
        connector.body(document)

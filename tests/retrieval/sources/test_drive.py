from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.errors import ChangedError, CursorExpiredError, SettingsError, SourceError
from retrieval.sources.connector import Connector, SourceSettings
from retrieval.sources.drive import connect
from tests.retrieval.sources.drive_server import (
    DOCUMENT,
    FOLDER,
    GOOGLE,
    SECRET,
    SHORTCUT,
    DriveSite,
    Item,
    anyone,
    domain,
    group,
    user,
)
from tests.retrieval.sources.reading import keys_in_steps, listing
from tests.retrieval.sources.site import Told
from tests.retrieval.sources.test_syncing import Desk

ADA, BOB = frozenset({"ada@acme.example"}), frozenset({"bob@acme.example"})
FOR_ADA, FOR_BOB = user("Ada@acme.example", "owner"), user("bob@acme.example")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[DriveSite]:
    with DriveSite() as site:
        told = {
            "type": "authorized_user",
            "client_id": "app",
            "client_secret": "x",
            "refresh_token": SECRET,
            "token_uri": f"{site.url}/token",
        }
        monkeypatch.setenv("WHIMBREL_SOURCE_FILES_CREDENTIALS", json.dumps(told))
        yield site


def connected(site: DriveSite, **more: object) -> Connector:
    options = {"url": f"{site.url}/drive/v3/", "directory_url": f"{site.url}/directory/", **more}
    source = SourceSettings("files", "drive", Path("own"), options, audience="staff")
    return site.closing(connect(source))


def test_a_file_is_listed_with_all_that_is_known_of_it(site: DriveSite) -> None:
    site.add(Item("f", "Staff / all", FOLDER, grants=[FOR_ADA]))
    site.add(Item("g", "2026", FOLDER, parent="f"))
    site.add(Item("1", "Leave policy", DOCUMENT, parent="g", data=b"docx"))
    site.add(Item("2", "notes.txt", parent="g", grants=[FOR_BOB], data=b"text"))
    connector = connected(site)
    found = listing(connector).documents
    policy, notes = found["1"], found["2"]
    assert policy.name == "Staff all/2026/Leave policy.docx"
    assert (policy.title, policy.owner) == ("Leave policy", "Ada Lovelace")
    assert policy.url == "https://docs.example/d/1"
    assert policy.modified == "2026-03-04T05:06:07+00:00"
    assert (policy.readers, notes.readers) == (ADA, ADA | BOB)
    assert notes.name == "Staff all/2026/notes.txt"
    assert (connector.body(policy), connector.body(notes)) == (b"docx", b"text")
    assert site.tokens == 1


def test_every_page_of_every_list_is_read(site: DriveSite) -> None:
    for number in range(5):
        site.drives[f"d{number}"] = [FOR_ADA, FOR_BOB, user("zoe@acme.example")]
        site.add(Item(f"s{number}", f"S{number}", drive=f"d{number}", parent=f"d{number}"))
        site.add(Item(f"f{number}", "F", FOLDER, grants=[FOR_ADA]))
        site.add(Item(f"m{number}", f"M{number}", parent=f"f{number}"))
    found = listing(connected(site)).readers()
    assert len(found) == 10
    assert found["S4"] == ADA | BOB | {"zoe@acme.example"}
    assert found["M4"] == ADA


@pytest.mark.parametrize(
    ("grant", "options", "readers"),
    [
        (anyone(), {}, None),
        (anyone(found=False), {}, ADA),
        (anyone(found=False), {"links": True}, None),
        (domain("acme.example"), {}, ADA),
        (domain("acme.example"), {"domains": ["ACME.example"]}, None),
        (domain("acme.example", found=False), {"domains": ["acme.example"]}, ADA),
        (domain("acme.example", found=False), {"domains": ["acme.example"], "links": True}, None),
        (domain("other.example"), {"domains": ["acme.example"]}, ADA),
        (user("bob@acme.example", deleted=True), {}, ADA),
        (user("bob@acme.example", view="published"), {}, ADA),
        (user("bob@acme.example", expirationTime="2020-01-01T00:00:00.000Z"), {}, ADA),
        (user("bob@acme.example", expirationTime="2100-01-01T00:00:00.000Z"), {}, ADA | BOB),
        (group("board@acme.example"), {}, ADA),
        (group("board@acme.example"), {"groups": True}, ADA | BOB),
        (group("lost@acme.example"), {"groups": True}, ADA),
        (group("all@acme.example"), {"groups": True}, ADA),
        (group("all@acme.example"), {"groups": True, "domains": ["acme.example"]}, None),
    ],
)
def test_a_permission_opens_a_file_to_those_whom_it_names(
    site: DriveSite, grant: dict[str, object], options: dict[str, object], readers: object
) -> None:
    site.groups["board@acme.example"] = [
        {"type": "GROUP", "email": "inner@acme.example"},
        {"type": "USER", "email": "Bob@acme.example"},
        {"type": "USER", "email": "ada@acme.example"},
    ]
    site.groups["all@acme.example"] = [{"type": "CUSTOMER", "id": "C1"}]
    site.add(Item("1", "Plan.txt", grants=[FOR_ADA, grant]))
    assert listing(connected(site, **options)).readers() == {"Plan.txt": readers}


def test_who_cannot_be_told_is_counted_and_shown_nothing(site: DriveSite) -> None:
    site.add(Item("1", "Of a group.txt", grants=[group("board@acme.example")]))
    site.add(Item("2", "Of nobody known.txt", grants=[user("")]))
    site.add(Item("3", "Of a domain.txt", grants=[domain("acme.example")]))
    found = listing(connected(site))
    assert not found.documents
    assert set(found.left_out) == {"1", "2", "3", "people"}
    told = found.left_out["people"].reason
    assert "1 have no e-mail address" in told
    assert "2 groups" in told
    assert "board@acme.example" in told


def test_a_file_whose_permissions_cannot_be_seen_is_left_out(site: DriveSite) -> None:
    site.add(Item("1", "Theirs.txt", grants=[FOR_BOB], is_shareable=False))
    assert listing(connected(site)).reasons() == {"1": "who may read it cannot be seen"}


def test_a_shared_drive_s_files_are_for_its_members_and_whom_a_folder_adds(
    site: DriveSite,
) -> None:
    site.drives["d"] = [FOR_ADA]
    site.add(Item("f", "Open", FOLDER, parent="d", drive="d", grants=[FOR_BOB]))
    site.add(Item("1", "In it.txt", parent="f", drive="d"))
    site.add(Item("2", "Beside it.txt", parent="d", drive="d"))
    site.add(Item("3", "Of one more.txt", parent="d", drive="d", grants=[user("zoe@acme.example")]))
    found = listing(connected(site)).readers()
    assert found == {
        "In it.txt": ADA | BOB,
        "Beside it.txt": ADA,
        "Of one more.txt": ADA | {"zoe@acme.example"},
    }
    asked = [path for path in site.paths() if path.endswith("/permissions")]
    assert len(asked) == 3  # of the drive, of the folder and of the file that is shared besides


def test_a_folder_with_limited_access_is_for_those_who_are_named_there(site: DriveSite) -> None:
    site.drives["d"] = [user("ada@acme.example", "organizer"), FOR_BOB]
    zoe = user("zoe@acme.example")
    site.add(Item("f", "Board", FOLDER, "d", [zoe], drive="d", is_limited=True))
    site.add(Item("g", "Minutes", FOLDER, "f", drive="d"))
    site.add(Item("1", "January.txt", parent="g", drive="d"))
    site.add(Item("2", "Open.txt", parent="d", drive="d"))
    found = listing(connected(site)).readers()
    assert found == {"January.txt": ADA | {"zoe@acme.example"}, "Open.txt": ADA | BOB}


def test_what_is_in_the_bin_is_not_listed(site: DriveSite) -> None:
    site.add(Item("f", "Old", FOLDER, grants=[FOR_ADA], is_trashed=True))
    site.add(Item("1", "In it.txt", parent="f", grants=[FOR_ADA]))
    site.add(Item("2", "Itself.txt", grants=[FOR_ADA], is_trashed=True))
    assert not listing(connected(site)).documents


def test_only_what_is_below_the_folders_is_read(site: DriveSite) -> None:
    site.add(Item("f", "Wanted", FOLDER, grants=[FOR_ADA]))
    site.add(Item("g", "Deeper", FOLDER, parent="f"))
    site.add(Item("1", "Deep.txt", parent="g"))
    site.add(Item("2", "Elsewhere.txt", grants=[FOR_ADA]))
    assert set(listing(connected(site, folders=["f"])).readers()) == {"Deep.txt"}


def test_a_shortcut_is_read_where_it_leads_elsewhere(site: DriveSite) -> None:
    site.add(Item("f", "Wanted", FOLDER, grants=[FOR_ADA]))
    site.add(Item("1", "Inside.txt", parent="f"))
    site.add(Item("2", "Outside.txt", grants=[FOR_BOB]))
    site.add(Item("3", "Binned.txt", grants=[FOR_BOB], is_trashed=True))
    for number, target in enumerate(("1", "2", "3", "gone", "f")):
        site.add(Item(f"s{number}", f"To {target}", SHORTCUT, parent="f", target=target))
    assert listing(connected(site, folders=["f"])).readers() == {
        "Inside.txt": ADA,
        "Outside.txt": BOB,
    }
    assert set(listing(connected(site)).documents) == {"1", "2"}


def test_what_cannot_be_read_is_named(site: DriveSite) -> None:
    site.add(Item("1", "Survey", f"{GOOGLE}form", grants=[FOR_ADA]))
    site.add(Item("2", "Closed.txt", grants=[FOR_ADA], may_download=False))
    site.add(Item("3", "Huge", DOCUMENT, grants=[FOR_ADA], data=b"x" * 2000))
    connector = connected(site, drives=[])
    found = listing(connector)
    assert "type of Google's" in found.reasons()["1"]
    assert found.reasons()["2"] == "may not be downloaded"
    with pytest.raises(SourceError, match="10 MB are the most") as caught:
        connector.body(found.documents["3"])
    assert caught.value.status is None


def test_a_shared_drive_that_the_account_is_not_in_is_named(site: DriveSite) -> None:
    site.drives["d"] = [FOR_ADA]
    site.add(Item("1", "In it.txt", parent="d", drive="d"))
    site.add(Item("2", "Mine.txt", grants=[FOR_ADA]))
    found = listing(connected(site, drives=["d", "e"]))
    assert set(found.documents) == {"1"}
    assert found.reasons() == {"e": "is no shared drive that the account is in"}


def test_a_search_that_google_did_not_end_is_no_whole_listing(site: DriveSite) -> None:
    site.is_incomplete = True
    with pytest.raises(SourceError, match="did not search everything"):
        listing(connected(site))


def test_a_listing_goes_on_where_it_was_interrupted(site: DriveSite) -> None:
    site.drives["d"] = [FOR_ADA]
    for number in range(5):
        site.add(Item(f"m{number}", f"M{number}", grants=[FOR_ADA]))
        site.add(Item(f"s{number}", f"S{number}", drive="d", parent="d"))
    seen = keys_in_steps(lambda: connected(site))
    assert sorted(seen) == sorted([*(f"m{n}" for n in range(5)), *(f"s{n}" for n in range(5))])


def test_a_place_in_a_list_that_google_forgot_is_told(site: DriveSite) -> None:
    for number in range(5):
        site.add(Item(f"m{number}", f"M{number}", grants=[FOR_ADA]))
    cursor = listing(connected(site), steps=1).cursors[0]
    site.forgets = True
    with pytest.raises(CursorExpiredError):
        listing(connected(site), cursor)


def test_a_limit_that_google_tells_as_forbidden_is_waited_for(site: DriveSite) -> None:
    site.add(Item("1", "One.txt", grants=[FOR_ADA]))
    connector = connected(site)
    listing(connector)
    error = {"errors": [{"domain": "usageLimits", "reason": "userRateLimitExceeded"}], "code": 403}
    site.first.append(Told({"error": error}, 403, {"Retry-After": "0"}))
    assert set(listing(connector).documents) == {"1"}


def test_a_service_account_signs_for_whom_it_acts(
    site: DriveSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    jwt = pytest.importorskip("google.auth.jwt")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    told = {
        "type": "service_account",
        "client_email": "bot@project.example",
        "private_key": pem.decode(),
        "private_key_id": "k1",
        "token_uri": f"{site.url}/token",
    }
    monkeypatch.setenv("WHIMBREL_SOURCE_FILES_CREDENTIALS", json.dumps(told))
    site.add(Item("1", "One.txt", grants=[FOR_ADA]))
    assert listing(connected(site, subject="ada@acme.example")).documents
    said = jwt.decode(site.assertions[0], certs=public.decode())
    assert (said["iss"], said["sub"]) == ("bot@project.example", "ada@acme.example")
    assert said["scope"] == "https://www.googleapis.com/auth/drive.readonly"
    assert said["aud"] == f"{site.url}/token"


def test_a_service_account_s_key_that_is_none_is_told(
    site: DriveSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("google.auth.jwt")
    told = {"type": "service_account", "client_email": "bot@x.example", "private_key": "none"}
    monkeypatch.setenv("WHIMBREL_SOURCE_FILES_CREDENTIALS", json.dumps(told))
    with pytest.raises(SettingsError, match="no key of a service account"):
        listing(connected(site))


@pytest.mark.parametrize("told", ["no json", "[]", "{}", '{"type": "external_account"}'])
def test_credentials_that_cannot_be_used_are_refused(
    site: DriveSite, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    monkeypatch.setenv("WHIMBREL_SOURCE_FILES_CREDENTIALS", told)
    with pytest.raises(SettingsError, match="credentials"):
        connected(site)


def test_a_file_that_is_shared_with_fewer_disappears_for_the_others(
    site: DriveSite, tmp_path: Path
) -> None:
    desk = Desk(tmp_path / "home")
    pay = site.add(Item("1", "Pay.txt", grants=[FOR_ADA, FOR_BOB], data=b"Pay comes on the 25th."))
    site.add(Item("2", "Leave.txt", grants=[FOR_ADA, FOR_BOB], data=b"There are 27 days."))
    desk.sync(connected(site))
    both = desk.sources()["shelf/Pay.txt"].audience
    assert both in desk.holds(*BOB)
    pay.grants.remove(FOR_BOB)
    site.asked.clear()
    assert desk.sync(connected(site)) == 0
    assert not site.bodies()
    now = desk.sources()["shelf/Pay.txt"].audience
    assert (now in desk.holds(*ADA), now in desk.holds(*BOB)) == (True, False)
    assert desk.sources()["shelf/Leave.txt"].audience in desk.holds(*BOB)


def test_files_are_followed_when_they_change_move_and_go(site: DriveSite, tmp_path: Path) -> None:
    desk = Desk(tmp_path / "home")
    site.add(Item("f", "Board", FOLDER, grants=[FOR_ADA]))
    for number in range(4):
        site.add(Item(str(number), f"{number}.txt", grants=[FOR_BOB], data=b"N%d." % number))
    desk.sync(connected(site))
    site.items["0"].data = b"Other words."
    site.items["1"].parent, site.items["1"].grants = "f", []
    site.items["2"].is_trashed = True
    desk.sync(connected(site))
    assert set(desk.sources()) == {"shelf/0.txt", "shelf/Board/1.txt", "shelf/3.txt"}
    assert "Other words." in desk.texts()
    assert desk.sources()["shelf/Board/1.txt"].audience not in desk.holds(*BOB)


def test_a_sync_that_broke_off_goes_on_without_fetching_twice(
    site: DriveSite, tmp_path: Path
) -> None:
    desk = Desk(tmp_path / "home")
    for number in range(9):
        site.add(Item(str(number), f"{number}.txt", grants=[FOR_ADA], data=b"N%d." % number))
    site.refuse_after = 10
    assert desk.pull(connected(site)).error
    site.refuse_after = None
    assert desk.pull(connected(site)).error is None
    assert len(set(site.bodies())) == 9
    assert len(site.bodies()) <= 9 + site.at_once  # those that were refused


def test_a_file_that_changed_since_it_was_listed_is_not_read(site: DriveSite) -> None:
    site.add(Item("1", "notes.txt", grants=[FOR_ADA], data=b"open"))
    connector = connected(site)
    document = listing(connector).documents["1"]
    site.items["1"].data = b"secret"
    with pytest.raises(ChangedError):
        connector.body(document)


@pytest.mark.parametrize("drive", [None, "d"])
@pytest.mark.parametrize("kind", [DOCUMENT, "text/plain"])
def test_who_may_read_a_file_is_asked_again_once_it_was_fetched(
    site: DriveSite, kind: str, drive: str | None
) -> None:
    site.drives["d"] = [FOR_ADA, FOR_BOB]
    grants = [] if drive else [FOR_ADA, FOR_BOB]
    plan = site.add(Item("1", "Plan", kind, grants=grants, data=b"open", drive=drive, parent=drive))
    connector = connected(site)
    document = listing(connector).documents["1"]
    assert connector.body(document) == b"open"
    (site.drives["d"] if drive else plan.grants).remove(FOR_BOB)
    with pytest.raises(ChangedError):
        connector.body(document)


def test_a_document_of_google_s_that_changed_since_it_was_listed_is_not_read(
    site: DriveSite,
) -> None:
    plan = site.add(Item("1", "Plan", DOCUMENT, grants=[FOR_ADA], data=b"open"))
    connector = connected(site)
    document = listing(connector).documents["1"]
    plan.data, plan.modified = b"secret", "2026-03-05T05:06:07.890Z"
    with pytest.raises(ChangedError):
        connector.body(document)

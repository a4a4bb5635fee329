from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from retrieval.documents.loaders.markup import load_html
from retrieval.errors import CursorExpiredError, SourceError
from retrieval.sources.confluence import connect
from retrieval.sources.connector import Connector, SourceSettings
from tests.retrieval.sources.confluence_server import (
    TOKEN,
    USER,
    CloudWiki,
    ServerWiki,
    Wiki,
    WikiPage,
    WikiSpace,
)
from tests.retrieval.sources.reading import listing
from tests.retrieval.sources.site import Asked, Told

ADA, BOB = frozenset({"ada@acme.example"}), frozenset({"bob@acme.example"})
BOTH = ADA | BOB


@pytest.fixture(params=[CloudWiki, ServerWiki])
def wiki(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wiki]:
    monkeypatch.setenv("WHIMBREL_SOURCE_WIKI_TOKEN", TOKEN)
    with request.param() as site:
        yield site


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudWiki]:
    monkeypatch.setenv("WHIMBREL_SOURCE_WIKI_TOKEN", TOKEN)
    with CloudWiki() as site:
        yield site


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerWiki]:
    monkeypatch.setenv("WHIMBREL_SOURCE_WIKI_TOKEN", TOKEN)
    with ServerWiki() as site:
        yield site


def connected(wiki: Wiki, **more: object) -> Connector:
    is_cloud = isinstance(wiki, CloudWiki)
    options = {
        "url": f"{wiki.url}{wiki.root}",
        "edition": "cloud" if is_cloud else "server",
        **({"user": USER} if is_cloud else {}),
        **more,
    }
    source = SourceSettings("wiki", "confluence", Path("own"), options, audience="staff")
    return wiki.closing(connect(source))


def text(connector: Connector, id_: str = "1") -> str:
    [document] = [d for d in listing(connector).documents.values() if d.key.endswith(f"/{id_}")]
    [loaded] = load_html(connector.body(document))
    return " ".join(" ".join(section.text for section in loaded.sections).split())


def test_a_page_is_listed_with_all_that_is_known_of_it(wiki: Wiki) -> None:
    wiki.add(WikiPage("1", "Leave / holidays", version=3))
    [document] = listing(connected(wiki)).documents.values()
    assert document.key == "page/1"
    assert document.name == "HR/Leave holidays.html"
    assert document.title == "Leave / holidays"
    assert document.url == f"{wiki.url}{wiki.root}/spaces/HR/pages/1"
    assert document.owner == "Ada Lovelace"
    assert document.modified == "2026-02-03T02:00:00+00:00"
    assert document.readers == BOTH


def test_every_page_of_every_list_is_read(wiki: Wiki) -> None:
    for number in range(7):
        wiki.add(WikiPage(str(number + 1), f"Page {number}"))
    wiki.add(WikiPage("20", "News", kind="blogpost"))
    wiki.spaces |= {key: WikiSpace(str(ord(key)), key, readers=[("user", "bob")]) for key in "ABC"}
    wiki.add(WikiPage("30", "Of C", space="C"))
    found = listing(connected(wiki)).readers()
    assert len(found) == 9
    assert found["Of C"] == BOB


def test_what_is_restricted_is_for_those_who_are_named_and_may_read_the_space(wiki: Wiki) -> None:
    wiki.people["zoe"] = ("Zoe", "zoe@acme.example")
    wiki.add(WikiPage("1", "Open"))
    wiki.add(WikiPage("2", "Of a group", groups=["board"]))
    wiki.add(WikiPage("3", "Of people", users=["bob", "zoe"]))
    wiki.add(WikiPage("4", "Of all of them", users=["bob"], groups=["board"]))
    assert listing(connected(wiki)).readers() == {
        "Open": BOTH,
        "Of a group": ADA,
        "Of people": BOB,
        "Of all of them": BOTH,
    }


def test_a_restriction_holds_for_all_that_is_below(wiki: Wiki) -> None:
    wiki.add(WikiPage("1", "Top", users=["ada", "bob"]))
    wiki.add(WikiPage("2", "Middle", parent="1", users=["ada"]))
    wiki.add(WikiPage("3", "Bottom", parent="2"))
    wiki.add(WikiPage("4", "Aside", parent="1"))
    wiki.add(WikiPage("5", "Of Bob below Ada's", parent="2", users=["bob"]))
    found = listing(connected(wiki))
    assert found.readers()["Bottom"] == ADA
    assert found.readers()["Aside"] == BOTH
    assert "nobody who may read it" in found.reasons()["page/5"]


def test_a_long_list_of_names_is_read_to_its_end(wiki: Wiki) -> None:
    names = [f"p{number}" for number in range(5)]
    wiki.people |= {name: (name, f"{name}@acme.example") for name in names}
    wiki.groups["staff"] += names
    wiki.add(WikiPage("1", "Of many", users=names))
    assert listing(connected(wiki)).readers() == {
        "Of many": frozenset(f"{n}@acme.example" for n in names)
    }


def test_a_page_that_is_restricted_later_is_another_document_with_the_same_body(wiki: Wiki) -> None:
    page = wiki.add(WikiPage("1", "Pay"))
    before = listing(connected(wiki)).documents["page/1"]
    page.users = ["ada"]
    after = listing(connected(wiki)).documents["page/1"]
    assert (before.readers, after.readers) == (BOTH, ADA)
    assert (before.version, before.name) == (after.version, after.name)


def test_one_who_left_a_group_reads_nothing_of_it_any_more(wiki: Wiki) -> None:
    wiki.add(WikiPage("1", "Open"))
    connector = connected(wiki)
    listing(connector)
    wiki.groups["staff"].remove("bob")
    assert listing(connector).readers() == {"Open": ADA}


def test_who_has_no_address_is_counted_and_shown_nothing(wiki: Wiki) -> None:
    wiki.add(WikiPage("1", "Of Eve", users=["eve"]))
    wiki.add(WikiPage("2", "Of a lost group", groups=["lost"]))
    found = listing(connected(wiki))
    assert not found.documents
    assert set(found.left_out) == {"page/1", "page/2", "people"}
    assert "1 have no e-mail address" in found.left_out["people"].reason
    assert "1 groups cannot be looked into, such as lost" in found.left_out["people"].reason


def test_a_page_whose_restriction_cannot_be_seen_is_left_out(wiki: Wiki) -> None:
    wiki.add(WikiPage("1", "Of many", users=["ada", "bob"]))  # as many as a list holds
    wiki.closed_permissions.add("1")
    assert listing(connected(wiki)).reasons()["page/1"] == "who may read it cannot be seen"


def test_a_space_that_anybody_may_read_is_for_everybody_at_the_source(wiki: Wiki) -> None:
    anybody = ("access-class", "anonymous-users")
    wiki.spaces["HR"].readers.append(anybody if isinstance(wiki, CloudWiki) else ("anonymous", ""))
    wiki.add(WikiPage("1", "Open"))
    wiki.add(WikiPage("2", "Of one", users=["bob"]))
    assert listing(connected(wiki)).readers() == {"Open": None, "Of one": BOB}


def test_a_group_of_everybody_need_not_be_listed(wiki: Wiki) -> None:
    wiki.add(WikiPage("1", "Open"))
    wiki.add(WikiPage("2", "Of the board", groups=["board"]))
    readers = listing(connected(wiki, everybody=["staff"])).readers()
    assert readers == {"Open": None, "Of the board": ADA}


def test_people_s_own_spaces_and_unknown_ones_are_not_read(wiki: Wiki) -> None:
    wiki.spaces["~bob"] = WikiSpace("12", "~bob", "personal", [("user", "bob")])
    wiki.add(WikiPage("1", "Mine", space="~bob"))
    assert not listing(connected(wiki)).documents
    found = listing(connected(wiki, spaces=["~bob", "GONE"]))
    assert found.readers() == {"Mine": BOB}
    assert found.reasons()["GONE"] == "is no space that the token may read"


def test_a_page_in_the_bin_is_not_listed(wiki: Wiki) -> None:
    wiki.add(WikiPage("1", "Kept"))
    wiki.add(WikiPage("2", "Binned", status="trashed"))
    wiki.add(WikiPage("3", "Archived", status="archived"))
    assert set(listing(connected(wiki)).readers()) == {"Kept"}


def test_a_file_is_for_those_who_may_read_its_page(wiki: Wiki) -> None:
    wiki.add(WikiPage("1", "Top", groups=["board"]))
    wiki.add(WikiPage("2", "Pay", parent="1"))
    data = b"band,pay\n1,2\n"
    wiki.add(WikiPage("91", "Bands 2026.csv", kind="attachment", parent="2", data=data))
    connector = connected(wiki)
    document = listing(connector).documents["attachment/2/91"]
    assert (document.name, document.readers) == ("HR/Pay/Bands 2026.csv", ADA)
    assert connector.body(document) == data
    assert not [d for d in listing(connected(wiki, attachments=False)).documents if "/9" in d]


def test_a_file_on_what_is_no_page_is_left_out(wiki: Wiki) -> None:
    wiki.add(WikiPage("1", "Top", groups=["board"]))
    wiki.add(WikiPage("2", "Re: Top", kind="comment", parent="1"))
    wiki.add(WikiPage("91", "a.txt", kind="attachment", parent="2"))
    reasons = listing(connected(wiki)).reasons()
    assert reasons["attachment/2/91"] == "who may read it cannot be seen"


def test_a_page_is_left_out_where_nothing_says_what_is_above_it(wiki: Wiki) -> None:
    wiki.add(WikiPage("1", "Top", groups=["board"]))
    wiki.add(WikiPage("2", "Below", parent="1"))
    wiki.hides_ancestors = True
    found = listing(connected(wiki))
    assert not found.documents
    assert found.reasons()["page/2"] == "who may read it cannot be seen"


def test_a_list_of_people_that_names_no_next_part_is_read_to_its_end(wiki: Wiki) -> None:
    names = [f"p{number}" for number in range(5)]
    wiki.people |= {name: (name, f"{name}@acme.example") for name in names}
    wiki.groups["staff"] = names
    wiki.links_parts = False
    wiki.add(WikiPage("1", "Open"))
    assert listing(connected(wiki)).readers() == {
        "Open": frozenset(f"{name}@acme.example" for name in names)
    }


def test_a_listing_goes_on_where_it_was_interrupted(wiki: Wiki) -> None:
    for number in range(5):
        wiki.add(WikiPage(str(number + 1), f"Page {number}", users=["ada"]))
    wiki.add(WikiPage("91", "a.txt", kind="attachment", parent="1"))
    whole = listing(connected(wiki))
    seen: set[str] = set()
    cursor, steps = None, 0
    while steps == 0 or cursor is not None:
        part = listing(connected(wiki), cursor, steps=1)
        assert not seen & set(part.documents)
        seen |= set(part.documents)
        cursor, steps = part.cursors[0], steps + 1
    assert seen == set(whole.documents)
    assert len(whole.documents) == 6
    assert steps > 4


def test_a_place_in_a_list_that_the_wiki_forgot_is_told(wiki: Wiki) -> None:
    for number in range(5):
        wiki.add(WikiPage(str(number + 1), f"Page {number}"))
    cursor = listing(connected(wiki), steps=1).cursors[0]
    wiki.forgets = True
    with pytest.raises(CursorExpiredError):
        listing(connected(wiki), cursor)


def test_a_wiki_that_wants_us_to_wait_is_waited_for(wiki: Wiki) -> None:
    wiki.add(WikiPage("1", "Open"))
    wiki.first.append(Told(status=429, headers={"Retry-After": "0"}))
    assert set(listing(connected(wiki)).readers()) == {"Open"}


def test_wrong_credentials_end_the_listing(wiki: Wiki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHIMBREL_SOURCE_WIKI_TOKEN", "wrong")
    with pytest.raises(SourceError, match="credentials"):
        listing(connected(wiki))


def test_only_bodies_that_are_wanted_are_asked_for(wiki: Wiki) -> None:
    wiki.add(WikiPage("1", "One", "<p>first</p>"))
    wiki.add(WikiPage("2", "Two", "<p>second</p>"))
    connector = connected(wiki)
    documents = listing(connector).documents
    assert not wiki.bodies()
    assert b"second" in connector.body(documents["page/2"])
    assert wiki.bodies() == ["2"]


def test_a_page_is_read_with_its_macros(wiki: Wiki) -> None:
    key = "account-id" if isinstance(wiki, CloudWiki) else "userkey"
    ada = "ada" if isinstance(wiki, CloudWiki) else "key-ada"
    wiki.add(
        WikiPage(
            "1",
            "Leave",
            f'<p>Ask <ac:link><ri:user ri:{key}="{ada}" /></ac:link>&nbsp;first.</p>'
            '<ac:structured-macro ac:name="info"><ac:parameter ac:name="title">Mind</ac:parameter>'
            "<ac:rich-text-body><p>27 days.</p></ac:rich-text-body></ac:structured-macro>",
        )
    )
    assert text(connected(wiki)) == "Ask Ada Lovelace first. Mind 27 days."


def test_addresses_that_lists_hide_are_looked_up(cloud: CloudWiki) -> None:
    cloud.hidden_in_lists = {"ada", "bob"}
    cloud.add(WikiPage("1", "Open"))
    cloud.add(WikiPage("2", "Of Ada", users=["ada"]))
    found = listing(connected(cloud)).readers()
    assert found == {"Open": BOTH, "Of Ada": ADA}


def test_programs_are_not_counted_as_people(cloud: CloudWiki) -> None:
    cloud.people["app-1"] = ("Some app", "")
    cloud.groups["staff"].append("app-1")
    cloud.add(WikiPage("1", "Open"))
    assert "1 have no e-mail" in listing(connected(cloud)).left_out["people"].reason


def test_a_space_whose_readers_the_token_may_not_see_is_left_out(cloud: CloudWiki) -> None:
    cloud.closed_permissions.add("11")
    cloud.add(WikiPage("1", "Open"))
    found = listing(connected(cloud))
    assert found.reasons() == {"HR": "the token may not see who may read the space"}
    assert not found.documents


def test_an_older_server_is_asked_in_its_own_way(server: ServerWiki) -> None:
    server.is_older = True
    server.spaces["HR"].readers = [("user", "bob")]
    server.add(WikiPage("1", "Open"))
    assert listing(connected(server)).readers() == {"Open": BOB}
    server.spaces["HR"].readers.append(("anonymous", ""))
    assert listing(connected(server)).readers() == {"Open": None}


def test_a_server_s_users_may_have_addresses_by_rule(server: ServerWiki) -> None:
    server.add(WikiPage("1", "Open"))
    found = listing(connected(server, emails="{username}@acme.test")).readers()
    assert found == {"Open": frozenset(f"{name}@acme.test" for name in ("ada", "bob", "eve"))}
    assert not any("profile" in path for path in server.paths())


def test_a_list_that_leads_back_to_itself_ends_the_listing(wiki: Wiki) -> None:
    for number in range(3):
        wiki.add(WikiPage(str(number), f"Page {number}"))
    page = wiki.part

    def around(asked: Asked, found: list[WikiPage]) -> dict[str, Any]:
        return {**page(asked, found), "_links": {"next": f"/x?{urlencode(asked.query)}"}}

    wiki.part = around  # type: ignore[method-assign]
    with pytest.raises(SourceError, match="leads back to itself"):
        listing(connected(wiki))


def test_a_list_that_gives_the_same_again_ends_the_listing(wiki: Wiki) -> None:
    page = wiki.add(WikiPage("1", "Plan", users=["ada", "bob", "eve"]))
    wiki.read_restriction = lambda asked, id_: wiki.restriction(page, 0, 2)  # type: ignore[method-assign]  # noqa: ARG005
    with pytest.raises(SourceError, match="the same part again"):
        listing(connected(wiki))

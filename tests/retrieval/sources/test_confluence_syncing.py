"""A wiki on localhost, synced and indexed by the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.sources.connector import Page
from tests.retrieval.sources.confluence_server import TOKEN, CloudWiki, ServerWiki, Wiki, WikiPage
from tests.retrieval.sources.test_confluence import ADA, BOB, BOTH, connected
from tests.retrieval.sources.test_syncing import Desk


@pytest.fixture(params=[CloudWiki, ServerWiki])
def wiki(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wiki]:
    monkeypatch.setenv("WHIMBREL_SOURCE_WIKI_TOKEN", TOKEN)
    with request.param() as site:
        site.add(WikiPage("1", "Leave", "<h1>Leave</h1><p>There are 27 days.</p>"))
        site.add(WikiPage("2", "Pay", "<p>Pay comes on the 25th.</p>", parent="1"))
        site.add(WikiPage("3", "Travel", "<p>Trains only.</p>"))
        yield site


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "home")


def readable(desk: Desk, email: str) -> set[str]:
    """The titles of what somebody may read besides what everybody may."""
    labels = desk.holds(email)
    return {source.title for source in desk.sources().values() if source.audience in labels}


def test_a_wiki_is_indexed_with_titles_and_addresses(wiki: Wiki, desk: Desk) -> None:
    desk.sync(connected(wiki))
    assert desk.texts() == {"There are 27 days.", "Pay comes on the 25th.", "Trains only."}
    source = desk.sources()["shelf/HR/Leave.html"]
    assert source.url == f"{wiki.url}{wiki.root}/spaces/HR/pages/1"
    assert source.title == "Leave"
    assert readable(desk, *ADA) == readable(desk, *BOB) == {"Leave", "Pay", "Travel"}
    assert readable(desk, "zoe@acme.example") == set()


def test_a_page_that_is_restricted_later_disappears_for_the_others(wiki: Wiki, desk: Desk) -> None:
    desk.sync(connected(wiki))
    wiki.asked.clear()
    wiki.wiki["1"].groups = ["board"]
    assert desk.sync(connected(wiki)) == 0
    assert not wiki.bodies()
    assert readable(desk, *ADA) == {"Leave", "Pay", "Travel"}
    assert readable(desk, *BOB) == {"Travel"}


def test_a_page_that_is_moved_below_a_restricted_one_disappears(wiki: Wiki, desk: Desk) -> None:
    wiki.wiki["1"].groups = ["board"]
    desk.sync(connected(wiki))
    assert readable(desk, *BOB) == {"Travel"}
    wiki.wiki["3"].parent, wiki.wiki["2"].parent = "1", None
    desk.sync(connected(wiki))
    assert readable(desk, *BOB) == {"Pay"}


def test_pages_are_followed_when_they_change_and_go(wiki: Wiki, desk: Desk) -> None:
    desk.sync(connected(wiki))
    wiki.wiki["1"].storage, wiki.wiki["1"].version = "<p>There are 28 days.</p>", 2
    wiki.wiki["2"].title, wiki.wiki["2"].version = "Salaries", 2
    wiki.wiki["3"].status = "trashed"
    wiki.asked.clear()
    pulled = desk.pull(connected(wiki))
    assert (pulled.changed, pulled.gone, pulled.error) == (2, 1, None)
    assert sorted(wiki.bodies()) == ["1", "2"]
    desk.sync(connected(wiki))
    assert {source.title for source in desk.sources().values()} == {"Leave", "Salaries"}
    assert "There are 28 days." in desk.texts()


def test_a_sync_that_broke_off_goes_on_without_fetching_twice(wiki: Wiki, desk: Desk) -> None:
    for number in range(10, 16):
        wiki.add(WikiPage(str(number), f"Page {number}", f"<p>Number {number}.</p>"))
    wiki.refuse_after = 12
    assert desk.pull(connected(wiki)).error
    wiki.refuse_after = None
    pulled = desk.pull(connected(wiki))
    assert pulled.error is None
    assert len(set(wiki.bodies())) == 9
    assert len(wiki.bodies()) <= 10  # the one that was refused
    desk.sync(connected(wiki))
    assert len(desk.sources()) == 9


def test_nobody_reads_a_wiki_whose_permissions_cannot_be_seen(wiki: Wiki, desk: Desk) -> None:
    desk.sync(connected(wiki))
    wiki.groups.clear()
    pulled = desk.pull(connected(wiki))
    assert "HR" in {left.key for left in pulled.left_out}
    desk.sync(connected(wiki))
    assert desk.sources() == {}


def test_one_who_joins_a_group_reads_what_is_for_it(wiki: Wiki, desk: Desk) -> None:
    wiki.wiki["3"].groups = ["board"]
    desk.sync(connected(wiki))
    wiki.groups["board"].append("bob")
    desk.sync(connected(wiki))
    assert readable(desk, *BOB) == {"Leave", "Pay", "Travel"}
    assert {s.audience for s in desk.sources().values()} == {*desk.holds(min(BOTH))}


@pytest.mark.parametrize("id_", ["3", "91"])
def test_what_is_restricted_while_it_is_listed_is_shown_to_none_of_the_others(
    wiki: Wiki, desk: Desk, id_: str
) -> None:
    wiki.add(WikiPage("91", "a.txt", kind="attachment", parent="3", data=b"Open."))
    connector = connected(wiki)
    pages = connector.pages(None)

    class Meanwhile:
        body, close = connector.body, connector.close

        def pages(self, _cursor: str | None) -> Iterator[Page]:
            for page in pages:
                if any(document.key.endswith(f"/{id_}") for document in page.documents):
                    wiki.wiki["3"].groups = ["board"]
                    wiki.wiki[id_].version = 2
                    wiki.wiki[id_].storage, wiki.wiki[id_].data = "<p>Secret.</p>", b"Secret."
                yield page

    desk.sync(Meanwhile())
    assert "Secret." not in desk.texts()
    desk.sync(connected(wiki))
    assert "Secret." in desk.texts()
    assert readable(desk, *BOB) == {"Leave", "Pay"}

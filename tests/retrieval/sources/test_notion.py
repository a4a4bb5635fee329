from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from retrieval.documents.loaders.markup import load_html
from retrieval.errors import CursorExpiredError, SourceError
from retrieval.sources.connector import Connector, SourceSettings
from retrieval.sources.notion import connect
from tests.retrieval.sources.notion_server import TOKEN, NotionPage, NotionSite, rich
from tests.retrieval.sources.reading import keys_in_steps, listing
from tests.retrieval.sources.site import Told
from tests.retrieval.sources.test_syncing import Desk


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[NotionSite]:
    monkeypatch.setenv("WHIMBREL_SOURCE_NOTES_TOKEN", TOKEN)
    with NotionSite() as site:
        yield site


def connected(site: NotionSite) -> Connector:
    options = {"url": f"{site.url}/v1/"}
    source = SourceSettings("notes", "notion", Path("own"), options, audience="staff")
    return site.closing(connect(source))


def block(kind: str, text: str | None = None, *within: dict[str, Any], **told: Any) -> Any:
    words = {} if text is None else {"rich_text": rich(text)}
    return {"type": kind, kind: {**words, **told}, "children": list(within)}


def html(site: NotionSite, *blocks: Any, **properties: Any) -> str:
    site.add(NotionPage("p", "Page", list(blocks), properties=properties))
    connector = connected(site)
    body = connector.body(listing(connector).documents["p"]).decode()
    return body.partition("<body>")[2].removesuffix("</body>")


def text(site: NotionSite, *blocks: Any) -> str:
    [loaded] = load_html(html(site, *blocks).encode())
    return " ".join("".join(section.text for section in loaded.sections).split())


def test_a_page_is_listed_with_all_that_is_known_of_it(site: NotionSite) -> None:
    site.add(NotionPage("p1", "Leave / holidays"))
    [document] = listing(connected(site)).documents.values()
    assert (document.key, document.name) == ("p1", "Leave holidays.html")
    assert (document.title, document.owner) == ("Leave / holidays", "Ada Lovelace")
    assert document.url == "https://www.notion.so/p1"
    assert document.modified == "2026-03-04T05:06:00+00:00"
    assert document.readers is None


def test_every_page_of_every_list_is_read(site: NotionSite) -> None:
    for number in range(5):
        site.people[f"x{number}"] = "X"
        site.tables[f"t{number}"] = f"Table {number}"
        site.add(NotionPage(f"p{number}", f"P{number}"))
        for row in range(3):
            site.add(NotionPage(f"r{number}{row}", f"R{row}", table=f"t{number}"))
    found = listing(connected(site))
    assert len(found.documents) == 20
    assert found.documents["r42"].name == "Table 4/R2.html"


def test_a_row_whose_table_cannot_be_seen_is_read_all_the_same(site: NotionSite) -> None:
    site.add(NotionPage("r", "Row", table="unseen"))
    assert listing(connected(site)).documents["r"].name == "Row.html"


def test_what_is_in_the_bin_or_not_connected_any_more_is_not_listed(site: NotionSite) -> None:
    site.tables["t"] = "Table"
    site.add(NotionPage("p", "Binned", in_trash=True))
    site.add(NotionPage("r", "Binned row", table="t", in_trash=True))
    assert not listing(connected(site)).documents


def test_an_integration_that_may_not_know_people_tells_no_owner(site: NotionSite) -> None:
    site.knows_no_people = True
    site.add(NotionPage("p", "Page"))
    assert listing(connected(site)).documents["p"].owner is None


def test_a_page_that_was_just_edited_is_read_again_at_the_next_sync(site: NotionSite) -> None:
    page = site.add(NotionPage("p", "Page", edited=datetime.now(UTC).isoformat()))
    versions = [listing(connected(site)).documents["p"].version for _ in range(2)]
    assert versions[0] != versions[1]
    page.edited = "2026-03-04T05:06:00.000Z"
    versions = [listing(connected(site)).documents["p"].version for _ in range(2)]
    assert versions[0] == versions[1]


@pytest.mark.parametrize(
    ("blocks", "shown"),
    [
        ([block("paragraph", "a < b")], "<p>a &lt; b</p>"),
        (
            [block("bulleted_list_item", "one"), block("bulleted_list_item", "two")],
            "<ul><li>one</li><li>two</li></ul>",
        ),
        (
            [block("numbered_list_item", "one", block("numbered_list_item", "in it"))],
            "<ol><li>one<ol><li>in it</li></ol></li></ol>",
        ),
        (
            [block("to_do", "a", checked=True), block("to_do", "b", checked=False)],
            "<ul><li>[x] a</li><li>[ ] b</li></ul>",
        ),
        (
            [block("toggle", "More", block("paragraph", "inside"))],
            "<details><summary>More</summary><p>inside</p></details>",
        ),
        (
            [block("callout", "Mind", block("paragraph", "it"), icon={"emoji": "💡"})],
            "<p>💡 Mind</p><p>it</p>",
        ),
        ([block("quote", "said")], "<blockquote>said</blockquote>"),
        (
            [block("code", "if a < b:\n  c", language="python", caption=rich("why"))],
            '<pre><code class="language-python">if a &lt; b:\n  c</code></pre><p>why</p>',
        ),
        ([block("equation", expression="x^2")], "<p>$$x^2$$</p>"),
        (
            [block("bookmark", url="https://x.example/?a&b", caption=[])],
            '<p><a href="https://x.example/?a&amp;b">https://x.example/?a&amp;b</a></p>',
        ),
        (
            [
                block(
                    "pdf", name="plan.pdf", file={"url": "https://s3/secret"}, caption=rich("Plan")
                )
            ],
            "<p>plan.pdf Plan</p>",
        ),
        ([block("child_page", title="Below")], "<p>Below</p>"),
        ([block("child_database", title="Tasks")], "<p>Tasks</p>"),
        (
            [
                block(
                    "column_list",
                    None,
                    *(block("column", None, block("paragraph", w)) for w in "ab"),
                )
            ],
            "<p>a</p><p>b</p>",
        ),
        ([block("divider"), block("unsupported"), block("breadcrumb")], ""),
        (
            [block("meeting_notes", None, block("paragraph", "said"), title=rich("Weekly"))],
            "<p>Weekly</p><p>said</p>",
        ),
        ([{**block("paragraph", "gone"), "in_trash": True}], ""),
    ],
)
def test_a_block_becomes_html(site: NotionSite, blocks: list[Any], shown: str) -> None:
    assert html(site, *blocks) == shown


def test_a_heading_has_the_anchor_that_notion_gives_it(site: NotionSite) -> None:
    heading = {**block("heading_2", "Sick leave", block("paragraph", "Call.")), "id": "aa-bb-cc"}
    assert html(site, heading) == '<h2 id="aabbcc">Sick leave</h2><p>Call.</p>'


def test_a_table_is_read_by_its_rows(site: NotionSite) -> None:
    rows = [block("table_row", cells=[rich(a), rich(b)]) for a, b in ("AB", "12", "34")]
    assert html(site, block("table", None, *rows, has_column_header=True)) == (
        "<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr>"
        "<tr><td>3</td><td>4</td></tr></table>"
    )


def test_a_synced_block_has_what_its_original_has(site: NotionSite) -> None:
    site.add(NotionPage("o", "Original", [{**block("synced_block"), "id": "orig"}]))
    site.blocks["orig"] = site.known("orig", [block("paragraph", "Once for all.")])
    copies = [
        {**block("synced_block", None, synced_from={"block_id": id_}), "children": [{"type": "x"}]}
        for id_ in ("orig", "unseen")
    ]
    assert html(site, *copies) == "<p>Once for all.</p>"


def test_text_keeps_its_links_code_and_formulas(site: NotionSite) -> None:
    words = [
        *rich("see "),
        *rich("there", href="https://x.example"),
        *rich("here", href="javascript:alert(1)"),
        *rich("f()", code=True),
        {"type": "equation", "plain_text": "x^2", "href": None, "annotations": {}},
    ]
    assert html(site, {"type": "paragraph", "paragraph": {"rich_text": words}}) == (
        '<p>see <a href="https://x.example">there</a>here<code>f()</code>$x^2$</p>'
    )


def test_many_blocks_are_read_to_the_last(site: NotionSite) -> None:
    read = text(site, *(block("paragraph", f"N{n}", block("paragraph", "x")) for n in range(7)))
    assert [word for word in read.split() if word != "x"] == [f"N{n}" for n in range(7)]


def test_blocks_without_end_are_refused(site: NotionSite) -> None:
    site.add(NotionPage("p", "Page", [{**block("toggle", "again"), "id": "loop"}]))
    site.blocks["loop"] = [{**block("toggle", "again"), "id": "loop", "has_children": True}]
    site.blocks["p"][0]["has_children"] = True
    connector = connected(site)
    with pytest.raises(SourceError, match="deep"):
        connector.body(listing(connector).documents["p"])


def test_properties_are_read_as_lines(site: NotionSite) -> None:
    told = {
        "Status": {"id": "a", "type": "status", "status": {"name": "Done"}},
        "Tags": {"id": "b", "type": "multi_select", "multi_select": [{"name": "x"}, {"name": "y"}]},
        "Due": {"id": "c", "type": "date", "date": {"start": "2026-01-02", "end": "2026-01-05"}},
        "Who": {"id": "d", "type": "people", "people": [{"name": "Ada"}, {"id": "unseen"}]},
        "OK": {"id": "e", "type": "checkbox", "checkbox": False},
        "Number": {"id": "f", "type": "number", "number": 0},
        "None": {"id": "g", "type": "select", "select": None},
        "Sum": {"id": "h", "type": "formula", "formula": {"type": "boolean", "boolean": True}},
        "Id": {"id": "i", "type": "unique_id", "unique_id": {"prefix": "OPS", "number": 7}},
        "Of": {"id": "j", "type": "relation", "relation": [{"id": "z"}], "has_more": False},
        "All": {
            "id": "k",
            "type": "rollup",
            "rollup": {"type": "array", "array": [{"type": "number", "number": 3}]},
        },
    }
    assert html(site, **told) == (
        "<p>Status: Done</p><p>Tags: x, y</p><p>Due: 2026-01-02 to 2026-01-05</p><p>Who: Ada</p>"
        "<p>OK: no</p><p>Number: 0</p><p>Sum: yes</p><p>Id: OPS-7</p><p>All: 3</p>"
    )


def test_a_long_property_is_read_to_its_end(site: NotionSite) -> None:
    parts = [part for n in range(30) for part in rich(f"w{n} ")]
    told = {"Long": {"id": "long", "type": "rich_text", "rich_text": parts}}
    assert "w29" in html(site, **told)


def test_a_listing_goes_on_where_it_was_interrupted(site: NotionSite) -> None:
    site.tables["t"] = "Table"
    for number in range(3):
        site.add(NotionPage(f"p{number}", f"P{number}"))
        site.add(NotionPage(f"r{number}", f"R{number}", table="t"))
    seen = keys_in_steps(lambda: connected(site))
    assert sorted(seen) == ["p0", "p1", "p2", "r0", "r1", "r2"]


def test_a_place_in_a_list_that_notion_forgot_is_told(site: NotionSite) -> None:
    for number in range(5):
        site.add(NotionPage(f"p{number}", f"P{number}"))
    cursor = listing(connected(site), steps=1).cursors[0]
    site.forgets = True
    with pytest.raises(CursorExpiredError):
        listing(connected(site), cursor)


def test_a_workspace_is_followed(site: NotionSite, tmp_path: Path) -> None:
    desk = Desk(tmp_path / "home")
    for number in range(4):
        site.add(NotionPage(f"p{number}", f"P{number}", [block("paragraph", f"Text {number}.")]))
    site.first.append(Told(status=429, headers={"Retry-After": "0"}))
    desk.sync(connected(site))
    assert desk.texts() == {f"Text {number}." for number in range(4)}
    changed = NotionPage(
        "p1", "P1", [block("paragraph", "New.")], edited="2026-03-05T00:00:00.000Z"
    )
    site.add(changed)
    del site.pages["p2"]
    site.asked.clear()
    desk.sync(connected(site))
    assert site.bodies() == ["p1"]
    assert desk.texts() == {"Text 0.", "New.", "Text 3."}


def test_a_sync_that_broke_off_goes_on_without_fetching_twice(
    site: NotionSite, tmp_path: Path
) -> None:
    desk = Desk(tmp_path / "home")
    for number in range(6):
        site.add(NotionPage(f"p{number}", f"P{number}", [block("paragraph", f"Text {number}.")]))
    site.refuse_after = 9
    assert desk.pull(connected(site)).error
    site.refuse_after = None
    assert desk.pull(connected(site)).error is None
    assert len(set(site.bodies())) == 6
    assert len(site.bodies()) <= 6 + site.at_once  # those that were refused

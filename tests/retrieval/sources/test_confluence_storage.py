from __future__ import annotations

import pytest

from retrieval.documents.loaders.markup import load_html
from retrieval.errors import SourceError
from retrieval.sources.confluence_storage import html_of, people_in

CELL = "<ac:layout-section><ac:layout-cell><p>{}</p></ac:layout-cell></ac:layout-section>"
ADF = (
    "<ac:adf-node type='panel'><ac:adf-attribute key='x'>note</ac:adf-attribute>"
    "<ac:adf-content><p>Once</p></ac:adf-content></ac:adf-node>"
)
UNDER_ADF = "<ac:adf-fallback><p>Once</p></ac:adf-fallback>"


def html(storage: str) -> str:
    return html_of(storage, wiki="https://w.example/wiki/", space="HR", people={"a1": "Ada"})


def text(storage: str) -> str:
    [loaded] = load_html(html(storage).encode())
    return " ".join("".join(section.text for section in loaded.sections).split()).strip("` ")


def macro(name: str, inside: str = "", **parameters: str) -> str:
    told = "".join(
        f'<ac:parameter ac:name="{key}">{value}</ac:parameter>' for key, value in parameters.items()
    )
    return f'<ac:structured-macro ac:name="{name}">{told}{inside}</ac:structured-macro>'


def rich(inside: str) -> str:
    return f"<ac:rich-text-body>{inside}</ac:rich-text-body>"


def plain(inside: str) -> str:
    return f"<ac:plain-text-body><![CDATA[{inside}]]></ac:plain-text-body>"


@pytest.mark.parametrize(
    ("storage", "read"),
    [
        ("<p>A&nbsp;&mdash; b &amp; c &#228; &hellip;</p>", "A — b & c ä …"),
        (macro("panel", rich("<p>Inside.</p>"), title="Mind"), "Mind Inside."),
        (macro("expand", rich("<p>Steps.</p>"), title="More"), "More: Steps."),
        (f"<p>Is {macro('status', title='DONE', colour='Green')} now</p>", "Is DONE now"),
        (f"<p>See {macro('jira', key='OPS-7', serverId='x')} for it</p>", "See OPS-7 for it"),
        (
            macro("code", plain("if a < b && c:\n  &nbsp;"), language="py"),
            "if a < b && c: &nbsp;",
        ),
        (macro("noformat", plain("as it is")), "as it is"),
        (f"<p>Kept</p>{macro('toc', maxLevel='2')}", "Kept"),
        (f"<p>Kept</p>{macro('html', plain('<b>not</b>'))}", "Kept"),
        (f"<p>Kept</p>{macro('excerpt', rich('<p>unseen</p>'), hidden='true')}", "Kept"),
        ("<p>Due <time datetime='2026-01-02' /> at noon</p>", "Due 2026-01-02 at noon"),
        ("<p>Ask <ac:link><ri:user ri:account-id='a1' /></ac:link>.</p>", "Ask Ada."),
        ("<p>Ask <ac:link><ri:user ri:userkey='z' /></ac:link>.</p>", "Ask somebody."),
        ("<p><ac:placeholder>Type here</ac:placeholder>Kept</p>", "Kept"),
        ("<p>a <ac:inline-comment-marker>b</ac:inline-comment-marker> c</p>", "a b c"),
        (
            f"<ac:layout>{CELL.format('One')}{CELL.format('Two')}</ac:layout>",
            "One Two",
        ),
        (
            f"<ac:adf-extension>{ADF}{UNDER_ADF}</ac:adf-extension>",
            "Once",
        ),
    ],
)
def test_what_a_reader_sees_is_read(storage: str, read: str) -> None:
    assert text(storage) == read


def test_tasks_say_whether_they_are_done() -> None:
    tasks = "".join(
        f"<ac:task><ac:task-id>{n}</ac:task-id><ac:task-status>{status}</ac:task-status>"
        f"<ac:task-body>part {n}</ac:task-body></ac:task>"
        for n, status in enumerate(("complete", "incomplete"))
    )
    read = text(f"<ac:task-list>{tasks}</ac:task-list>")
    assert "[x] part 0" in read
    assert "[ ] part 1" in read


def test_links_keep_their_words_and_lead_to_the_page() -> None:
    page = '<ri:page ri:content-title="Sick leave?" />'
    body = "<ac:plain-text-link-body><![CDATA[this & that]]></ac:plain-text-link-body>"
    assert html(f"<p><ac:link>{page}{body}</ac:link>!</p>") == (
        '<body><p><a href="https://w.example/wiki/display/HR/Sick+leave%3F">'
        "<span>this &amp; that</span></a>!</p></body>"
    )
    assert ">Sick leave?</a>" in html(f"<ac:link>{page}</ac:link>")


def test_what_stands_on_another_page_is_named_and_not_read() -> None:
    page = '<ac:link><ri:page ri:space-key="BOARD" ri:content-title="Pay" /></ac:link>'
    included = f'<ac:structured-macro ac:name="include"><ac:parameter ac:name="">{page}'
    read = html(f"{included}</ac:parameter></ac:structured-macro>")
    assert "Here stands the text of another page: " in read
    assert '<a href="https://w.example/wiki/display/BOARD/Pay">Pay</a>' in read


def test_tables_and_pictures_keep_what_tells_of_them() -> None:
    read = html(
        '<table><tbody><tr><th colspan="2">A</th></tr><tr><td>1</td><td>2</td></tr></tbody></table>'
        '<ac:image ac:alt="A chart"><ri:attachment ri:filename="c.png" /></ac:image>'
    )
    assert '<th colspan="2">A</th>' in read
    assert '<img alt="A chart">' in read


def test_those_whom_a_page_mentions_are_found() -> None:
    assert people_in('<ri:user ri:account-id="a:1" /><ri:user ri:userkey="k" />') == {"a:1", "k"}


@pytest.mark.parametrize(
    ("storage", "reason"),
    [
        ("<p>open", "not well formed"),
        ("<p>&unknown;</p>", "not well formed"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><p/>', "not well formed"),
        ("</body><body>", "not well formed"),
        ("<div>" * 100_000 + "</div>" * 100_000, "deep"),
    ],
)
def test_what_cannot_be_read_is_refused(storage: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        html(storage)

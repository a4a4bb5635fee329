from __future__ import annotations

import pytest

from retrieval.documents.loaders.blocks import Loaded
from retrieval.errors import RestrictedError
from tests.retrieval import sample_files as sample
from tests.retrieval.documents.test_loaders import read, reason, texts

LISTS = (
    '<text:list-style style:name="N"><text:list-level-style-number text:level="1" '
    'style:num-format="1"/><text:list-level-style-number text:level="2" style:num-format="a"/>'
    "</text:list-style>"
)
HIDDEN = (
    '<style:style style:name="H"><style:text-properties text:display="none"/></style:style>'
    '<style:style style:name="Off"><style:table-properties table:display="false"/></style:style>'
    '<style:style style:name="P"><style:drawing-page-properties presentation:visibility="hidden"/>'
    "</style:style>"
)
ANNOTATION = (
    "<office:annotation><dc:creator>Bo</dc:creator><text:p>650?</text:p></office:annotation>"
)


NOTE = (
    "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Net.</text:p>"
    "</text:note-body></text:note>"
)
BOX = "<draw:frame><draw:text-box><text:p>Call 4411.</text:p></draw:text-box></draw:frame>"
CELL = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
NESTED = (
    f"<table:table-cell><table:table><table:table-row>{CELL}{CELL}</table:table-row></table:table>"
    "</table:table-cell>"
)


def items(*contents: str) -> str:
    drawn = (f"<text:list-item>{content}</text:list-item>" for content in contents)
    return f'<text:list text:style-name="N">{"".join(drawn)}</text:list>'


def text(body: str, **parts: str) -> Loaded:
    return read("a.odt", sample.open_document("text", body, styles=LISTS + HIDDEN, **parts))


def sheets(body: str) -> Loaded:
    return read("a.ods", sample.open_document("spreadsheet", body, styles=HIDDEN))


def row(*cells: str, start: str = "<table:table-row>") -> str:
    drawn = (c if "<table:" in c else f"<table:table-cell>{p(c)}</table:table-cell>" for c in cells)
    return f"{start}{''.join(drawn)}</table:table-row>"


def p(words: str) -> str:
    return f"<text:p>{words}</text:p>" if words else ""


def table(*rows: str, name: str = "Fees", style: str = "") -> str:
    start = f'<table:table table:name="{name}" table:style-name="{style}">'
    return f"{start}{''.join(rows)}</table:table>"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            p("R&amp;D &lt; 5<text:tab/>x<text:line-break/>y<text:s text:c='2'/>z"),
            "R&D < 5\tx\ny  z",
        ),
        (p("a<text:span>b</text:span>c"), "abc"),
        (p(f"a<text:s text:c='{'9' * 5_000}'/>b"), "a b"),
        (p("a<text:span text:style-name='H'>b</text:span>c"), "ac"),
        (p("<text:a xlink:href='https://x.test/a'>Portal</text:a>"), "Portal (https://x.test/a)"),
        (
            p(f"Fee: 5.{NOTE}{ANNOTATION}"),
            "Fee: 5.\n\nNote: Net.\n\nComment by Bo: 650?",
        ),
        (f"<text:tracked-changes>{p('old')}</text:tracked-changes>{p('new')}", "new"),
        (f"<text:table-of-content>{p('Leave 3')}</text:table-of-content>{p('x')}", "x"),
        (p(f"Box:{BOX}"), "Box:\n\nCall 4411."),
        (p("<draw:frame><draw:image/><svg:desc>A map</svg:desc></draw:frame>"), "(A map)"),
        (
            items(p("a") + items(p("b")), p("c")),
            "1. a\n  a. b\n2. c",
        ),
        (
            table(row("Day", "Hours"), row("Mon", NESTED.format("8", "9"))),
            "| Day | Hours |\n| Mon | 8, 9 |",
        ),
    ],
)
def test_what_a_text_shows_is_read(body: str, words: str) -> None:
    assert texts(text(body)) == [words]


def test_texts_have_headings_headers_and_formulas() -> None:
    number = "<text:page-number>3</text:page-number>"
    formula = p("It is <draw:frame><draw:object xlink:href='./Object 1'/></draw:frame> a day.")
    loaded = text(
        f'<text:h text:outline-level="1">Fees</text:h>{formula}',
        pages=f"<style:master-page><style:header>{p('Valid from March')}</style:header>"
        f"<style:footer>{p(number)}</style:footer></style:master-page>",
        **{"Object 1": "<math><annotation>a over b</annotation></math>"},
    )
    assert loaded.title == "Fees"
    assert texts(loaded) == ["Valid from March", "It is a over b a day."]


def test_sheets_are_read_as_they_are_shown() -> None:
    wide = f'<table:table-cell table:number-rows-spanned="2">{p("Gym")}</table:table-cell>'
    loaded = sheets(
        table(
            row("Prices 2026"),
            row("", start='<table:table-row table:number-rows-repeated="900000">'),
            row("Item", "Fee"),
            row(wide, "5 €"),
            row("<table:covered-table-cell/>", "25%"),
        )
    )
    assert loaded.sections[0].headings == ("Fees", "Prices 2026")
    assert texts(loaded) == ["| Item | Fee |\n| Gym | 5 € |\n| Gym | 25% |"]


def test_hidden_sheets_and_rows_are_left_out_and_named() -> None:
    gone = row("7", "8", start='<table:table-row table:visibility="collapse">')
    loaded = sheets(table(row("A", "B"), gone) + table(row("x", "y"), name="Old", style="Off"))
    assert texts(loaded) == ["| A | B |"]
    assert loaded.gaps == ("hidden rows or columns of 'Fees'", "hidden sheet 'Old'")


def test_the_comments_of_a_hidden_sheet_are_left_out_with_it() -> None:
    noted = f"<table:table-cell>{ANNOTATION}{p('5')}</table:table-cell>"
    loaded = sheets(table(row("x", noted), name="Old", style="Off") + table(row("A", noted)))
    assert texts(loaded) == ["Comment by Bo: 650?\n\n| A | 5 |"]


@pytest.mark.parametrize("style", ["", "Off"])
def test_a_column_of_a_sheet_may_restrict_readers(style: str) -> None:
    with pytest.raises(RestrictedError, match="Audience"):
        sheets(table(row("Title"), row("Audience", "Fee"), row("hr", "5"), style=style))


def test_slides_have_titles_notes_and_numbers() -> None:
    frame = '<draw:frame presentation:class="{}"><draw:text-box>{}</draw:text-box></draw:frame>'
    notes = f"<presentation:notes>{frame.format('notes', p('Say it moved.'))}</presentation:notes>"
    hidden = f'<draw:page draw:style-name="P">{frame.format("outline", p("no"))}</draw:page>'
    body = (
        f"<draw:page>{frame.format('outline', p('Desk 9'))}"
        f"{frame.format('title', p('Desks'))}{notes}</draw:page>{hidden}"
        f"<draw:page><draw:g>{frame.format('', p('Gate 7'))}</draw:g></draw:page>"
    )
    loaded = read("a.odp", sample.open_document("presentation", body, styles=HIDDEN))
    assert [(s.page, s.headings, s.text.strip()) for s in loaded.sections] == [
        (1, ("Desks",), "Desk 9\n\nNotes: Say it moved."),
        (3, ("Slide 3",), "Gate 7"),
    ]
    assert loaded.gaps == ("hidden slides: 2",)


def test_a_protected_document_is_refused() -> None:
    data = sample.archive({"content.xml": "x", "META-INF/manifest.xml": "<m:encryption-data/>"})
    assert reason("a.odt", data) == "is protected with a password"

from __future__ import annotations

import pytest

from retrieval.documents.loaders.blocks import Loaded
from tests.retrieval import sample_files as sample
from tests.retrieval.documents.test_loaders import read, texts


def shape(*lines: str, kind: str | None = "body", hidden: bool = False) -> str:
    holder = "" if kind is None else f'<p:ph type="{kind}"/>'
    paragraphs = "".join(line if "<" in line else f"<a:p>{run(line)}</a:p>" for line in lines)
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="2" hidden="{hidden:d}"/><p:nvPr>{holder}</p:nvPr></p:nvSpPr>'
        f"<p:txBody>{paragraphs}</p:txBody></p:sp>"
    )


def run(text: str) -> str:
    return f"<a:r><a:t>{text}</a:t></a:r>"


def frame(xml: str) -> str:
    return f"<p:graphicFrame><a:graphic>{xml}</a:graphic></p:graphicFrame>"


def deck(*slides: str, hidden: tuple[int, ...] = (), **beside: str) -> Loaded:
    return read("a.pptx", sample.deck(slides, hidden=hidden, **beside))


def pages(loaded: Loaded) -> list[tuple[int | None, str, str]]:
    return [(s.page, s.headings[-1], s.text.strip()) for s in loaded.sections]


def test_a_slide_without_a_title_stands_for_itself() -> None:
    loaded = deck(
        shape("Q&amp;A &lt;1&gt;", kind="title"),
        shape("Gate 7 opens at six.", kind=None),
        shape("Gate 9 opens at nine.") + shape("Third", kind="ctrTitle"),
        "",
    )
    assert pages(loaded) == [
        (1, "Q&A <1>", "Q&A <1>"),
        (2, "Slide 2", "Gate 7 opens at six."),
        (3, "Third", "Gate 9 opens at nine."),
    ]


def test_slides_keep_their_numbers_when_one_is_hidden() -> None:
    loaded = deck(*(shape(word) for word in "abc"), hidden=(2,))
    assert [page for page, _, _ in pages(loaded)] == [1, 3]
    assert loaded.gaps == ("hidden slides: 2",)


def test_lists_keep_their_depth_and_numbers() -> None:
    numbered = "<a:p><a:pPr lvl='1'><a:buAutoNum type='alphaLcParenR'/></a:pPr>{}</a:p>"
    items = [numbered.format(run(word)) for word in ("deep", "deeper")]
    assert texts(deck(shape("one", *items, "two"))) == ["- one\n  a) deep\n  b) deeper\n- two"]


def test_groups_breaks_and_formulas_are_read_and_hidden_shapes_are_not() -> None:
    math = "<a14:m xmlns:a14='x'><m:oMath><m:r><m:t>x=2</m:t></m:r></m:oMath></a14:m>"
    body = f"<a:p>{run('a')}<a:br/>{run('b ')}{math}</a:p>"
    group = f"<p:grpSp><p:grpSp>{shape(body, kind=None)}</p:grpSp></p:grpSp>"
    assert texts(deck(group + shape("no", kind=None, hidden=True))) == ["a\nb x=2"]


def test_the_footer_is_read_once_and_the_slides_number_not_at_all() -> None:
    slide = shape("Words") + shape("Confidential", kind="ftr") + shape("7", kind="sldNum")
    assert texts(deck(slide, slide)) == ["Words\n\nConfidential", "Words"]


def test_tables_of_slides_keep_their_merged_cells() -> None:
    cell = "<a:tc{}><a:txBody><a:p>" + run("{}") + "</a:p></a:txBody></a:tc>"
    rows = [
        [("", "Team"), ("", "Desk")],
        [(' rowSpan="2"', "Ops"), ("", "8")],
        [(' vMerge="1"', ""), ("", "9")],
    ]
    drawn = "".join(f"<a:tr>{''.join(cell.format(*c) for c in row)}</a:tr>" for row in rows)
    assert texts(deck(frame(f"<a:tbl>{drawn}</a:tbl>"))) == [
        "| Team | Desk |\n| Ops | 8 |\n| Ops | 9 |"
    ]


def test_the_words_of_a_diagram_are_read() -> None:
    point = '<dgm:pt type="{}"><dgm:t><a:p>' + run("{}") + "</a:p></dgm:t></dgm:pt>"
    data = "".join(
        point.format(*row) for row in (("node", "Plan"), ("node", "Build"), ("pres", "x"))
    )
    assert texts(deck(frame('<dgm:relIds r:dm="diagramData"/>'), diagramData=data)) == [
        "- Plan\n- Build"
    ]


def test_notes_and_comments_belong_to_their_slide() -> None:
    notes = (
        f"<p:cSld><p:spTree>{shape('Say it moved.')}{shape('1', kind='sldNum')}</p:spTree></p:cSld>"
    )
    comments = '<p:cm authorId="0"><p:text>Which desk?</p:text></p:cm>'
    loaded = deck(shape("Desk 9"), shape("Desk 8"), notesSlide=notes, comments=comments)
    assert texts(loaded) == [
        "Desk 9\n\nNotes: Say it moved.\n\nComment by Bo: Which desk?",
        "Desk 8",
    ]


def test_pictures_are_missing_unless_they_are_described() -> None:
    picture = '<p:pic><p:nvPicPr><p:cNvPr id="3" descr="{}"/></p:nvPicPr></p:pic>'
    loaded = deck(shape("Words") + picture.format("") + picture.format("A map of the site"))
    assert (texts(loaded), loaded.gaps) == (["Words\n\n(A map of the site)"], ("1 picture",))


LINK = '<a:hlinkClick r:id="l"/>'


def test_links_of_shapes_pictures_and_cells_keep_where_they_lead() -> None:
    linked = f"<a:p><a:r><a:rPr>{LINK}</a:rPr><a:t>portal</a:t></a:r></a:p>"
    button = shape("Apply", kind=None).replace('hidden="0"/>', f">{LINK}</p:cNvPr>")
    picture = f'<p:pic><p:nvPicPr><p:cNvPr id="3" descr="Map">{LINK}</p:cNvPr></p:nvPicPr></p:pic>'
    cells = f"<a:tc><a:txBody>{linked}</a:txBody></a:tc>" * 2
    drawn = frame(f"<a:tbl><a:tr>{cells}</a:tr></a:tbl>")
    [text] = texts(deck(shape(linked) + button + picture + drawn))
    assert text.split("\n\n") == [
        "portal (https://x.example)",
        "Apply (https://x.example)",
        "(Map) (https://x.example)",
        "| portal (https://x.example) | portal (https://x.example) |",
    ]


@pytest.mark.parametrize(
    ("left", "top", "is_read"),
    [
        (0, 0, True),
        (-90, 0, True),
        (950, 480, True),
        (-100, 0, False),
        (1000, 0, False),
        (0, 500, False),
    ],
)
def test_a_box_beside_its_slide_is_left_out_and_told(left: int, top: int, is_read: bool) -> None:
    frame = f'<a:xfrm><a:off x="{left}" y="{top}"/><a:ext cx="100" cy="50"/></a:xfrm>'
    box = shape("aside", kind=None).replace("<p:txBody>", f"<p:spPr>{frame}</p:spPr><p:txBody>")
    group = f"<p:grpSp><p:grpSpPr>{frame}</p:grpSpPr>{shape('aside', kind=None)}</p:grpSp>"
    for drawn in (box, group):
        loaded = deck(shape("Words") + drawn)
        assert ("aside" in texts(loaded)[0]) == is_read
        assert loaded.gaps == (() if is_read else ("1 box beside its slide",))

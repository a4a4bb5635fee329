from __future__ import annotations

import pytest

from retrieval.documents.loaders.blocks import Loaded
from retrieval.documents.loaders.office.numbering import numeral
from tests.retrieval import sample_files as sample
from tests.retrieval.documents.test_loaders import read, reason, texts

BOX = "<w:txbxContent><w:p><w:r><w:t>Call 4411.</w:t></w:r></w:p></w:txbxContent>"

TWICE = (
    f"<w:r><mc:AlternateContent><mc:Choice><w:drawing>{BOX}</w:drawing></mc:Choice>"
    f"<mc:Fallback>{BOX}</mc:Fallback></mc:AlternateContent></w:r>"
)


def run(text: str, properties: str = "") -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"


def paragraph(*runs: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{''.join(runs)}</w:p>"


def table(*rows: list[str]) -> str:
    drawn = (
        f"<w:tr>{''.join(cell if cell.startswith('<w:tc>') else tc(cell) for cell in row)}</w:tr>"
        for row in rows
    )
    return f"<w:tbl>{''.join(drawn)}</w:tbl>"


def tc(text: str, properties: str = "") -> str:
    words = text if "<" in text else paragraph(run(text))
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{words}</w:tc>"


def field(code: str, shown: str) -> str:
    parts = (
        f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end")
    )
    begin, separate, end = parts
    return f"{begin}<w:r><w:instrText>{code}</w:instrText></w:r>{separate}{run(shown)}{end}"


def word(body: str, **parts: str) -> Loaded:
    return read("a.docx", sample.word(body, **parts))


def text(body: str, **parts: str) -> str:
    return "\n\n".join(texts(word(body, **parts)))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (run("R&amp;D &lt; 5 &amp; &gt; 3"), "R&D < 5 & > 3"),
        (run("Name:") + "<w:r><w:tab/></w:r>" + run("Bo"), "Name:\tBo"),
        (run("a") + "<w:r><w:br/></w:r>" + run("b"), "a\nb"),
        (run("a") + "<w:r><w:noBreakHyphen/></w:r>" + run("b"), "a-b"),
        (run("Fee ") + f"<w:del>{run('3')}</w:del><w:ins>{run('4')}</w:ins>", "Fee 4"),
        (f"<w:moveFrom>{run('x')}</w:moveFrom><w:moveTo>{run('y')}</w:moveTo>", "y"),
        (f"<w:sdt><w:sdtContent>{run('Utrecht')}</w:sdtContent></w:sdt>", "Utrecht"),
        (f"<w:smartTag>{run('smart')}</w:smartTag><w:hyperlink>{run('!')}</w:hyperlink>", "smart!"),
        (run("seen") + run("hidden", "<w:vanish/>") + run("!", '<w:vanish w:val="0"/>'), "seen!"),
        (run("Due ") + field("DATE", "5 May") + run("."), "Due 5 May."),
        (f'<w:fldSimple w:instr="REF x">{run("Annex B")}</w:fldSimple>', "Annex B"),
        (field('HYPERLINK "https://x.test/a"', "Portal"), "Portal (https://x.test/a)"),
        (
            f"{run('Box:')}<w:r><w:pict><v:textbox>{BOX}</v:textbox></w:pict></w:r>",
            "Box:\n\nCall 4411.",
        ),
        (
            TWICE,
            "Call 4411.",
        ),
        ('<w:r><w:drawing><wp:docPr descr="A map"/></w:drawing></w:r>', "(A map)"),
        ('<w:r><w:sym w:font="Wingdings" w:char="F0FE"/></w:r>' + run(" done"), "☒ done"),
    ],
)
def test_what_is_printed_is_read(body: str, words: str) -> None:
    assert text(paragraph(body)) == words


def math(tag: str, **parts: str) -> str:
    told = (f"<m:{name}><m:r><m:t>{text}</m:t></m:r></m:{name}>" for name, text in parts.items())
    return f"<m:{tag}>{''.join(told)}</m:{tag}>"


SUM = math("nary", sub="i", sup="n", e="x")


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("<m:r><m:t>B=0.08S</m:t></m:r>", "B=0.08S"),
        (math("f", num="a+b", den="2"), "(a+b)/2"),
        (math("sSup", e="x", sup="2"), "x^2"),
        (math("rad", deg="", e="x"), "√(x)"),
        (math("d", e="x"), "(x)"),
        (SUM.replace("<m:nary>", '<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr>'), "∑_i^n x"),
    ],
)
def test_a_formula_stands_in_its_sentence(formula: str, words: str) -> None:
    body = f"{run('It is ')}<m:oMath>{formula}</m:oMath>{run(' a day.')}"
    assert text(paragraph(body)) == f"It is {words} a day."


def test_a_code_without_an_end_hides_nothing_that_follows() -> None:
    begun = '<w:r><w:fldChar w:fldCharType="begin"/><w:instrText>DATE</w:instrText></w:r>'
    assert text(paragraph(begun) + paragraph(run("Words"))) == "Words"


def test_paragraphs_whose_border_was_deleted_are_one() -> None:
    first = paragraph(run("one "), properties="<w:rPr><w:del/></w:rPr>")
    assert text(first + paragraph(run("two"))) == "one two"


def test_headers_and_footers_are_read_once() -> None:
    section = (
        '<w:sectPr><w:headerReference r:id="header1"/><w:footerReference r:id="footer1"/>'
        '<w:headerReference w:type="first" r:id="header2"/></w:sectPr>'
    )
    numbered = paragraph(run("Page "), field("PAGE", "3"), run(" of "), field("NUMPAGES", "9"))
    loaded = word(
        paragraph(run("One"), properties=section) + paragraph(run("Two")) + section,
        header1=paragraph(run("Valid from March")),
        header2=paragraph(run("Never shown")),
        footer1=table([paragraph(run("Owner: Ops")), numbered]),
    )
    assert texts(loaded) == ["Valid from March\nOwner: Ops, Page of\n\nOne\n\nTwo"]


def test_notes_and_comments_follow_what_they_belong_to() -> None:
    refers = (
        '<w:r><w:footnoteReference w:id="2"/></w:r><w:r><w:endnoteReference w:id="2"/></w:r>'
        '<w:r><w:commentReference w:id="0"/></w:r><w:r><w:commentReference w:id="0"/></w:r>'
    )
    assert (
        text(
            paragraph(run("Fee: 5."), refers) + paragraph(run("End.")),
            footnotes=f'<w:footnote w:id="2">{paragraph(run("Net."))}</w:footnote>'
            f'<w:footnote w:id="0" w:type="separator">{paragraph(run("no"))}</w:footnote>',
            endnotes=f'<w:endnote w:id="2">{paragraph(run("Since May."))}</w:endnote>',
            comments=f'<w:comment w:id="0" w:author="Bo">{paragraph(run("650?"))}</w:comment>',
        )
        == "Fee: 5.\n\nNote: Net.\n\nNote: Since May.\n\nComment by Bo: 650?\n\nEnd."
    )


def test_merged_cells_are_read_in_each_row() -> None:
    down, on = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    wide = '<w:gridSpan w:val="2"/>'
    rows = [["A", tc("90", down), "1"], ["B", tc("", on), "2"], [tc("All", wide), "3"]]
    assert text(table(["Grade", "Fee", "Floor"], *rows)) == (
        "| Grade | Fee | Floor |\n| A | 90 | 1 |\n| B | 90 | 2 |\n| All |  | 3 |"
    )


def test_a_head_of_two_rows_names_each_column() -> None:
    wide = '<w:gridSpan w:val="2"/>'
    head = [[tc("", '<w:vMerge w:val="restart"/>'), tc("2026", wide)], ["Item", "Net", "Gross"]]
    assert text(table(*head, *[["Pen", "1", "2"]] * 9)).startswith(
        "Item: Pen | 2026 Net: 1 | 2026 Gross: 2"
    )


def test_a_table_in_a_cell_stays_in_its_row() -> None:
    inner = table(["In", "Out"], ["8", "9"])
    assert (
        text(table(["Day", "Hours"], ["Mon", inner])) == "| Day | Hours |\n| Mon | In, Out; 8, 9 |"
    )


def test_a_box_is_no_table_and_deleted_rows_are_gone() -> None:
    assert text(table(["Mind the step."])) == "Mind the step."
    gone = f"<w:tr><w:trPr><w:del/></w:trPr>{tc('x')}{tc('y')}</w:tr>"
    assert text(f"<w:tbl>{gone}<w:tr>{tc('a')}{tc('b')}</w:tr></w:tbl>") == "| a | b |"


NUMBERING = (
    '<w:abstractNum w:abstractNumId="0">'
    '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:lvlText w:val="%1."/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl>'
    '</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    '<w:num w:numId="2"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0">'
    '<w:startOverride w:val="7"/></w:lvlOverride></w:num>'
)


def item(words: str, list_id: int, depth: int = 0) -> str:
    numbered = f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{list_id}"/></w:numPr>'
    return paragraph(run(words), properties=numbered)


def test_lists_are_numbered_as_they_are_printed() -> None:
    body = item("a", 1) + item("b", 1, 1) + item("c", 1, 1) + item("d", 1) + item("e", 2)
    expected = "1. a\n  1.a) b\n  1.b) c\n2. d\n7. e"
    assert text(body, numbering=NUMBERING) == expected


def test_headings_are_known_by_their_style_whatever_its_id() -> None:
    styles = (
        '<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>'
        '<w:style w:styleId="Mine"><w:basedOn w:val="berschrift1"/><w:name w:val="Mine"/></w:style>'
        '<w:style w:styleId="TOC1"><w:name w:val="toc 1"/></w:style>'
        '<w:style w:styleId="Secret"><w:name w:val="Secret"/><w:rPr><w:vanish/></w:rPr></w:style>'
    )
    body = "".join(
        paragraph(run(words), properties=f'<w:pStyle w:val="{style}"/>')
        for style, words in (
            ("TOC1", "Leave 3"),
            ("Mine", "Leave"),
            ("", "25 days"),
            ("Secret", "x"),
        )
    )
    loaded = word(body, styles=styles)
    assert [(s.headings, s.text.strip()) for s in loaded.sections] == [(("Leave",), "25 days")]
    assert loaded.gaps == ("hidden text",)


@pytest.mark.parametrize(
    ("number", "form", "shown"),
    [(28, "lowerLetter", "bb"), (14, "upperRoman", "XIV"), (21, "chineseCounting", "二十一")],
)
def test_numerals_are_those_of_the_list(number: int, form: str, shown: str) -> None:
    assert numeral(number, form) == shown


def test_pictures_and_embedded_files_are_missing() -> None:
    picture = '<w:r><w:pict><v:imagedata r:id="x"/></w:pict></w:r>'
    loaded = word(paragraph(run("Words"), picture, picture, "<w:r><w:object/></w:r>"))
    assert loaded.gaps == ("2 pictures", "1 embedded file")


def test_charts_are_read_as_tables() -> None:
    chart = (
        "<c:chart><c:plotArea><c:ser><c:tx><c:v>Bikes</c:v></c:tx>"
        '<c:cat><c:pt idx="0"><c:v>Q1</c:v></c:pt><c:pt idx="1"><c:v>Q2</c:v></c:pt></c:cat>'
        '<c:val><c:pt idx="0"><c:v>12</c:v></c:pt>'
        '<c:pt idx="1"><c:v>0.30000000000000004</c:v></c:pt>'
        "</c:val></c:ser></c:plotArea></c:chart>"
    )
    refers = '<w:r><w:drawing><c:chart r:id="chart"/></w:drawing></w:r>'
    assert (
        text(paragraph(refers), chart=chart) == "Chart:\n\n|  | Bikes |\n| Q1 | 12 |\n| Q2 | 0.3 |"
    )


@pytest.mark.parametrize("part", ["<w:p>", "<!DOCTYPE x [<!ENTITY a 'b'>]>", "<w:p>&a;</w:p>"])
def test_a_damaged_part_is_named(part: str) -> None:
    assert "word/document.xml is not XML" in reason("a.docx", sample.word(part))


def test_nesting_without_end_is_refused() -> None:
    deep = 5_000
    with pytest.raises(RecursionError):  # which the sandbox words
        word("<w:sdt><w:sdtContent>" * deep + "</w:sdtContent></w:sdt>" * deep)


WHITE = '<w:color w:val="FFFFFF"/>'
DARK = '<w:shd w:val="clear" w:fill="1F3864"/>'


@pytest.mark.parametrize(
    "body",
    [
        paragraph(run("UNSEEN", WHITE)),
        paragraph(run("UNSEEN", '<w:sz w:val="2"/>')),
        paragraph(run("UNSEEN", WHITE), properties='<w:shd w:val="clear" w:fill="FEFEFE"/>'),
        paragraph(run("UNSEEN", '<w:color w:val="1F3864"/>' + DARK)),
        table([tc(paragraph(run("UNSEEN", WHITE))), tc("Fee", DARK)], ["Pen", "5"]),
    ],
)
def test_words_that_cannot_be_seen_are_left_out_and_told(body: str) -> None:
    loaded = word(body + paragraph(run("seen")))
    assert "UNSEEN" not in "".join(texts(loaded))
    assert loaded.gaps == ("hidden text",)


@pytest.mark.parametrize(
    "body",
    [
        paragraph(run("SEEN", WHITE + DARK)),
        paragraph(run("SEEN", '<w:highlight w:val="darkBlue"/>' + WHITE)),
        paragraph(run("SEEN", WHITE), properties=DARK),
        paragraph(run("SEEN", WHITE), properties='<w:pStyle w:val="Box"/>'),
        paragraph(run("SEEN", '<w:sz w:val="12"/><w:color w:val="auto"/>')),
        table([tc(paragraph(run("SEEN", WHITE)), DARK), tc("Fee")], ["Pen", "5"]),
        table(["Item", tc(paragraph(run("SEEN", WHITE)))]).replace(
            "<w:tbl>", '<w:tbl><w:tblPr><w:tblStyle w:val="Colourful"/></w:tblPr>'
        ),
        paragraph(f"<w:r><w:drawing>{BOX}</w:drawing></w:r>").replace(
            "<w:r><w:t>Call 4411.", f"<w:r><w:rPr>{WHITE}</w:rPr><w:t>SEEN"
        ),
        paragraph(
            '<w:r><w:drawing><wp:anchor behindDoc="1"/></w:drawing></w:r>', run("SEEN", WHITE)
        ),
    ],
)
def test_white_words_on_what_is_dark_or_not_known_are_read(body: str) -> None:
    style = '<w:style w:styleId="Box"><w:name w:val="Box"/><w:pPr>' + DARK + "</w:pPr></w:style>"
    loaded = word(body, styles=style)
    assert "SEEN" in "".join(texts(loaded))
    assert "hidden text" not in loaded.gaps


def test_paragraphs_in_bold_letters_are_headings() -> None:
    bold = [paragraph(run(name, "<w:b/>")) for name in ("Sick leave", "Pets")]
    loaded = word(f"{bold[0]}{paragraph(run('Call.'))}{bold[1]}{paragraph(run('Dogs may come.'))}")
    assert [section.headings for section in loaded.sections] == [("Sick leave",), ("Pets",)]
    partly = paragraph(run("Sick", "<w:b/>"), run(" leave", '<w:b w:val="0"/>'))
    assert word(f"{partly}{paragraph(run('Call.'))}{bold[1]}").sections[0].headings == ()

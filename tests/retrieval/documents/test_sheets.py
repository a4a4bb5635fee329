from __future__ import annotations

import pytest

from retrieval.documents.loaders.blocks import Loaded
from retrieval.documents.loaders.office.number_format import shown
from retrieval.errors import RestrictedError
from tests.retrieval import sample_files as sample
from tests.retrieval.documents.test_loaders import read, texts


def data(*rows: str) -> str:
    """Rows of cells, parted by bars; what begins with '<' is a cell already."""
    drawn = (
        "".join(c if c.startswith("<") else cell(c) for c in row.split("|")) if row else ""
        for row in rows
    )
    return f"<sheetData>{''.join(f'<row>{row}</row>' for row in drawn)}</sheetData>"


def cell(text: str) -> str:
    return f'<c t="inlineStr"><is><t>{text}</t></is></c>'


def sheet(xml: str) -> Loaded:
    return read("a.xlsx", sample.workbook({"Fees": xml}))


def test_a_title_above_the_head_is_a_heading() -> None:
    loaded = sheet(data("Prices 2026", "", "Item|Unit|Price", *["Part|piece|7.5"] * 9))
    assert loaded.sections[0].headings == ("Fees", "Prices 2026")
    assert texts(loaded)[0].startswith("Item: Part | Unit: piece | Price: 7.5\n")


def test_each_table_of_a_sheet_is_found_under_its_title() -> None:
    loaded = sheet(data("Rooms", "Room|Seats", "A|5", "", "Contacts", "Name|Phone", "Bo|4471"))
    assert [(s.headings[1:], s.text.strip()) for s in loaded.sections] == [
        (("Rooms",), "| Room | Seats |\n| A | 5 |"),
        (("Contacts",), "| Name | Phone |\n| Bo | 4471 |"),
    ]


@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        (0.25, "0%", "25%"),
        (0.075, "0.0%", "7.5%"),
        (1200, '#,##0.00 "€"', "1,200.00 €"),
        (12.5, "[$€-407] #,##0.00", "€ 12.50"),
        (1234.5, '_("$"* #,##0.00_);_("$"* \\(#,##0.00\\)', "$1,234.50"),
        (-5, "#,##0;[Red](#,##0)", "(5)"),
        (0, '0;-0;"none"', "none"),
        (46082.59375, "dd.mm.yyyy hh:mm", "01.03.2026 14:15"),
        (46082, "d mmmm yyyy", "1 March 2026"),
        (46082, 'yyyy"年"m"月"d"日"', "2026年3月1日"),
        (0.354166667, "h:mm", "8:30"),
        (0.75, "h:mm AM/PM", "6:00 PM"),
        (1.5, "[h]:mm", "36:00"),
        (0.03125, "mm:ss", "45:00"),
        (5, "00000", "00005"),
        (5551234, "000-0000", "555-1234"),
        (1.5, "# ?/?", "1 1/2"),
        (12345, "0.00E+00", "1.23E+04"),
        (0.1 + 0.2, "General", "0.3"),
        (2.5, "0", "3"),
        (1_234_567, '0.0,,"M"', "1.2M"),
        (3, 'General" kg"', "3 kg"),
        (1e300, "#,##0", "1e+300"),
        (-1, "yyyy", "-1"),
        (7, "", "7"),
        (7, ";;;", ""),
        (-7, "0;;0", ""),
    ],
)
def test_numbers_are_read_as_they_are_shown(value: float, code: str, words: str) -> None:
    assert shown(value, code) == words


def test_a_cell_has_the_format_of_its_style() -> None:
    cells = '<c s="1"><v>0.25</v></c><c s="2"><v>0.5</v></c><c><v>46082</v></c>'
    rows = data("Rate|Opens|Number", cells)
    book = sample.workbook({"Fees": rows}, formats=["0%", "h:mm"])
    assert texts(read("a.xlsx", book)) == ["| Rate | Opens | Number |\n| 25% | 12:00 | 46082 |"]


def test_formulas_are_read_as_their_values() -> None:
    cells = "<c><f>1+1</f><v>2</v></c><c t='str'><f>A1</f><v>two</v></c><c><f>B9</f></c>"
    loaded = sheet(data("A|B|C", cells, "<c t='b'><v>1</v></c><c t='e'><v>#N/A</v></c>"))
    assert texts(loaded) == ["| A | B | C |\n| 2 | two |  |\n| TRUE | #N/A |  |"]
    assert loaded.gaps == ("1 formula without a value",)
    loaded = sheet(data("A|B", "<c><f>B8</f></c><c><f>B9</f></c>"))
    assert loaded.gaps == ("2 formulas without a value",)


def test_merged_cells_are_read_in_each_row() -> None:
    merged = '<mergeCells><mergeCell ref="A2:A3"/></mergeCells>'
    rows = '<row r="2"><c r="A2" t="str"><v>Gym</v></c><c r="B2"><v>1</v></c></row>'
    rows += '<row r="3"><c r="B3"><v>2</v></c></row>'
    head = f'<row r="1">{cell("Item")}{cell("Fee")}</row>'
    loaded = sheet(f"<sheetData>{head}{rows}</sheetData>{merged}")
    assert texts(loaded) == ["| Item | Fee |\n| Gym | 1 |\n| Gym | 2 |"]


def test_a_head_merged_over_columns_names_each_of_them() -> None:
    merged = '<mergeCells><mergeCell ref="B1:C1"/><mergeCell ref="A1:A2"/></mergeCells>'
    rows = data("Item|2026", "<c r='B2' t='str'><v>Net</v></c>|Gross", *["Pen|1|2"] * 9)
    assert texts(sheet(rows + merged))[0].startswith("Item: Pen | 2026 Net: 1 | 2026 Gross: 2\n")


HIDDEN_COLUMN = '<cols><col min="2" max="2" hidden="1"/></cols>'
ROWS = "<sheetData><row><c t='str'><v>Name</v></c><c t='str'><v>{}</v></c></row>{}</sheetData>"
HIDDEN_ROW = "<row hidden='1'><c><v>7</v></c><c><v>8</v></c></row>"


@pytest.mark.parametrize(
    ("xml", "words", "gaps"),
    [
        (HIDDEN_COLUMN + ROWS.format("Fee", ""), "Name", ("hidden rows or columns of 'Fees'",)),
        (ROWS.format("Fee", HIDDEN_ROW), "| Name | Fee |", ("hidden rows or columns of 'Fees'",)),
        (
            ROWS.format("Fee", HIDDEN_ROW) + "<autoFilter ref='A1:B9'/>",
            "| Name | Fee |\n| 7 | 8 |",
            (),
        ),
        (
            ROWS.format("Fee", HIDDEN_ROW.replace("hidden", "outlineLevel='1' hidden")),
            "| Name | Fee |\n| 7 | 8 |",
            (),
        ),
    ],
)
def test_what_is_hidden_is_left_out_but_not_what_is_filtered_or_folded(
    xml: str, words: str, gaps: tuple[str, ...]
) -> None:
    loaded = sheet(xml)
    assert (texts(loaded), loaded.gaps) == ([words], gaps)


def test_hidden_sheets_are_left_out_and_named() -> None:
    book = sample.workbook({"Fees": data("A|B", "1|2"), "Old": data("x|y")}, hidden=["Old"])
    loaded = read("a.xlsx", book)
    assert (texts(loaded), loaded.gaps) == (["| A | B |\n| 1 | 2 |"], ("hidden sheet 'Old'",))


@pytest.mark.parametrize("hidden", [(), ("Old",)])
@pytest.mark.parametrize("rows", ["Audience|B", "Title||~Audience|B", "A|B~1|2~~audience|C~x|y"])
def test_a_column_anywhere_may_restrict_readers(rows: str, hidden: tuple[str, ...]) -> None:
    book = sample.workbook({"Fees": data("A|B"), "Old": data(*rows.split("~"))}, hidden=hidden)
    with pytest.raises(RestrictedError, match="udience"):
        read("a.xlsx", book)


def test_a_hidden_column_may_restrict_readers() -> None:
    with pytest.raises(RestrictedError, match="Audience"):
        sheet(HIDDEN_COLUMN + ROWS.format("Audience", ""))


def test_comments_name_who_wrote_them_and_what_about() -> None:
    book = sample.workbook({"Fees": data("Gym|5", "Pool|6")}, comment="Closed in August")
    assert texts(read("a.xlsx", book))[0].startswith("Comment by Bo on A1, Gym: Closed in August")


def test_cells_that_are_far_apart_are_no_load() -> None:
    corner = '<row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    merged = '<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    first = '<row r="1"><c r="A1"><v>1</v></c></row>'
    assert texts(sheet(f"<sheetData>{first}{corner}</sheetData>{merged}")) == ["| 1 | 2 |"]


@pytest.mark.parametrize("name", ["a.xlsm", "a.xltx"])
def test_workbooks_with_macros_and_templates_are_read(name: str) -> None:
    assert texts(read(name, sample.xlsx("A", [["x", "y"]]))) == ["| x | y |"]


def test_links_of_cells_keep_where_they_lead() -> None:
    link = (
        '<hyperlinks><hyperlink ref="B2" r:id="l"/><hyperlink ref="A2" location="x"/></hyperlinks>'
    )
    formula = "<c t='str'><f>HYPERLINK(&quot;https://b.example&quot;,A1)</f><v>site</v></c>"
    rows = f'<row r="1">{cell("Name")}{cell("Where")}</row>'
    rows += '<row r="2"><c r="A2" t="str"><v>Pay</v></c><c r="B2" t="str"><v>portal</v></c></row>'
    rows += f'<row r="3">{cell("Leave")}{formula}</row>'
    xml = f"<sheetData>{rows}</sheetData>{link}"
    loaded = read("a.xlsx", sample.workbook({"Fees": xml}, link="https://pay.example/x"))
    assert texts(loaded)[0].split("\n")[1:] == [
        "| Pay | portal (https://pay.example/x) |",
        "| Leave | site (https://b.example) |",
    ]


SOLID = "<fill><patternFill patternType='solid'><fgColor rgb='FF{}'/></patternFill></fill>"
UNSEEN = data("Item|Fee", f"{cell('Pen')}{{}}")


@pytest.mark.parametrize(
    ("font", "fill", "is_read"),
    [
        ("<color rgb='FFFFFFFF'/>", "<fill/>", True),  # behind them is what nobody said
        ("<color rgb='FFFFFFFF'/>", "<fill><patternFill patternType='none'/></fill>", False),
        ("<color theme='0'/>", "<fill><patternFill patternType='none'/></fill>", False),
        ("<color indexed='9'/>", SOLID.format("FEFEFE"), False),
        ("<color rgb='FF000000'/>", SOLID.format("000000"), False),
        ("<color rgb='FFFFFFFF'/>", SOLID.format("003366"), True),
        ("<color theme='0' tint='-0.5'/>", SOLID.format("FFFFFF"), True),
    ],
)
def test_words_in_the_colour_of_their_cell_are_left_out(
    font: str, fill: str, is_read: bool
) -> None:
    styles = f"<fonts><font/><font>{font}</font></fonts><fills><fill/>{fill}</fills>"
    pale = "<c s='1' t='str'><v>hidden</v></c>"
    loaded = read("a.xlsx", sample.workbook({"Fees": UNSEEN.format(pale)}, styles=styles))
    assert ("hidden" in texts(loaded)[0]) == is_read
    assert loaded.gaps == (() if is_read else ("1 cell that shows nothing",))
    rule = '<conditionalFormatting sqref="A9 B2:B3"/>'
    book = sample.workbook({"Fees": UNSEEN.format(pale) + rule}, styles=styles)
    assert "hidden" in texts(read("a.xlsx", book))[0]


def test_words_that_a_format_does_not_show_are_left_out() -> None:
    xml = UNSEEN.format("<c s='1' t='str'><v>hidden</v></c>")
    loaded = read("a.xlsx", sample.workbook({"Fees": xml}, formats=[";;;"]))
    assert texts(loaded) == ["| Item | Fee |\n| Pen |  |"]
    assert "hidden" in texts(read("a.xlsx", sample.workbook({"Fees": xml}, formats=["0;0;0;@"])))[0]


def test_a_column_that_cannot_be_seen_may_restrict_readers() -> None:
    xml = UNSEEN.replace("Fee", "Audience").format("").replace("<c t", "<c s='1' t")
    with pytest.raises(RestrictedError, match="Audience"):
        read("a.xlsx", sample.workbook({"Fees": xml}, formats=[";;;"]))

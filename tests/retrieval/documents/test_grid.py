from __future__ import annotations

import pytest

from retrieval.errors import RestrictedError
from tests.retrieval.documents.test_loaders import read, texts

ROOMS = "".join(f"Room {n},{3 * n},{n % 2}\n" for n in range(1, 11))


def last_line(table: str) -> str:
    return texts(read("a.csv", table))[-1].rpartition("\n")[2]


@pytest.mark.parametrize(
    "above",
    [
        "Export of 2026-05-01\n",
        "Export of 2026-05-01\n\n",
        "# made by a tool\n# on a Friday\n",
        "Report:,Rooms\nPeriod:,May\n",
        "Report,Rooms\nOwner,Bo\n\n",
    ],
)
def test_lines_above_a_table_are_not_its_head(above: str) -> None:
    text = texts(read("a.csv", f"{above}Room,Seats,Floor\n{ROOMS}"))[0]
    assert text.endswith("Room: Room 10 | Seats: 30 | Floor: 0")
    assert above.partition("\n")[0].replace(",", " ").split()[-1] in text.partition("Room:")[0]


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nItem;Price\nPen;1,5\nCap;3,0",
        '"sep=;"\r\nItem;Price\r\nPen;1,5\r\nCap;3,0',
        "Item|Price\nPen|1,5\nCap|3,0",
        "Item\tPrice\nPen\t1,5\nCap\t3,0",
        'Item,Price\nPen,"1,5"\nCap,"3,0"',
        "Stock;\nItem;Price\nPen;1,5\nCap;3,0",
    ],
)
def test_what_parts_the_cells_is_found(text: str) -> None:
    table = "| Item | Price |\n| Pen | 1,5 |\n| Cap | 3,0 |"
    assert texts(read("a.csv", text))[0].endswith(table)


def test_a_line_that_ends_in_a_cell_goes_on() -> None:
    table = 'Item,Note\nPen,"first\n\nsecond"\n'
    assert texts(read("a.csv", table)) == ["| Item | Note |\n| Pen | first second |"]


def test_a_table_without_a_head_has_none_made_up() -> None:
    assert last_line(ROOMS) == "| Room 10 | 30 | 0 |"


@pytest.mark.parametrize("head", ["Item,2025,2026", "Item,1,2,3", "Item,2 nd,Q2"])
def test_a_head_may_hold_years_and_counts(head: str) -> None:
    columns = head.count(",")
    rows = "".join(f"Pen{',7' * columns}\n" for _ in range(9))
    assert last_line(f"{head}\n{rows}").startswith("Item: Pen | ")


def test_totals_and_sources_stand_below_a_table() -> None:
    assert last_line(f"Room,Seats,Floor\n{ROOMS}Total,165,") == "Room: Total | Seats: 165"
    assert last_line(f"Room,Seats,Floor\n{ROOMS}Source: facilities") == "Source: facilities"


def test_a_table_goes_on_after_an_empty_row() -> None:
    tables = texts(read("a.csv", f"Room,Seats,Floor\nRoom 0,1,1\n\n{ROOMS}"))[0].split("\n\n")
    assert tables[1].startswith("Room: Room 1 | Seats: 3 | Floor: 1\n")


def test_each_table_of_a_file_has_its_own_head() -> None:
    tables = f"Room,Seats,Floor\n{ROOMS}\nContacts\nName,Phone\n" + "Bo,4471\n" * 9
    assert last_line(tables) == "Name: Bo | Phone: 4471"


@pytest.mark.parametrize("table", ["Export\nAudience,Name\nhr,Bo", "A,B\n1,2\n\nAudience,B\nhr,3"])
def test_a_column_below_other_lines_may_restrict_readers(table: str) -> None:
    with pytest.raises(RestrictedError, match="Audience"):
        read("a.csv", table)


def test_a_row_that_is_longer_than_all_others_is_no_head() -> None:
    rows = "Question,Answer\nWhat?,Five\nWhen?,On the first,or,the,next\n"
    assert texts(read("a.csv", rows))[0].startswith("| Question | Answer |  |  |  |\n| What? |")


@pytest.mark.parametrize("first", ["Bo,Sales,Rome", "Bo,bo@x.example,Bonn"])
def test_a_first_row_like_those_below_it_is_no_head(first: str) -> None:
    rows = "".join(f"Ann {n},Sales,Rome {n}\n" for n in range(9))
    assert last_line(f"{first}\n{rows}").startswith("| Ann 8 | Sales |")

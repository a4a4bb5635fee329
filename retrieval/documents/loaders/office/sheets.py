"""Reads Excel files: each sheet's tables, with cells as they are shown."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from retrieval.documents.loaders.blocks import Block, Loaded, comment, counted, sections_of
from retrieval.documents.loaders.grid import MAX_CELLS, Across, blocks_of_grid
from retrieval.documents.loaders.office.cell_styles import CellStyles
from retrieval.documents.loaders.office.drawing import drawn_lines, graphics, target
from retrieval.documents.loaders.office.number_format import hides_words, shown
from retrieval.documents.loaders.office.package import Element, Package, is_on, local_name, whole
from retrieval.errors import UnreadableError

_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")
_MARGIN_CODE = re.compile(r'&(?:"[^"]*"|\d+|K[0-9A-Fa-f]{6}|[A-JM-QS-Za-z+])')
_MAX_MERGED = 1_000_000
_MAX_AREAS = 1_000
# fmt: off
_PARTS = (
    "row", "col", "mergeCell", "autoFilter", "hyperlink", "conditionalFormatting", "oddHeader",
    "oddFooter",
)
# fmt: on
_LINK = re.compile(r"\s*HYPERLINK\(\s*\"([^\"]+)\"", re.IGNORECASE)
_STUB = "[Threaded comment]"

Area = tuple[int, int, int, int]  # first and last row, first and last column, from 1


def load_workbook(data: bytes) -> list[Loaded]:
    """One document with a heading for each sheet; what is hidden is left out.

    What only a filter hides, or a group that is folded, is read.

    Raises:
        RestrictedError: If a sheet may say who reads its rows, also where it is hidden.
        UnreadableError: If the file is damaged, protected, or unpacks to too much.
    """
    package = Package(data)
    root = package.xml(package.main)
    if root is None or root.tag != "x|workbook":
        raise UnreadableError("is damaged or not really an Excel file")
    blocks, gaps = read_sheets(_Workbook(package, root).sheets())
    return [Loaded(sections_of(blocks), title=package.title(), gaps=tuple(gaps))]


@dataclass(slots=True)
class Sheet:
    """The cells of a sheet by row and column, and what stands around them."""

    name: str = ""
    is_hidden: bool = False
    rows: dict[int, dict[int, str]] = field(default_factory=dict)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: list[range] = field(default_factory=list)
    merged: list[Area] = field(default_factory=list)
    filtered: list[Area] = field(default_factory=list)
    coloured: list[Area] = field(default_factory=list)
    unseen: set[tuple[int, int]] = field(default_factory=set)
    beside: list[Block] = field(default_factory=list)
    unknown: int = 0

    @property
    def hides(self) -> bool:
        """Whether there are cells that are not shown."""
        return bool(self.hidden_rows or self.hidden_columns) and any(
            row in self.hidden_rows or any(column in hidden for hidden in self.hidden_columns)
            for row, cells in self.rows.items()
            for column in cells
        )

    def blocks(self) -> list[Block]:
        """What a reader sees.

        Raises:
            RestrictedError: If a column may say who reads the rows, be it hidden.
        """
        drawn = blocks_of_grid(self._grid(self.rows), title_level=3)
        if self.hides or self.unseen:
            drawn = blocks_of_grid(self._grid(self._visible()), title_level=3)
        return [*self.beside, *drawn]

    def _visible(self) -> dict[int, dict[int, str]]:
        return {
            number: {
                column: text
                for column, text in row.items()
                if (number, column) not in self.unseen
                and not any(column in hidden for hidden in self.hidden_columns)
            }
            for number, row in self.rows.items()
            if number not in self.hidden_rows
        }

    def grid(self) -> list[list[str]]:
        """All cells by rows, whether or not they are hidden, an empty row for each gap."""
        return list(self._grid(self.rows))

    def _grid(self, rows: dict[int, dict[int, str]]) -> Iterator[list[str]]:
        columns = sorted({column for row in rows.values() for column in row})
        if len(columns) * len(rows) > MAX_CELLS:
            raise UnreadableError(f"has a sheet of more than {MAX_CELLS:,} cells")
        before = 0
        for number in sorted(rows):
            if number > before + 1 and not self._are_hidden(before + 1, number):
                yield []
            before = number
            yield [rows[number].get(column, "") for column in columns]

    def _are_hidden(self, first: int, end: int) -> bool:
        return end - first <= len(self.hidden_rows) and self.hidden_rows.issuperset(
            range(first, end)
        )

    def add(self, tag: str, element: Element) -> None:
        """Keep what an element says of areas of the sheet, or prints above or below it."""
        if tag == "mergeCell":
            self.merged += _area(element.get("ref", ""))
        elif tag == "autoFilter":
            self.filtered += _area(element.get("ref", ""))
        elif tag == "conditionalFormatting":
            for place in element.get("sqref", "").split()[:_MAX_AREAS]:
                self.coloured += _area(place)
        else:
            self.beside += _margin(element)

    def finish(self) -> None:
        """Unhide what only a filter hides, and show merged cells in each row and column."""
        for first, last, _, _ in self.filtered:
            self.hidden_rows = {row for row in self.hidden_rows if not first <= row <= last}
        # There what is behind the words is said elsewhere.
        for first, last, start, end in self.coloured:
            self.unseen = {
                (row, column)
                for row, column in self.unseen
                if not (first <= row <= last and start <= column <= end)
            }
        used = sorted({column for row in self.rows.values() for column in row})
        numbers = sorted(self.rows)
        left = _MAX_MERGED
        for top, bottom, start, end in self.merged:
            text = self.rows.get(top, {}).get(start, "")
            columns = used[bisect_left(used, start) : bisect_left(used, end + 1)]
            own = numbers[bisect_left(numbers, top) : bisect_left(numbers, bottom + 1)]
            left -= len(columns) * len(own)
            if not text or left < 0 or (top, start) in self.unseen:
                continue
            for number in own:
                for column in columns:
                    cell = text if column == start else Across(text)
                    self.rows[number].setdefault(column, cell)


def read_sheets(sheets: Iterable[Sheet]) -> tuple[list[Block], list[str]]:
    """What a reader sees of the sheets, a heading for each, and what is left out of them.

    Raises:
        RestrictedError: If a sheet may say who reads its rows, also where it is hidden.
    """
    blocks: list[Block] = []
    gaps: list[str] = []
    for sheet in sheets:
        own = sheet.blocks()
        if sheet.is_hidden:
            gaps.append(f"hidden sheet {sheet.name!r}")
            continue
        if sheet.hides:
            gaps.append(f"hidden rows or columns of {sheet.name!r}")
        gaps += counted(len(sheet.unseen), "cell that shows nothing", "cells that show nothing")
        gaps += counted(sheet.unknown, "formula without a value", "formulas without a value")
        blocks += [Block(sheet.name, level=2), *own] if own else []
    return blocks, gaps


class _Workbook:
    """What the sheets of a file share: words, formats, and what day is the first."""

    def __init__(self, package: Package, root: Element) -> None:
        self._package = package
        self._root = root
        self._is_1904 = any(is_on(own, "date1904") for own in root.iter("x|workbookPr"))
        self._words = [
            _words(element)
            for part in package.related(package.main, "sharedStrings")
            for _, element in package.stream(part, "si")
        ]
        self._styles = CellStyles(package)
        self._people = {
            person.get("id", ""): person.get("displayName", "")
            for part in package.related(package.main, "person")
            for _, person in package.stream(part, "person")
        }

    def sheets(self) -> Iterator[Sheet]:
        """The sheets in the order of their tabs."""
        relations = self._package.relations(self._package.main)
        for element in self._root.iter("x|sheet"):
            relation = relations.get(element.get("r|id", ""))
            if relation is not None:
                is_hidden = element.get("state", "visible") != "visible"
                sheet = Sheet(element.get("name", ""), is_hidden=is_hidden)
                self._read(sheet, relation.target)
                yield sheet

    def _read(self, sheet: Sheet, part: str) -> None:
        number = 0
        for tag, element in self._package.stream(part, *_PARTS):
            if tag == "row":
                number = whole(element.get("r"), number + 1)
                self._read_row(sheet, number, element)
            elif tag == "col":
                if _is_hidden(element):
                    first = whole(element.get("min"), 1)
                    last = whole(element.get("max"), first)
                    sheet.hidden_columns.append(range(first, last + 1))
            elif tag == "hyperlink":
                self._add_link(sheet, part, element)
            else:
                sheet.add(tag, element)
        for name in self._package.related(part, "table"):
            for _, table in self._package.stream(name, "table"):
                sheet.filtered += _area(table.get("ref", ""))
                sheet.coloured += _area(table.get("ref", ""))
        sheet.finish()
        self._add_beside(sheet, part)

    def _read_row(self, sheet: Sheet, number: int, row: Element) -> None:
        cells: dict[int, str] = {}
        column = 0
        for cell in row:
            if local_name(cell) != "c":
                continue
            place = _REFERENCE.match(cell.get("r", ""))
            column = _column(place[1]) if place else column + 1
            text = self._shown(sheet, cell)
            if text.strip():
                cells[column] = text
                if self._is_unseen(cell):
                    sheet.unseen.add((number, column))
        if cells:
            sheet.rows[number] = cells
        if _is_hidden(row):
            sheet.hidden_rows.add(number)

    def _is_unseen(self, cell: Element) -> bool:
        style = whole(cell.get("s"))
        is_text = cell.get("t") in ("s", "str", "inlineStr")
        return self._styles.is_pale(style) or (
            is_text and hides_words(self._styles.format_of(style))
        )

    def _add_link(self, sheet: Sheet, part: str, element: Element) -> None:
        id_ = next((value for name, value in element.items() if name.endswith("}id")), "")
        relation = self._package.relations(part).get(id_)
        for row, _, column, _ in _area(element.get("ref", "")):
            words = sheet.rows.get(row, {}).get(column)
            if words and relation and relation.is_external:
                sheet.rows[row][column] = words + target(relation.target, words)

    def _shown(self, sheet: Sheet, cell: Element) -> str:
        kind = cell.get("t", "n")
        value, has_formula, link = "", False, None
        for child in cell:
            name = local_name(child)
            if name == "v":
                value = child.text or ""
            elif name == "is":
                return _words(child)
            elif name == "f":
                has_formula = True
                link = _LINK.match(child.text or "")
        if kind == "s":
            place = whole(value, len(self._words))
            return self._words[place] if place < len(self._words) else ""
        if kind == "b":
            return "TRUE" if value == "1" else "FALSE"
        if kind == "d":
            return value.replace("T", " ").removesuffix(" 00:00:00")
        if kind != "n":
            return value + target(link[1], value) if link else value
        sheet.unknown += has_formula and not value
        return self._number(value, whole(cell.get("s")))

    def _number(self, value: str, style: int) -> str:
        try:
            number = float(value)
        except ValueError:
            return value
        code = self._styles.format_of(style)
        return shown(number, code, is_1904=self._is_1904) if abs(number) < 1e300 else value

    def _add_beside(self, sheet: Sheet, part: str) -> None:
        """Add the comments and text boxes of a sheet, and the charts of one without cells."""
        for name in self._package.related(part, "threadedComment"):
            for _, element in self._package.stream(name, "threadedComment"):
                author = self._people.get(element.get("personId", ""))
                text = "".join(own.text or "" for own in element if local_name(own) == "text")
                sheet.beside.append(_noted(sheet, element, author, text))
        for name in self._package.related(part, "comments"):
            root = self._package.xml(name)
            authors = [own.text or "" for own in root.iter("x|author")] if root is not None else []
            for element in root.iter("x|comment") if root is not None else ():
                number = whole(element.get("authorId"))
                text = "".join(own.text or "" for own in element.iter("x|t")).strip()
                author = authors[number] if number < len(authors) else None
                if text and not text.startswith(_STUB):
                    text = text.removeprefix(f"{author}:").strip()
                    sheet.beside.append(_noted(sheet, element, author, text))
        for name in self._package.related(part, "drawing"):
            root = self._package.xml(name)
            if root is not None:
                sheet.beside += [Block(line) for line in drawn_lines(root)]
                sheet.beside += graphics(root, self._package, name) if not sheet.rows else []


def _noted(sheet: Sheet, element: Element, author: str | None, text: str) -> Block:
    place = element.get("ref", "")
    areas = _area(place)
    row = sheet.rows.get(areas[0][0], {}) if areas else {}
    first = " ".join(row[min(row)].split()) if row else ""
    return comment(author, text, place=f"{place}, {first}" if first else place)


def _words(element: Element) -> str:
    """The words of a cell, without what only says how they are pronounced."""
    runs = (child for child in element if local_name(child) in ("t", "r"))
    return "".join(own.text or "" for run in runs for own in run.iter() if local_name(own) == "t")


def _margin(element: Element) -> list[Block]:
    """What is printed above or below a sheet, without the codes for the page's number or fonts."""
    parts = re.split("&[LCR]", (element.text or "").replace("&&", "\0"))
    texts = (_MARGIN_CODE.sub("", part).replace("\0", "&").strip() for part in parts)
    return [Block(text) for text in texts if re.search(r"[^\W\d]{4}", text)]


def _is_hidden(element: Element) -> bool:
    """Whether a row or column is hidden, and not only folded."""
    return is_on(element, "hidden") and not whole(element.get("outlineLevel"))


def _area(reference: str) -> list[Area]:
    ends = [_REFERENCE.fullmatch(end) for end in reference.split(":")][:2]
    if not all(ends):
        return []
    columns = [_column(end[1]) for end in ends if end]
    rows = [int(end[2]) for end in ends if end]
    return [(min(rows), max(rows), min(columns), max(columns))]


def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = 26 * number + ord(letter) - 64
    return number

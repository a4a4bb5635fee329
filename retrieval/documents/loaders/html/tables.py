"""Reads the rows of HTML tables: cells that span rows or columns stand in each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from selectolax.lexbor import LexborHTMLParser, LexborNode

from retrieval.documents.loaders.html.elements import code_of

MAX_SPAN = 100
MAX_REPEATED = 20_000
"""Most cells of a table that are there only because others span them."""
MAX_CODE_LINES = 10
"""Longer blocks of code in a cell are not put on one line with the rest of its row."""

_DIGITS = re.compile(r"[0-9]{1,6}")
_GROUPS = ("thead", "tbody", "tfoot")
_NOT_IN_DATA = "table h1, table h2, table h3, table h4, table h5, table h6, table pre, table table"
_NOTES = ", ".join(
    f".{name} > table"
    for name in ("note", "tip", "warning", "caution", "important", "admonitionblock")
)
"""In what DocBook and AsciiDoc make, a note is its picture and its text in the cells of a table."""


def layout_tables(tree: LexborHTMLParser) -> frozenset[int]:
    """The tables, by `mem_id`, that only put things in their places, so have no rows to keep."""
    found: set[int] = set()
    for node in tree.css(_NOT_IN_DATA):
        around = _enclosing_table(node)
        while around is not None and around.mem_id not in found:
            outer = _enclosing_table(around)
            if outer is None and _has_head(around) and (node.tag == "table" or _is_short(node)):
                break  # a table, or a few lines of code, in the cell of another
            found.add(around.mem_id)
            around = outer
    for table in tree.css("table"):
        if table.mem_id not in found and _is_column(table):
            found.add(table.mem_id)
    for table in tree.css(_NOTES):
        if sum(1 for _ in _own_rows(table)) <= 2:  # its name may stand above the text
            found.add(table.mem_id)
    for table in tree.css("table[role=presentation], table[role=none]"):
        found.add(table.mem_id)
    return frozenset(found)


def rows_of(table: LexborNode) -> list[list[tuple[LexborNode, bool]]]:
    """Each row's cells, and whether each is there only because it spans so far."""
    rows: list[list[tuple[LexborNode, bool]]] = []
    below: dict[int, tuple[LexborNode, int]] = {}  # by column: what spans it, for how many rows
    repeated = 0
    for row in _own_rows(table):
        cells: list[tuple[LexborNode, bool]] = []
        own = [cell for cell in row.iter() if cell.tag in ("td", "th")]
        is_alone = len(own) == 1 and not below
        for cell in own:
            repeated += _take_over(cells, below)
            wide = 1 if is_alone else _span(cell, "colspan")
            high = _span(cell, "rowspan")
            if repeated > MAX_REPEATED:
                wide = high = 1
            for n in range(wide):
                if high > 1:
                    below[len(cells)] = (cell, high - 1)
                cells.append((cell, n > 0))
            repeated += wide - 1
        repeated += _take_over(cells, below)
        if cells:
            rows.append(cells)
    return rows


def head_rows(rows: list[list[tuple[LexborNode, bool]]]) -> int:
    """How many rows at the top name the columns."""
    heads = 0
    for row in rows:
        parent = row[0][0].parent
        group = parent.parent if parent is not None else None
        # The corner above the heads of rows is often an empty cell like any other.
        named = row if row[0][0].text().strip() else row[1:]
        if not all(cell.tag == "th" for cell, _ in named or row) and (
            group is None or group.tag != "thead"
        ):
            break
        heads += 1
    heads = heads or _unmarked_heads([cell for cell, _ in rows[0]], len(rows))
    return heads if heads < len(rows) else min(heads, 1)


def _unmarked_heads(first: Sequence[LexborNode], count: int) -> int:
    """How many rows name the columns though they are marked as data: what the first cells show.

    Some of them span columns and the others the rows of the head, or all are in bold letters.
    """
    high = [rows for cell in first if (rows := _span(cell, "rowspan")) > 1]
    if high and any(_span(cell, "colspan") > 1 for cell in first):
        return min(high)
    return int(count > 1 and len(first) > 1 and all(map(_is_bold, first)))


def _is_bold(cell: LexborNode) -> bool:
    words = "".join(cell.text().split())
    bold = (node.text() for node in cell.css("b, strong"))
    return bool(words) and words == "".join("".join(bold).split())


def _take_over(
    cells: list[tuple[LexborNode, bool]], below: dict[int, tuple[LexborNode, int]]
) -> int:
    """Add what spans the next columns from the rows above; says how many cells that were."""
    before = len(cells)
    while (above := below.pop(len(cells), None)) is not None:
        cell, rows = above
        if rows > 1:
            below[len(cells)] = (cell, rows - 1)
        cells.append((cell, True))
    return len(cells) - before


def _own_rows(table: LexborNode) -> Iterator[LexborNode]:
    for child in table.iter():
        if child.tag == "tr":
            yield child
        elif child.tag in _GROUPS:
            yield from (row for row in child.iter() if row.tag == "tr")


def _span(cell: LexborNode, name: str) -> int:
    value = cell.attributes.get(name) or ""
    return max(1, min(int(value), MAX_SPAN)) if _DIGITS.fullmatch(value) else 1


def _is_short(node: LexborNode) -> bool:
    return node.tag == "pre" and code_of(node).count("\n") < MAX_CODE_LINES


def _has_head(table: LexborNode) -> bool:
    return any(cell.tag == "th" for row in _own_rows(table) for cell in row.iter())


def _is_column(table: LexborNode) -> bool:
    """Whether a table puts paragraphs below each other, and names no column."""
    for row in _own_rows(table):
        cells = [cell for cell in row.iter() if cell.tag in ("td", "th")]
        if len(cells) > 1 or any(cell.tag == "th" for cell in cells):
            return False
    return table.css_first("p, div, ul, ol") is not None


def _enclosing_table(node: LexborNode) -> LexborNode | None:
    around = node.parent
    while around is not None and around.tag != "table":
        around = around.parent
    return around

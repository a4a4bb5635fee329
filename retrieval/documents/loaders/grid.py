"""Finds the tables in a grid of cells: the lines above them, their heads, several in one sheet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from retrieval.documents.loaders.blocks import Block, joined_head, table_text
from retrieval.documents.loaders.front_matter import refuse
from retrieval.errors import UnreadableError
from retrieval.labels import names_audience

Row = list[str]

MAX_CELLS = 20_000_000
"""Larger tables are refused: cells that are far apart would fill the memory with empty ones."""

_MEASURED_ROWS = 200
_MAX_HEAD_ROWS = 4
_MAX_LINES = 12
_VALUE = re.compile(
    r"\S+@\S+\.\w+|https?://\S+|"
    r"[-+(]?(?:[A-Z]{3} |\W{0,2})\d[\d.,:/'’\s-]*(?:%|[^\w\s]|[年月日元时分秒])*[^\W\d]{0,3}"
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_STOP = re.compile(r"[.!?:;。！？：；]$")


class Across(str):
    """What a cell shows that lies under a wider one; only a head says it again."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table, which goes on with the one above or lies under the one before it."""

    blocks: Sequence[Block] = ()
    goes_on: bool = False
    is_across: bool = False


def spread(rows: Iterable[Iterable[Cell]]) -> list[Row]:
    """The words of the cells, again in each row and column that they are merged over."""
    grid: list[Row] = []
    for row in rows:
        words: Row = []
        for n, cell in enumerate(row):
            if cell.goes_on and grid and n < len(grid[-1]):
                words.append(grid[-1][n])
            elif cell.is_across and words:
                words.append(Across(words[-1]))
            else:
                words.append("\n".join(block.text for block in cell.blocks))
        grid.append(words)
    return grid


def blocks_of_grid(
    rows: Iterable[Row], *, title_level: int = 0, is_checked: bool = True
) -> list[Block]:
    """The tables of a sheet, with the lines above and between them.

    Empty rows part tables. One without a head of its own goes on with the head above it.

    Args:
        rows: Cells as they are shown, also those of empty rows.
        title_level: The level of the heading that a line above a table becomes; 0 for none.
        is_checked: Whether columns may say who reads the rows.

    Raises:
        RestrictedError: If a head, or a line above one, may say who reads the rows.
        UnreadableError: If there are more cells than can be read.
    """
    blocks: list[Block] = []
    head: Row = []
    for part in _parts(rows):
        start = _start(part)
        lines, body = part[:start], part[start:]
        count = _head_rows(body)
        if is_checked:
            named = _cells([*lines, *body[: count or 1]])
            refuse(filter(names_audience, named), where=" of a column")
        blocks += _lines(lines, title_level)
        if count:
            head, body = joined_head(body[:count]), body[count:]
        elif lines or not _fits(body, head):
            head = []
        if count or body:
            blocks.append(_table(head, body))
    return blocks


def inline_table(text: str) -> str:
    """A drawn table on one line, for a cell of another one."""
    return "; ".join(line.strip("| ").replace(" | ", ", ") for line in text.split("\n"))


def _parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """What stands between empty rows."""
    part: list[Row] = []
    for row in rows:
        if any(cell.strip() for cell in row):
            part.append(row)
        elif part:
            yield part
            part = []
    if part:
        yield part


def _start(part: Sequence[Row]) -> int:
    """The row that a table begins with; as many as there are for a part that is no table."""
    filled = [_extent(row) for row in part]
    # A row that is much longer than all others is a slip.
    measured = sorted(filled[:_MEASURED_ROWS], reverse=True)
    width = measured[min(len(measured) - 1, max(1, len(measured) // 10))]
    wide = max(2, 0.6 * width)
    start = next((n for n, count in enumerate(filled) if count >= wide), len(part))
    return _fuller_head(part, start) or start


def _extent(row: Row) -> int:
    """How many columns a row covers; a head often has nothing above the names of the rows."""
    return len(row) if not row[0].strip() and all(row[1:]) else _filled(row)


def _fuller_head(part: Sequence[Row], start: int) -> int | None:
    """The head, where the row that seems one only stands above it: `Period: | May`."""
    row = part[start] if start < len(part) else []
    end = len(row) - next((n for n, cell in enumerate(reversed(row)) if cell), 0)
    if not all(row[:end]) or any(isinstance(cell, Across) for cell in row):
        return None
    near = range(start + 1, min(start + _MAX_LINES, len(part) - 1))
    at = next((n for n in near if any(part[n][end:])), None)
    if at is None or any(map(_is_value, part[at])):
        return None
    numbered = {n for n, cell in enumerate(part[at + 1]) if _is_value(cell)}
    return at if any(part[at][n : n + 1] > [""] for n in numbered) else None


def _head_rows(body: Sequence[Row]) -> int:
    """How many rows name the columns; 0 if the first row is like those below it."""
    if not body:
        return 0
    count = 1
    while (
        count < min(len(body) - 1, _MAX_HEAD_ROWS)
        and any(isinstance(cell, Across) for cell in body[count - 1])
        and not any(map(_is_value, body[count]))
    ):
        count += 1
    return count if _is_head(body[0], body[count : count + _MEASURED_ROWS]) else 0


def _is_head(row: Row, below: Sequence[Row]) -> bool:
    values = [cell for cell in row if _is_value(cell)]
    if any(_comes_again(row, other) for other in below):
        return False
    if not values or all(map(_YEAR.fullmatch, values)) or _counts(values):
        return True
    named = {n for n, cell in enumerate(row) if cell and not _is_value(cell)}
    return any(sum(_is_value(r[n]) for r in below if n < len(r)) > len(below) / 2 for n in named)


def _comes_again(row: Row, other: Row) -> bool:
    """Whether a row names what one below names in the same column, and is not the same."""
    pairs = [(a, b) for a, b in zip(row, other, strict=False) if a.strip()]
    return any(a == b for a, b in pairs) and not all(a == b for a, b in pairs)


def _counts(values: Row) -> bool:
    """Whether these are numbers one after the other, as the days of a month are."""
    if len(values) < 3 or not all(value.isdecimal() for value in values):
        return False
    return all(int(after) - int(before) == 1 for before, after in pairwise(values))


def _is_value(cell: str) -> bool:
    return len(cell) <= 40 and _VALUE.fullmatch(cell.strip()) is not None


def _fits(body: Sequence[Row], head: Row) -> bool:
    return all(not cell or head[n : n + 1] > [""] for row in body for n, cell in enumerate(row))


def _table(head: Row, body: Sequence[Row]) -> Block:
    rows = [[("" if isinstance(cell, Across) else cell) for cell in row] for row in body]
    if any(head):
        rows = [[*head], *rows]
    columns = sorted({n for row in rows for n, cell in enumerate(row) if cell.strip()})
    if len(rows) * len(columns) > MAX_CELLS:
        raise UnreadableError(f"has a table of more than {MAX_CELLS:,} cells")
    cells = [[row[n] if n < len(row) else "" for n in columns] for row in rows]
    return Block(table_text(cells, has_header=any(head)))


def _lines(rows: Sequence[Row], title_level: int) -> list[Block]:
    texts = [" ".join(filter(None, _cells([row]))) for row in rows]
    if not texts:
        return []
    is_title = title_level and _filled(rows[0]) == 1 and not _STOP.search(texts[0])
    first = Block(texts[0], level=title_level if is_title and len(texts[0]) <= 80 else 0)
    return [
        first,
        *(Block(text, is_tight=n > 0 or not first.level) for n, text in enumerate(texts[1:])),
    ]


def _cells(rows: Iterable[Row]) -> list[str]:
    return [" ".join(cell.split()) for row in rows for cell in row if not isinstance(cell, Across)]


def _filled(row: Row) -> int:
    return sum(1 for cell in row if cell.strip() and not isinstance(cell, Across))

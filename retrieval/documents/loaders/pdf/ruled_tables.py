"""Tables that are drawn with lines: their cells, and the words in them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from retrieval.documents.loaders.pdf.words import Table, Word, joined, rows_of

_NEAR = 3.0
"""In points: lines that miss each other by less are meant to meet."""

_MAX_LINES = 400
_MAX_PAIRS = 40_000
"""Drawings have more lines than tables."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is drawn straight: at `at` across the axis, from `start` to `end` along it."""

    is_upright: bool
    at: float
    start: float
    end: float


def tables_in(words: Sequence[Word], lines: Iterable[Line]) -> tuple[list[Word], list[Word]]:
    """The words outside of every ruled table, and a word for each row of the tables."""
    rest = list(words)
    placed: list[Word] = []
    for grid in _grids(_merged(lines)):
        inside = [word for word in rest if grid.holds(word)]
        table = grid.table(inside)
        if table is not None:
            taken = set(map(id, inside))
            rest = [word for word in rest if id(word) not in taken]
            placed += [
                Word("", grid.xs[0], top, grid.xs[-1], bottom, table)
                for top, bottom in pairwise(grid.ys)
            ]
    return rest, placed


@dataclass(frozen=True, slots=True)
class _Grid:
    xs: list[float]
    ys: list[float]
    upright: list[Line]
    level: list[Line]

    def holds(self, word: Word) -> bool:
        x = (word.x0 + word.x1) / 2
        return self.xs[0] < x < self.xs[-1] and self.ys[0] < word.middle < self.ys[-1]

    def table(self, words: Sequence[Word]) -> Table | None:
        """None where the lines frame something else: a box, a drawing, columns of text."""
        if len(self.xs) < 3 or len(self.ys) < 2:
            return None
        cells: dict[tuple[int, int], list[Word]] = {}
        for word in words:
            row = bisect_right(self.ys, word.middle) - 1
            column = bisect_right(self.xs, (word.x0 + word.x1) / 2) - 1
            cells.setdefault(self._origin(row, column), []).append(word)
        texts = {place: _lines(inside) for place, inside in cells.items()}
        if len(texts) < 2 or len(texts) < 0.15 * (len(self.xs) - 1) * (len(self.ys) - 1):
            return None
        if len(self.ys) == 2 and max(map(len, texts.values())) > 6:
            return None
        rows = [row for n in range(len(self.ys) - 1) for row in self._rows(n, texts)]
        return Table(tuple(rows))

    def _origin(self, row: int, column: int) -> tuple[int, int]:
        # A cell without a line to its neighbour is one with it.
        y = (self.ys[row] + self.ys[row + 1]) / 2
        while column and not _crosses(self.upright, self.xs[column], y):
            column -= 1
        x = (self.xs[column] + self.xs[column + 1]) / 2
        while row and not _crosses(self.level, self.ys[row], x):
            row -= 1
        return row, column

    def _rows(
        self, row: int, texts: dict[tuple[int, int], list[tuple[float, str]]]
    ) -> list[tuple[str, ...]]:
        cells = [texts.get((row, column), []) for column in range(len(self.xs) - 1)]
        tops = _distinct(top for cell in cells for top, _ in cell)
        # Where lines are drawn above and below a table only, its rows are lines of text.
        aligned = sum(len(cell) == len(tops) for cell in cells)
        if len(self.ys) <= 4 and len(tops) >= 3 and aligned >= 2:
            return [
                tuple(
                    joined(text for top, text in cell if bisect_right(tops, top) == n)
                    for cell in cells
                )
                for n in range(1, len(tops) + 1)
            ]
        return [tuple(joined(line for _, line in cell) for cell in cells)]


def _lines(words: Sequence[Word]) -> list[tuple[float, str]]:
    return [(row.box.top, row.text) for row in rows_of(words)]


def _crosses(lines: Iterable[Line], at: float, along: float) -> bool:
    return any(abs(line.at - at) <= _NEAR and line.start <= along <= line.end for line in lines)


def _merged(lines: Iterable[Line]) -> list[Line]:
    """The lines with those that go on from each other as one."""
    merged: list[Line] = []
    for line in sorted(lines, key=lambda line: (line.is_upright, round(line.at), line.start)):
        last = merged[-1] if merged else None
        if (
            last is not None
            and last.is_upright == line.is_upright
            and abs(last.at - line.at) <= 1
            and line.start <= last.end + _NEAR
        ):
            merged[-1] = Line(last.is_upright, last.at, last.start, max(last.end, line.end))
        else:
            merged.append(line)
    return [line for line in merged if line.end - line.start > _NEAR]


def _grids(lines: Sequence[Line]) -> Iterable[_Grid]:
    upright = [line for line in lines if line.is_upright]
    level = [line for line in lines if not line.is_upright]
    if len(upright) * len(level) > _MAX_PAIRS or max(len(upright), len(level)) > _MAX_LINES:
        return
    groups: list[tuple[list[Line], list[Line]]] = []
    for line in upright:
        met = [other for other in level if _meet(line, other)]
        joined = [group for group in groups if any(other in group[1] for other in met)]
        groups = [group for group in groups if group not in joined]
        groups.append(
            (
                [line, *(other for group in joined for other in group[0])],
                list(dict.fromkeys([*met, *(other for group in joined for other in group[1])])),
            )
        )
    for columns, rows in groups:
        if not rows:
            continue
        # A table may be open to the left and right.
        ends = [end for line in rows for end in (line.start, line.end)]
        xs = _distinct([line.at for line in columns] + [min(ends), max(ends)])
        yield _Grid(xs, _distinct(line.at for line in rows), columns, rows)


def _meet(upright: Line, level: Line) -> bool:
    return (
        upright.start - _NEAR <= level.at <= upright.end + _NEAR
        and level.start - _NEAR <= upright.at <= level.end + _NEAR
    )


def _distinct(values: Iterable[float]) -> list[float]:
    kept: list[float] = []
    for value in sorted(values):
        if not kept or value - kept[-1] > _NEAR:
            kept.append(value)
    return kept

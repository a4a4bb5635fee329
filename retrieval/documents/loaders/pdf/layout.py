"""Puts the words of a page into reading order: columns of text, tables, paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from statistics import fmean, median

from retrieval.documents.loaders.pdf.words import (
    Row,
    Table,
    Word,
    around,
    is_broken_address,
    is_divided,
    joined,
    rows_of,
)
from retrieval.language import CJK

_MARKER = re.compile(
    r"[-–—*•●○▪■□◦‣·\uf0b7]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.):]|[①-⑳]|[一二三四五六七八九十]+、"
)
_ITEM = re.compile(rf"(?:{_MARKER.pattern})(?:\s|$)|[•●▪■◦‣·\uf0b7①-⑳]")
STOP = re.compile(r"[.!?:;。！？：；]\W*$")
"""How a line ends that no other goes on."""
_WIDE = re.compile(f"[{CJK}]")
_LEADER = re.compile(r"(?:[.…·_]\s?){4,}")

_MAX_DEPTH = 4
_MAX_LETTERS = 20.0
"""In points: what is taller is no letter, but the row of a table."""
_LARGER = 1.1
_Gap = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph: its text, and the size of its letters.

    A tight one follows the one before it on the next line.
    """

    text: str
    size: float
    is_tight: bool


Element = Text | Table


def elements_of(words: Sequence[Word]) -> Iterator[Element]:
    """The paragraphs and tables of a page as they are read."""
    # A table that is already known has as many words on the page as it has rows.
    left = {id(word.table) for word in words}
    known = set(left)
    for element in _elements(words, _MAX_DEPTH):
        if id(element) not in known or id(element) in left:
            yield element
        left.discard(id(element))


def _elements(words: Sequence[Word], depth: int) -> Iterator[Element]:
    rows = rows_of(words)
    plain: list[Row] = []
    start = 0
    while start < len(rows):
        end, gaps = _band(rows, start)
        if _is_chance(rows, start, end, gaps):
            gaps = []
        found = list(_arranged(rows[start:end], gaps, depth)) if gaps and depth else None
        if found:
            yield from _plain(plain)
            yield from found
            plain = []
        else:
            plain += rows[start:end]
        start = end
    yield from _plain(plain)


def _band(rows: Sequence[Row], start: int) -> tuple[int, list[_Gap]]:
    """The end of the rows from here on that leave the same gaps free, and these gaps."""
    covered = _covered([], rows[start])
    gaps = _gaps(covered, rows[start])
    end = start + 1
    usual = 0.0
    while end < len(rows):
        row = rows[end]
        more = _covered(covered, row)
        left = _gaps(more, row)
        is_across = len(row.pieces) == 1 and any(_spans(row.pieces[0], gap) for gap in gaps)
        is_other = len(left) < len(gaps) and end - start >= 3
        space = row.box.top - rows[end - 1].box.bottom
        is_far = space > max((2.5 if end - start == 1 else 1.2) * row.box.height, 2.5 * usual)
        if not left or is_across or is_other or is_far:
            break
        covered, gaps, end, usual = more, left, end + 1, max(usual, space)
    if end < len(rows) and end - start > 2 and _is_heading(rows[end - 1], rows[start : end - 1]):
        end -= 1  # it stands above what comes next, not at the foot of a column
    return end, gaps if end - start > 1 else []


def _is_heading(row: Row, above: Sequence[Row]) -> bool:
    """Whether a row is one run of letters that are larger than those above it mostly are."""
    usual = median(other.box.height for other in above)
    return len(row.pieces) == 1 and row.box.height > _LARGER * usual


def _is_chance(rows: Sequence[Row], start: int, end: int, gaps: Sequence[_Gap]) -> bool:
    """Whether the gaps are those of a few lines of justified text that happen to be in line."""
    if end - start > 3 or any(gap[1] - gap[0] > 4 * rows[start].box.height for gap in gaps):
        return False
    beside = [(rows[start - 1], rows[start])] if start else []
    beside += [(rows[end], rows[end - 1])] if end < len(rows) else []
    return any(
        abs(row.box.middle - near.box.middle) < 1.75 * near.box.height
        and any(_spans(piece, gap) for piece in row.pieces for gap in gaps)
        for row, near in beside
    )


def _covered(covered: Sequence[_Gap], row: Row) -> list[_Gap]:
    merged: list[_Gap] = []
    for x0, x1 in sorted([*covered, *((piece.x0, piece.x1) for piece in row.pieces)]):
        if merged and x0 <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], x1)
        else:
            merged.append((x0, x1))
    return merged


def _gaps(covered: Sequence[_Gap], row: Row) -> list[_Gap]:
    least = 0.8 * min(*(piece.height for piece in row.pieces), _MAX_LETTERS)
    return [(a[1], b[0]) for a, b in pairwise(covered) if b[0] - a[1] >= least]


def _spans(piece: Word, gap: _Gap) -> bool:
    return piece.x0 <= gap[0] and piece.x1 >= gap[1]


_Cells = list[list[list[Word]]]


def _arranged(rows: Sequence[Row], gaps: Sequence[_Gap], depth: int) -> Iterator[Element]:
    """The columns or the table that rows with these gaps are; nothing if they are neither."""
    starts = [gap[1] for gap in gaps]
    cells: _Cells = []
    for row in rows:
        line: list[list[Word]] = [[] for _ in range(len(gaps) + 1)]
        for piece in row.pieces:
            line[sum(piece.x0 >= start - 0.1 for start in starts)].append(piece)
        cells.append(line)
    cells = _without_markers(cells)
    if len(cells[0]) < 2:
        return
    if _is_text(cells, min(gap[1] - gap[0] for gap in gaps)):
        for column in zip(*cells, strict=True):
            yield from _elements([w for cell in column for w in cell], depth - 1)
    elif not any(word.table for word in _words(cells)):
        yield from _table(cells, depth)


def _without_markers(cells: _Cells) -> _Cells:
    """The cells with the numbers and bullets of lists joined to what they stand before."""
    column = 0
    while column < len(cells[0]) - 1:
        texts = [around(line[column]).text for line in cells if line[column]]
        if all(_MARKER.fullmatch(text) for text in texts):
            cells = [_joined(line, column) for line in cells]
        elif not any(line[column] and line[column + 1] for line in cells) and (
            len(texts) <= 1 or sum(bool(line[column + 1]) for line in cells) <= 1
        ):
            # A head stands beside its column, not above it.
            cells = [_joined(line, column) for line in cells]
        else:
            column += 1
    return cells


def _joined(line: list[list[Word]], column: int) -> list[list[Word]]:
    return [*line[:column], line[column] + line[column + 1], *line[column + 2 :]]


def _is_text(cells: _Cells, gap: float) -> bool:
    """Whether the columns are read one after the other."""
    columns = [[around(cell) for cell in column if cell] for column in zip(*cells, strict=True)]
    if any(word.table for column in columns for word in column):
        return True
    height = median(word.height for column in columns for word in column)
    least = 3 if gap > 1.5 * height else 4
    if any(len(column) < 2 for column in columns) or max(map(len, columns)) < least:
        return False
    both = sum(sum(map(bool, line)) > 1 for line in cells)
    if both < 0.5 * len(cells) or any(map(_is_uneven, cells)):
        return min(map(len, columns)) >= 3 and all(map(_is_prose, columns))
    return all(map(_flows, columns)) and not _has_row_gaps(cells)


def _is_uneven(line: Sequence[Sequence[Word]]) -> bool:
    """Whether the lines of two columns are near, but at heights of their own."""
    middles = [around(cell).middle for cell in line if cell]
    return max(middles) - min(middles) > 0.15 * around(next(filter(None, line))).height


def _is_prose(column: Sequence[Word]) -> bool:
    texts = [word.text for word in column]
    return fmean(map(len, texts)) >= (6 if _WIDE.search("".join(texts)) else 14)


def _flows(column: Sequence[Word]) -> bool:
    texts = [word.text for word in column]
    width = max(word.x1 - word.x0 for word in column) or 1
    filled = fmean((word.x1 - word.x0) / width for word in column)
    if _WIDE.search("".join(texts)):
        return filled > 0.7 and fmean(map(len, texts)) >= 8
    words = fmean(len(text.split()) for text in texts)
    going_on = fmean(text[:1].islower() for text in texts)
    return words >= 2.5 and (going_on >= 0.3 or (words >= 5 and filled > 0.6))


def _has_row_gaps(cells: _Cells) -> bool:
    """Whether the lines stand in groups, each of which begins in every column: rows of a table."""
    starts = _after_gaps(cells)
    return len(starts) >= 2 and all(all(cells[n]) for n in starts)


def _after_gaps(cells: _Cells) -> list[int]:
    """The lines that are further below the one before them than lines usually are."""
    pitches = _pitches(cells)
    least = 1.25 * min(pitches, default=0.0)
    return [n for n, pitch in enumerate(pitches, 1) if pitch > least]


def _table(cells: _Cells, depth: int) -> Iterator[Element]:
    """The table in the cells, and the text before and after it that is none of its rows."""
    first, last = 0, len(cells)
    while first < last and _is_alone(cells[first]):
        first += 1
    while first < last and _is_alone(cells[last - 1]):
        last -= 1
    pitch = _pitch(cells[first:last])
    while last < len(cells) and _is_row(cells[last - 1], cells[last], pitch):
        last += 1
    own = [n for n in range(len(cells[0])) if any(line[n] for line in cells[first:last])]
    kept = [[line[n] for n in own] for line in cells[first:last]]
    rows = _grouped(kept) or _unwrapped(kept)
    if sum(sum(map(bool, row)) > 1 for row in rows) < 2:
        return
    yield from _elements(_words(cells[:first]), depth - 1)
    yield Table(tuple(tuple(_cell(cell) for cell in row) for row in rows))
    yield from _elements(_words(cells[last:]), depth - 1)


def _words(cells: _Cells) -> list[Word]:
    return [word for line in cells for cell in line for word in cell]


def _is_row(above: Sequence[Sequence[Word]], line: Sequence[Sequence[Word]], pitch: float) -> bool:
    distance = around(line[0]).middle - _box(above).middle
    return distance <= 1.15 * pitch and not STOP.search(around(line[0]).text)


def _is_alone(line: Sequence[Sequence[Word]]) -> bool:
    return bool(line[0]) and not any(line[1:])


def _box(line: Iterable[Iterable[Word]]) -> Word:
    return around(word for cell in line for word in cell)


def _pitch(cells: Sequence[Sequence[Sequence[Word]]]) -> float:
    return median(_pitches(cells) or [0.0])


def _pitches(cells: Sequence[Sequence[Sequence[Word]]]) -> list[float]:
    """How far below each line the next is."""
    middles = [_box(line).middle for line in cells]
    return [below - above for above, below in pairwise(middles)]


def _cell(words: Sequence[Word]) -> str:
    return _LEADER.sub("… ", joined(row.text for row in rows_of(words))).strip()


def _grouped(cells: _Cells) -> _Cells:
    """The rows of a table of prose, whose lines stand in groups; none where it is no such table."""
    columns = [[around(cell) for cell in column if cell] for column in zip(*cells, strict=True)]
    if not (all(map(_flows, columns)) and _has_row_gaps(cells)):
        return []
    edges = [0, *_after_gaps(cells), len(cells)]
    groups = (zip(*cells[start:end], strict=True) for start, end in pairwise(edges))
    return [[list(chain.from_iterable(column)) for column in columns] for columns in groups]


def _unwrapped(cells: _Cells) -> _Cells:
    """The rows with the lines of each cell together."""
    columns = list(zip(*cells, strict=True))
    lefts = [min(word.x0 for cell in column for word in cell) for column in columns]
    rights = [max(word.x1 for cell in column for word in cell) for column in columns]
    rows, pitch = cells[:1], _pitch(cells)
    for before, line in pairwise(cells):
        if _goes_on(before, line, lefts, rights, pitch):
            rows[-1] = [a + b for a, b in zip(rows[-1], line, strict=True)]
        else:
            rows.append(line)
    return rows


def _goes_on(
    above: Sequence[Sequence[Word]],
    below: Sequence[Sequence[Word]],
    lefts: Sequence[float],
    rights: Sequence[float],
    pitch: float,
) -> bool:
    a, b = _box(above), _box(below)
    if b.middle - a.middle > 1.6 * min(a.height, b.height):
        return False
    shared = [n for n, cells in enumerate(zip(above, below, strict=True)) if all(cells)]
    fewer = min(sum(map(bool, above)), sum(map(bool, below)))
    if not shared or len(shared) < fewer or fewer == len(above):
        return False
    if b.middle - a.middle > 0.9 * pitch and any(
        around(below[n]).text[0].isupper() for n in shared
    ):
        return False
    return all(_is_full(around(above[n]), around(below[n]), lefts[n], rights[n]) for n in shared)


def _is_full(above: Word, below: Word, left: float, right: float) -> bool:
    """Whether the next line's first word had no room at the end of the line above it."""
    first = below.text.partition(" ")[0]
    width = (below.x1 - below.x0) * len(first) / len(below.text)
    is_long = above.x1 - above.x0 > max(5 * above.height, 0.6 * (right - left))
    return is_long and above.x1 + 0.25 * above.height + width > right


def _plain(rows: Sequence[Row]) -> Iterator[Element]:
    """Rows of one column as paragraphs; rows of tables become the tables."""
    run: list[Word] = []
    for row in rows:
        tables = [piece.table for piece in row.pieces if piece.table]
        if tables:
            yield from _paragraphs(run)
            yield from tables
            run = []
        if words := [piece for piece in row.pieces if not piece.table]:
            run.append(around(words))
    yield from _paragraphs(run)


def _paragraphs(lines: Sequence[Word]) -> Iterator[Text]:
    if not lines:
        return
    left, right = min(line.x0 for line in lines), max(line.x1 for line in lines)
    texts = [_LEADER.sub("… ", line.text).strip() for line in lines]
    start, is_tight = 0, False
    for n, (above, below) in enumerate(pairwise(lines), 1):
        is_near = _is_near(above, below)
        if not (is_near and _wraps(above, below, texts[n - 1 : n + 1], left, right)):
            yield _text(texts[start:n], lines[start:n], is_tight)
            start, is_tight = n, is_near
    yield _text(texts[start:], lines[start:], is_tight)


def _text(texts: Sequence[str], lines: Sequence[Word], is_tight: bool) -> Text:
    return Text(joined(texts), median(line.size for line in lines), is_tight)


def _is_near(above: Word, below: Word) -> bool:
    pitch = below.middle - above.middle
    # A raised number makes its line taller, not its letters.
    known = above.size and below.size
    sizes = (above.size, below.size) if known else (above.height, below.height)
    is_alike = abs(sizes[0] - sizes[1]) < 0.12 * sizes[0]
    return is_alike and pitch < 1.75 * above.height


def _wraps(above: Word, below: Word, texts: Sequence[str], left: float, right: float) -> bool:
    """Whether a line goes on with the next: it is full, or the next begins in mid-sentence."""
    first, second = texts
    if is_divided(first, second) or is_broken_address(first, second):
        return True
    if _ITEM.match(second) or abs(below.x0 - above.x0) > 3.5 * above.height:
        return False
    width = (below.x1 - below.x0) * len(second.partition(" ")[0]) / max(len(second), 1)
    if _WIDE.match(second):
        width = above.height
    is_full = above.x1 + 0.75 * above.height + width > right
    if STOP.search(first):
        return (
            is_full and above.x1 > right - 1.5 * above.height and right - left > 20 * above.height
        )
    least = (8 if _WIDE.match(second) else 15) * above.height
    return is_full and (second[:1].islower() or right - left > least)

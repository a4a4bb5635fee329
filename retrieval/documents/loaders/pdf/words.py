"""Words with their places on a page, and the rows they stand in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from retrieval.language import CJK

_IS_WIDE = re.compile(f"[{CJK}，、。：；！？“”（）《》]")

_ADDRESS_END = re.compile(r"(?:\S*(?:://|@)\S*[./@_=?&]|(?<!\S)(?:[\w-]{2,}\.){2,})\Z")
_ADDRESS_REST = re.compile(r"[a-z0-9]")

_PIECE_GAP = 0.9
"""In heights: words further apart do not belong to one run of text."""


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of a table by rows, each as long as the others."""

    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or a run of words, and its box in points from the upper left corner of the page.

    What stands for a row of a table that is already known has the `table` instead of a text.
    `size` is that of its letters, 0 where it is not known.
    """

    text: str
    x0: float
    top: float
    x1: float
    bottom: float
    table: Table | None = None
    size: float = 0.0

    @property
    def height(self) -> float:
        """How tall its line is, which follows the size of its letters."""
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """Where its line is, from the top."""
        return (self.top + self.bottom) / 2


@dataclass(frozen=True, slots=True)
class Row:
    """Runs of text side by side, from left to right; the gaps between them are wide."""

    pieces: tuple[Word, ...]

    @property
    def text(self) -> str:
        """The row as one line."""
        return spaced(self.pieces)

    @property
    def box(self) -> Word:
        """The row as one word."""
        return around(self.pieces)


def around(words: Iterable[Word]) -> Word:
    """One word with the texts and the place of all, of which there is at least one."""
    every = list(words)
    return Word(
        spaced(every),
        min(word.x0 for word in every),
        min(word.top for word in every),
        max(word.x1 for word in every),
        max(word.bottom for word in every),
        size=max(every, key=lambda word: len(word.text)).size,
    )


def spaced(words: Sequence[Word]) -> str:
    """The words on one line; between Chinese words that touch is no space."""
    text = ""
    end = 0.0
    for word in words:
        touches = word.x0 - end < 0.25 * word.height
        is_wide = _IS_WIDE.match(text[-1:]) and _IS_WIDE.match(word.text)
        text += word.text if not text or (touches and is_wide) else f" {word.text}"
        end = word.x1
    return text


def joined(lines: Iterable[str]) -> str:
    """The lines of a paragraph as one; words that were divided are whole again."""
    parts: list[str] = []
    for line in lines:
        last = parts[-1] if parts else ""
        if is_divided(last, line):
            parts[-1] = last[:-1]
        elif last and not (_IS_WIDE.match(last[-1]) and _IS_WIDE.match(line)):
            parts.append("" if is_broken_address(last, line) else " ")
        parts.append(line)
    return "".join(parts)


def is_divided(left: str, right: str) -> bool:
    """Whether a line ends in the first part of a word that the next begins with the rest of."""
    return left[-1:] == "-" and left[-2:-1].isalpha() and right[:1].islower()


def is_broken_address(left: str, right: str) -> bool:
    """Whether a line ends in the first part of an address that the next begins with the rest of."""
    return _ADDRESS_END.search(left) is not None and _ADDRESS_REST.match(right) is not None


def rows_of(words: Iterable[Word]) -> list[Row]:
    """The rows from top to bottom."""
    rows: list[list[Word]] = []
    middle = height = 0.0
    for word in sorted(words, key=lambda word: word.middle):
        if not rows or word.middle - middle > 0.5 * min(height, word.height):
            rows.append([])
            middle, height = word.middle, word.height
        rows[-1].append(word)
    return [Row(tuple(_pieces(sorted(row, key=lambda word: word.x0)))) for row in rows]


def _pieces(words: Sequence[Word]) -> Iterable[Word]:
    height = median(word.height for word in words)
    run: list[Word] = []
    for word in words:
        if word.table:
            yield word
            continue
        if run and word.x0 - max(before.x1 for before in run[-3:]) > _PIECE_GAP * height:
            yield around(run)
            run = []
        run.append(word)
    if run:
        yield around(run)

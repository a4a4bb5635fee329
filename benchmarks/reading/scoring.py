"""How much of a document a reader kept, from the Markdown that it makes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import unescape
from typing import NamedTuple

from benchmarks.reading.documents import Block, Truth

_NOT_COUNTED = re.compile(r"[^\w&<>%$€+=@]|_")
"""White space and the marks that Markdown, tables and escapes are made of."""


class Share(NamedTuple):
    """So much of so much."""

    kept: int
    all: int

    def __str__(self) -> str:
        """As a percentage; a dash of nothing."""
        return f"{self.kept / self.all:.1%}" if self.all else "-"


class Fidelity(NamedTuple):
    """What was kept: characters of blocks and cells that are whole, rows, headings as such."""

    characters: Share
    rows: Share
    headings: Share


def fidelity(truth: Truth, markdown: str) -> Fidelity:
    """How much of the truth stands in what a reader made of its file.

    A block counts with its characters where it stands somewhere unbroken. A row counts where one
    line has its cells, each in its column or named by its column, the empty ones too. A heading
    counts where a line is marked as one and says nothing else.
    """
    lines = unescape(markdown).splitlines()
    text = _plain(unescape(markdown))
    units = [unit for block in truth.blocks for unit in _units(block)]
    rows = [row for block in truth.blocks for row in _rows(block)]
    found_rows = {found for line in lines for found in _read_rows(line)}
    found_headings = {_plain(line) for line in lines if line.startswith("#")}
    headings = [_plain(block.text) for block in truth.blocks[1:] if block.level]
    return Fidelity(
        Share(sum(len(unit) for unit in units if unit in text), sum(map(len, units))),
        Share(sum(not found_rows.isdisjoint(row) for row in rows), len(rows)),
        Share(sum(heading in found_headings for heading in headings), len(headings)),
    )


def _units(block: Block) -> list[str]:
    cells = [cell for row in block.rows for cell in row]
    return [_plain(text) for text in cells or [block.text]]


def _rows(block: Block) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Each row below the head as it may stand in a line: in its columns, or named by them."""
    for row in block.rows[1:]:
        cells = tuple(_plain(cell) for cell in row)
        named = tuple(_plain(h + c) for h, c in zip(block.rows[0], row, strict=True) if c)
        yield cells, named


def _read_rows(line: str) -> Iterator[tuple[str, ...]]:
    cells = tuple(_plain(cell) for cell in line.strip().strip("|").split("|"))
    yield cells
    # A sheet's other tables may be wider.
    while len(cells) > 1 and not cells[-1]:
        cells = cells[:-1]
        yield cells


def _plain(text: str) -> str:
    return _NOT_COUNTED.sub("", text)


def total(found: Sequence[Fidelity]) -> Fidelity:
    """All of them together."""
    columns: Iterator[Sequence[Share]] = zip(*found, strict=True)
    return Fidelity(*(Share(sum(s.kept for s in c), sum(s.all for s in c)) for c in columns))

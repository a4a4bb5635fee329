"""Reads CSV: which character parts the cells, and where the table begins."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter

from retrieval.documents.loaders.blocks import Loaded, sections_of
from retrieval.documents.loaders.grid import blocks_of_grid
from retrieval.documents.loaders.text import decode
from retrieval.errors import UnreadableError

_DELIMITERS = "\t;|,"
_SEPARATOR = re.compile(r"\ufeff?\"?sep=(.)\"?[ \t]*(?:\n|\Z)", re.IGNORECASE)
_MEASURED_CHARS = 50_000


def load_csv(data: bytes) -> list[Loaded]:
    """One document: a table, and what stands above it.

    Raises:
        RestrictedError: If a column may say who reads its rows.
        UnreadableError: If it is no table.
    """
    text = decode(data).strip("\n")
    told = _SEPARATOR.match(text)
    text = text[told.end() :] if told else text
    rows = _rows(text, told[1] if told else _delimiter(text))
    return [Loaded(sections_of(blocks_of_grid(rows)))]


def _delimiter(text: str) -> str:
    """The character that gives most rows the same number of cells, more than one."""
    head = text[:_MEASURED_CHARS]

    def regularity(delimiter: str) -> tuple[int, int]:
        try:
            widths = Counter(len(row) for row in csv.reader(io.StringIO(head), delimiter=delimiter))
        except csv.Error:
            return 0, 0
        return max(((rows, width) for width, rows in widths.items() if width > 1), default=(0, 0))

    return max(_DELIMITERS, key=regularity)


def _rows(text: str, delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error as error:
        raise UnreadableError(f"is not a table ({error})") from error

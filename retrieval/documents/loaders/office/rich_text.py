"""Reads RTF: through LibreOffice where it is installed, else its words and tables alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from retrieval.documents.loaders.blocks import Block, Loaded, sections_of
from retrieval.documents.loaders.grid import blocks_of_grid
from retrieval.documents.loaders.office.old_office import load_old_office, program
from retrieval.errors import UnreadableError

MARK = b"{\\rtf"
"""What each file begins with."""

_GONE = re.compile(r"\{(?:\\[a-z]+-?\d* ?)*?\\(?:deleted|v)(?![a-z0])[^{}]*\}")
_GAP = "headings, headers, notes and comments, which are read where LibreOffice is installed"


def load_rich_text(data: bytes) -> list[Loaded]:
    """One document; without LibreOffice it has no headings, headers, notes or comments.

    Raises:
        UnreadableError: If it is not RTF.
    """
    if not data.lstrip().startswith(MARK):
        raise UnreadableError("is damaged or not really an RTF file")
    if program() is not None:
        return load_old_office(data, ".rtf")
    return [Loaded(sections_of(_blocks(_words(data))), gaps=(_GAP,))]


def _words(data: bytes) -> str:
    from striprtf.striprtf import rtf_to_text

    # What was deleted, or is hidden, is not printed.
    text: str = rtf_to_text(_GONE.sub("", data.decode("latin-1")), errors="replace")  # type: ignore[no-untyped-call]
    return text


def _blocks(text: str) -> Iterator[Block]:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    for is_table, group in groupby(lines, lambda line: line.endswith("|")):
        if is_table:
            rows = [line.removesuffix("|").split("|") for line in group]
            yield from blocks_of_grid(rows, is_checked=False)
        else:
            yield from map(Block, group)

"""Reads plain text: encodings and wrapped lines."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from retrieval.documents.loaders.block_headings import with_questions
from retrieval.documents.loaders.blocks import (
    Block,
    FilePath,
    Loaded,
    fenced,
    sections_of,
    top_heading,
)
from retrieval.documents.loaders.encodings import (
    encoding_of,
    is_nearly_utf8,
    utf16_without_mark,
)
from retrieval.documents.loaders.front_matter import refuse_unread
from retrieval.documents.loaders.grid import blocks_of_grid
from retrieval.documents.loaders.typed_headings import with_headings
from retrieval.errors import UnreadableError
from retrieval.language import CJK

_MIN_LINE, _MAX_LINE = 40, 120
_PARAGRAPHS = re.compile(r"\n[ \t]*+\n[^\S \t]*+")
_STARTS_ITEM = re.compile(r"\s|[-*•–>|#]|\(?\w{1,3}[.)]\s|[A-Z][\w-]*: ")
_MARK = re.compile(r"\s*(?:[-*•–]|\(?\w{1,3}[.)])\s+(?=\S)")
_STOP = re.compile(r"[.!?:;。！？：；]\s*$")
_COLUMNS = re.compile(r"(?<=\S)(?: {2,}|\t+)(?=\S)")
_FULL = 0.7
"""With this share of the longest line's width, a line may have been broken."""
_NO_ROOM = 0.85
"""Who breaks lines by hand leaves so much of the longest line's width at least."""
_WIDE = re.compile(f"[{CJK}，、“”（）]")


def load_text(data: bytes) -> list[Loaded]:
    """One document; lines that were wrapped to a width are joined again."""
    text = decode(data)
    refuse_unread(text)
    join = unwrap if _is_wrapped(text) else _with_tables
    blocks: list[Block] = []
    for block in with_headings(text):
        texts = [block.text] if block.level else _PARAGRAPHS.split(join(block.text).strip("\n"))
        blocks += [replace(block, text=part) for part in texts]
    blocks = with_questions(blocks)
    return [Loaded(sections_of(blocks), title=top_heading(blocks))]


def load_lines(data: bytes, path: FilePath) -> list[Loaded]:
    """One document of a program or a log, called as the file is, its lines as they are."""
    text = decode(data).strip("\n")
    refuse_unread(text)
    return [Loaded(sections_of([Block(fenced(text))] if text.strip() else []), title=path.name)]


def decode(data: bytes) -> str:
    r"""The text of bytes in whatever encoding they are for sure; lines end in `\n`.

    In UTF-8 with a few damaged characters, a question mark in a diamond (U+FFFD) stands for each.

    Raises:
        UnreadableError: If that cannot be told.
    """
    text = _decode(data)
    if "\0" in text:
        raise UnreadableError("is binary data, not text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decode(data: bytes) -> str:
    encoding = "utf-8-sig"
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        encoding = "utf-32"
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif b"\x1b$" in data and data.isascii():
        encoding = "iso2022_jp"
    elif b"\0" in data:
        encoding = utf16_without_mark(data) or encoding
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if b"\0" in data:
            raise UnreadableError("is binary data, not text") from error
        return _decode_old(data)


def _decode_old(data: bytes) -> str:
    if is_nearly_utf8(data):
        return data.decode("utf-8-sig", "replace")
    encoding = encoding_of(data)
    try:
        if encoding is not None:
            return data.decode(encoding)
    except UnicodeDecodeError:
        pass
    raise UnreadableError(
        "is text in an encoding that cannot be told for sure; if an editor shows it well, save it "
        "as UTF-8"
    )


def unwrap(text: str) -> str:
    """Text whose lines were broken to fit a width, with each paragraph on one line again."""
    return "\n\n".join(_unwrap_paragraph(part) for part in _PARAGRAPHS.split(text))


def _is_wrapped(text: str) -> bool:
    """Whether most lines that another follows had no room for the first word of that."""
    pairs = [
        (_width(before), _width(f"{before} {_first_word(said)}"))
        for before, _, said in _following(text.split("\n"))
        if before.strip() and said and not _starts_anew(before, said)
    ]
    pairs = [pair for pair in pairs if pair[0] <= _MAX_LINE]
    longest = max((width for width, _ in pairs), default=0)
    return sum(needed > _NO_ROOM * longest for _, needed in pairs) > len(pairs) / 2


def _following(lines: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Each line but the first, with the one before it and what it says.

    What goes on with an item is said without the indent that it has below the item's mark.
    """
    column = 0
    for before, line in pairwise(lines):
        if mark := _MARK.match(before):
            column = mark.end()
        if len(line) - len(line.lstrip()) != column:
            column = 0
        yield before, line, line[column:].rstrip()


def _first_word(line: str) -> str:
    return line[0] if _WIDE.match(line) else line.split()[0]


def _starts_anew(before: str, line: str) -> bool:
    """Whether a line is never a part of the sentence above it: it is an item, or a row."""
    return bool(_STARTS_ITEM.match(line) or _COLUMNS.search(before) or _COLUMNS.search(line))


def _with_tables(text: str) -> str:
    """Text in which cells that were put below each other with spaces or tabs are rows."""
    runs: list[list[str]] = []
    lines = text.split("\n")
    for n, line in enumerate(lines):
        if n and _are_rows(lines[n - 1], line):
            runs[-1].append(line)
        else:
            runs.append([line])
    return "\n".join(_table(run) if len(run) > 1 else run[0] for run in runs)


def _are_rows(above: str, line: str) -> bool:
    """Whether two lines have as many cells, which begin below each other."""
    places = [_starts_of_cells(row) for row in (above, line)]
    return len(places[0]) > 1 and places[0] == places[1]


def _starts_of_cells(line: str) -> list[int]:
    """Where the cells of a line begin, in columns or, behind tabs, by their number."""
    starts = [gap.end() for gap in _COLUMNS.finditer(line)]
    return (
        [len(starts)] * (len(starts) + 1)
        if "\t" in line
        else [0, *(_width(line[:at]) for at in starts)]
    )


def _table(lines: Sequence[str]) -> str:
    rows = [_COLUMNS.split(line.strip()) for line in lines]
    rows = [row for row in rows if set("".join(row)) - set("-=+ ")]
    blocks = blocks_of_grid(rows, is_checked=False)
    return "\n".join(block.text for block in blocks)


def _unwrap_paragraph(text: str) -> str:
    text = _with_tables(text)
    lines = text.split("\n")
    width = max(map(_width, lines))
    if not _MIN_LINE <= width <= _MAX_LINE:
        return text
    joined = [lines[0].rstrip()]
    for before, line, said in _following(lines):
        ends = _STOP.search(before) or _starts_anew(before, said)
        if not ends and _width(before) > _FULL * width:
            joined[-1:] = _join(joined[-1], said)
        else:
            joined.append(f"\n{line.rstrip()}")
    return "".join(joined)


def _width(line: str) -> int:
    return len(line) + len(_WIDE.findall(line))


def _join(left: str, right: str) -> tuple[str, str]:
    if re.search(r"[a-zäöüß][-‐]$", left[-2:]) and right[:1].islower():
        return left[:-1], right
    return left, right if _WIDE.match(left[-1:]) else f" {right}"

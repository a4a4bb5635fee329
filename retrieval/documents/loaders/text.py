"""Reads plain text: encodings and wrapped lines."""

from __future__ import annotations

import codecs
import re
from dataclasses import replace
from itertools import pairwise

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
from retrieval.documents.loaders.typed_headings import with_headings
from retrieval.errors import UnreadableError
from retrieval.language import CJK

_MIN_LINE, _MAX_LINE = 40, 120
_PARAGRAPHS = re.compile(r"\n[ \t]*+\n[^\S \t]*+")
_STARTS_ITEM = re.compile(r"\s|[-*•–>|#]|\(?\w{1,3}[.)]\s|[A-Z][\w-]*: ")
_STOP = re.compile(r"[.!?:;。！？：；]\s*$")
_WIDE = re.compile(f"[{CJK}，、“”（）]")


def load_text(data: bytes) -> list[Loaded]:
    """One document; lines that were wrapped to a width are joined again."""
    text = decode(data)
    refuse_unread(text)
    blocks = [
        block if block.level else replace(block, text=unwrap(block.text).strip("\n"))
        for block in with_headings(text)
    ]
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


def _unwrap_paragraph(text: str) -> str:
    lines = text.split("\n")
    width = max(map(_width, lines))
    if not _MIN_LINE <= width <= _MAX_LINE:
        return text
    joined = [lines[0].rstrip()]
    for before, line in pairwise(lines):
        ends = _STOP.search(before) or _STARTS_ITEM.match(line)
        if not ends and _width(before) > 0.7 * width:
            joined[-1:] = _join(joined[-1], line.rstrip())
        else:
            joined.append(f"\n{line.rstrip()}")
    return "".join(joined)


def _width(line: str) -> int:
    return len(line) + len(_WIDE.findall(line))


def _join(left: str, right: str) -> tuple[str, str]:
    if re.search(r"[a-zäöüß]-$", left[-2:]) and right[:1].islower():
        return left[:-1], right
    return left, right if _WIDE.match(left[-1:]) else f" {right}"

"""Reads plain text and CSV: encodings and wrapped lines."""

from __future__ import annotations

import codecs
import csv
import io
import re
from itertools import pairwise

from retrieval.documents.loaders.blocks import Block, Loaded, sections_of, table_text
from retrieval.documents.loaders.front_matter import refuse, refuse_unread
from retrieval.errors import UnreadableError
from retrieval.labels import names_audience
from retrieval.language import CJK

_MIN_LINE, _MAX_LINE = 40, 120
_PARAGRAPHS = re.compile(r"\n[ \t]*\n\s*?(?=\S|[ \t])")
_STARTS_ITEM = re.compile(r"\s|[-*•–>|#]|\(?\w{1,3}[.)]\s|[A-Z][\w-]*: ")
_PAIRED = re.compile(rb"[\x81-\xfe][\xa1-\xfe]")
_STOP = re.compile(r"[.!?:;。！？：；]\s*$")
_WIDE = re.compile(f"[{CJK}，、“”（）]")


def load_text(data: bytes) -> list[Loaded]:
    """One document without headings; lines that were wrapped to a width are joined again."""
    text = decode(data)
    refuse_unread(text)
    return [Loaded(sections_of([Block(unwrap(text).strip("\n"))]))]


def load_csv(data: bytes) -> list[Loaded]:
    """One document: a table whose first row names the columns."""
    text = decode(data).strip("\n")
    delimiter = max(",;\t|", key=text.partition("\n")[0].count)
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error as error:
        raise UnreadableError(f"is not a table ({error})") from error
    refuse(filter(names_audience, rows[0] if rows else ()), where=" of a column")
    return [Loaded(sections_of([Block(table_text(rows, has_header=True))]))]


def decode(data: bytes) -> str:
    r"""The text of bytes in UTF-8, UTF-16 with a byte order mark, or GB18030; lines end in `\n`.

    Raises:
        UnreadableError: If the bytes are none of these.
    """
    text = _decode(data)
    if "\0" in text:
        raise UnreadableError("is binary data, not text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decode(data: bytes) -> str:
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _decode_gb18030(data)


def _decode_gb18030(data: bytes) -> str:
    # GB18030 also accepts most Western European text and makes nonsense of it; in real Chinese
    # nearly all high bytes come in pairs.
    high = sum(byte >= 0x80 for byte in data)
    if 2 * len(_PAIRED.findall(data)) < 0.8 * high:
        raise UnreadableError("is not text in UTF-8, UTF-16 or GB18030; save it as UTF-8")
    try:
        return data.decode("gb18030")
    except UnicodeDecodeError as error:
        raise UnreadableError(
            "is not text in UTF-8, UTF-16 or GB18030; save it as UTF-8"
        ) from error


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
    if re.search(r"[a-zäöüß]-$", left) and right[:1].islower():
        return left[:-1], right
    return left, right if _WIDE.match(left[-1:]) else f" {right}"

"""Reads Org files, as Emacs writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from retrieval.documents.loaders.as_markdown import read_markdown, table
from retrieval.documents.loaders.blocks import Loaded, counted, fenced
from retrieval.documents.loaders.front_matter import (
    own_label,
    refuse,
    refuse_comments,
    refuse_unread,
)
from retrieval.documents.loaders.text import decode
from retrieval.labels import names_audience

_KEYWORD = re.compile(r"[ \t]*#\+([\w-]+):[ \t]*(.*)")
_BEGIN = re.compile(r"[ \t]*#\+begin_(\w+)[ \t]*([\w+#.-]*)", re.IGNORECASE)
_PROPERTY = re.compile(r"[ \t]*:([\w+-]+):(?:[ \t]|$)")
_HEADING = re.compile(r"(\*+) +(?:(?:TODO|DONE|NEXT|WAITING|CANCELLED) +)?(?:\[#\w\] +)?(.*)")
_TAGS = re.compile(r"[ \t]+:([\w@#%:]+):[ \t]*$")
_COMMENT = re.compile(r"[ \t]*#(?:[ \t]+(.*))?$")
_ITEM = re.compile(
    r"([ \t]*)(?:[-+]|[ \t]\*|(\d+)[.)])[ \t]+(?:\[[ X-]\][ \t]+)?"
    r"(?:(.{1,200}?)[ \t]{1,20}::[ \t]+)?(.*)"
)
_LINK = re.compile(r"\[\[([^\[\]]+)\](?:\[([^\[\]]+)\])?\]")
_CODE = re.compile(r"(?<![\w=~])([=~])(?=\S)([^\n]{1,300}?)(?<=\S)\1(?![\w=~])")
_MARKED = re.compile(r"(?<![\w*/_+])([*/_+])(?=\S)([^\n*/_+]{1,300})(?<=\S)\1(?![\w*/_+])")
_MARKS = {"*": "**", "/": "*", "_": "*", "+": "~~"}


def load_org(data: bytes) -> list[Loaded]:
    """One document; `#+AUDIENCE:` says who may read it, `#+TITLE:` what it is called.

    Raises:
        RestrictedError: If it may say who reads it, in a way that cannot be read for sure.
    """
    text = decode(data)
    lines = text.split("\n")
    refuse_unread("\n".join(line for line in lines if not _KEYWORD.match(line)))
    keywords = [(m[1].lower(), m[2].strip()) for line in lines if (m := _KEYWORD.match(line))]
    audience = own_label(keywords)
    title = " ".join(value for name, value in keywords if name == "title")
    named = [value.split() for name, value in keywords if name == "exclude_tags"]
    tags = {tag for values in named for tag in values} or {"noexport"}
    shown, parts = _exported(lines, tags)
    gaps = counted(parts, "part that is not exported", "parts that are not exported")
    return read_markdown([*_lines(iter(shown))], title=title or None, audience=audience, gaps=gaps)


def _exported(lines: Iterable[str], tags: set[str]) -> tuple[list[str], int]:
    """The lines without trees that are comments or have a tag, and how many such trees there are.

    Raises:
        RestrictedError: If such a tree may say who reads it.
    """
    shown: list[str] = []
    held: list[str] = []
    parts = depth = 0
    for line in lines:
        heading = _HEADING.match(line)
        if heading and not 0 < depth < len(heading[1]):
            own = _TAGS.search(line)
            is_out = re.match(r"COMMENT\b", heading[2]) or (own and tags & {*own[1].split(":")})
            depth = len(heading[1]) if is_out else 0
            parts += bool(depth)
        (held if depth else shown).append(line)
    refuse_comments(held)
    return shown, parts


def _lines(lines: Iterator[str]) -> Iterator[str]:
    rows: list[str] = []
    for line in lines:
        if line.lstrip().startswith("|"):
            rows.append(line)
            continue
        if rows:
            yield from ("", _table(rows), "")
            rows = []
        yield from _line(line, lines)
    if rows:
        yield from ("", _table(rows))


def _line(line: str, lines: Iterator[str]) -> Iterator[str]:
    if begun := _BEGIN.match(line):
        yield from _block(begun[1].lower(), begun[2], lines)
    elif line.strip().lower() in (":properties:", ":logbook:"):
        for inner in lines:
            if inner.strip().lower() == ":end:":
                break
            refuse(m[1] for m in [_PROPERTY.match(inner)] if m and names_audience(m[1]))
    elif heading := _HEADING.match(line):
        yield from ("", f"{'#' * min(6, len(heading[1]))} {_inline(_TAGS.sub('', heading[2]))}", "")
    elif comment := _COMMENT.match(line):
        refuse_comments([comment[1] or ""])
    elif _KEYWORD.match(line):
        return
    elif item := _ITEM.match(line):
        term = f"**{_inline(item[3])}** " if item[3] else ""
        number = f"{item[2]}." if item[2] else "-"
        yield f"{item[1]}{number} {term}{_inline(item[4])}"
    else:
        yield _inline(line)


def _block(kind: str, language: str, lines: Iterator[str]) -> Iterator[str]:
    held = []
    for line in lines:
        if line.strip().lower() == f"#+end_{kind}":
            break
        held.append(re.sub(r"^(\s*),(?=[*#,])", r"\1", line))
    if kind in ("src", "example", "export"):
        yield from ("", fenced("\n".join(held), language if kind == "src" else ""), "")
    elif kind == "comment":
        refuse_comments(held)
    else:
        yield ""
        yield from _lines(iter(held))
        yield ""


def _table(lines: list[str]) -> str:
    rows = [
        [_inline(cell.strip()) for cell in line.strip().strip("|").split("|")]
        for line in lines
        if not re.match(r"[ \t]*\|[-+]+\|?[ \t]*$", line)
    ]
    return table(rows, has_header=len(lines) > 1 and bool(re.match(r"[ \t]*\|-", lines[1])))


def _inline(text: str) -> str:
    pieces = re.split(r"(`[^`\n]*`)", _CODE.sub(lambda m: f"`{m[2]}`", text))
    for at in range(0, len(pieces), 2):
        plain = pieces[at].replace("<", "&lt;")
        plain = _MARKED.sub(lambda m: f"{_MARKS[m[1]]}{m[2]}{_MARKS[m[1]]}", plain)
        pieces[at] = _LINK.sub(lambda m: f"[{m[2] or m[1]}]({m[1].removeprefix('file:')})", plain)
    return "".join(pieces)

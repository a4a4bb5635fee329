"""What every loader makes: blocks of text, and the sections and documents they add up to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Protocol

from retrieval.records import PUBLIC, Section

MAX_TITLE_CHARS = 120
"""Longer titles and headings are cut: both are repeated in front of every passage."""


MAX_DRAWN_ROWS = 8
"""Longer tables name their columns in every row."""

_BACKTICKS = re.compile("`{3,}")


class FilePath(Protocol):
    """What loaders may ask of where a file is: on the disk, or in an archive."""

    def __hash__(self) -> int:
        """What is equal for the same file."""

    @property
    def name(self) -> str:
        """Its own name."""

    @property
    def stem(self) -> str:
        """Its own name without the suffix."""

    @property
    def suffix(self) -> str:
        """What its name ends in, from the last dot on."""

    @property
    def parent(self) -> FilePath:
        """The folder that it is in."""

    def __truediv__(self, name: str, /) -> FilePath:
        """What has this name in the folder."""

    def is_file(self) -> bool:
        """Whether there is such a file."""

    def read_bytes(self) -> bytes:
        """The bytes of the file."""


@dataclass(frozen=True, slots=True)
class Block:
    """A heading (`level` 1 to 6), or a paragraph, table, code block or list item (`level` 0).

    A tight block follows the one before it on the next line, others after an empty line. `bold` is
    what it begins with in bold letters.
    """

    text: str
    level: int = 0
    anchor: str | None = None
    page: int | None = None
    is_tight: bool = False
    bold: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A document as a loader found it; None is what the file does not say.

    `part` tells the documents of one file apart. `audience` is the file's own word, which no
    folder rule overrules; `usual_audience` holds where neither file nor folder says anything.
    `gaps` are as in `Source`.
    """

    sections: tuple[Section, ...]
    title: str | None = None
    url: str | None = None
    audience: str | None = None
    usual_audience: str = PUBLIC
    owner: str | None = None
    language: str | None = None
    part: str | None = None
    gaps: tuple[str, ...] = ()


def table_text(rows: Sequence[Sequence[str]], *, has_header: bool) -> str:
    """A table as a line for each row that holds anything.

    A short table is drawn with bars. The rows of a long one, which will be read apart from its
    header, name their columns: `Item: Pen | Price: 3`. Among three columns or more, a first cell
    that stands alone is a line of its own, such as a source.
    """
    flat = [[" ".join(cell.split()) for cell in row] for row in rows]
    flat = [row for row in flat if any(row)]
    if has_header and len(flat) > MAX_DRAWN_ROWS:
        return "\n".join(_labelled(flat[0], row) for row in flat[1:])
    return "\n".join(f"| {' | '.join(row)} |" for row in flat)


def _labelled(header: Sequence[str], row: Sequence[str]) -> str:
    if len(header) > 2 and row[0] and not any(row[1:]):
        return row[0]
    cells = zip_longest(header, row[: len(header)], fillvalue="")
    named = [f"{name}: {cell}" if name else cell for name, cell in cells if cell]
    return " | ".join([*named, *filter(None, row[len(header) :])])


def joined_head(rows: Iterable[Sequence[str]]) -> list[str]:
    """The rows of a table's head as one: `2024` above `Q1` is `2024 Q1`."""
    columns = zip_longest(*rows, fillvalue="")
    return [" ".join(dict.fromkeys(filter(None, column))) for column in columns]


def comment(author: str | None, text: str, *, place: str = "") -> Block:
    """What somebody noted beside the text, or on a place."""
    named = f"Comment by {one_line(author)}" if author and author.strip() else "Comment"
    return Block(f"{named}{f' on {place}' if place else ''}: {text}")


def counted(number: int, noun: str, plural: str | None = None) -> tuple[str, ...]:
    """A gap such as "2 pictures", if there are any; with an s for the plural if none is given."""
    return (f"{number} {noun if number == 1 else plural or noun + 's'}",) if number else ()


def fenced(code: str, language: str = "") -> str:
    """A block of code, whatever it holds."""
    longest = max(map(len, _BACKTICKS.findall(code)), default=2)
    fence = "`" * (longest + 1)
    word = language if re.fullmatch(r"[\w+#.-]+", language) else ""
    return f"{fence}{word}\n{code.rstrip()}\n{fence}"


def one_line(text: str) -> str:
    """A title or heading on one line, at most `MAX_TITLE_CHARS` long."""
    line = " ".join(storable(text).split())
    return line if len(line) <= MAX_TITLE_CHARS else line[: MAX_TITLE_CHARS - 1].rstrip() + "…"


def storable(text: str) -> str:
    """Text without what neither UTF-8 nor a database can hold: half characters and NUL."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def sections_of(blocks: Iterable[Block]) -> tuple[Section, ...]:
    """The sections under each heading and on each page; their texts, joined, are the document.

    Headings are not part of the text, they are every section's `headings`; only a heading with
    nothing under it becomes the text of a section, so that it can be found.
    """
    return tuple(_place(_runs(blocks)))


def title_of(blocks: list[Block]) -> str | None:
    """The document's own title: a heading that stands above all others, if it comes first."""
    headings = [block for block in blocks if block.level]
    if not headings:
        return None
    first = headings[0]
    is_alone = all(block.level > first.level for block in headings[1:])
    return one_line(first.text) if first.level == 1 or is_alone else None


def top_heading(blocks: Sequence[Block]) -> str | None:
    """The heading that all others are under, if it comes first."""
    headings = [block for block in blocks if block.level]
    is_top = headings and all(block.level > headings[0].level for block in headings[1:])
    return one_line(headings[0].text) if is_top and blocks[0] is headings[0] else None


@dataclass(slots=True)
class _Run:
    headings: tuple[Block, ...]
    page: int | None
    pieces: list[str] = field(default_factory=list)


def _runs(blocks: Iterable[Block]) -> list[_Run]:
    runs = [_Run((), None)]
    for block in blocks:
        last = runs[-1]
        if block.level:
            above = tuple(h for h in last.headings if h.level < block.level)
            runs.append(_Run((*above, block), block.page))
            continue
        if block.page != last.page:
            last = _Run(last.headings, block.page)
            runs.append(last)
        gap = "" if not last.pieces else "\n" if block.is_tight else "\n\n"
        last.pieces.append(gap + block.text)
    return runs


def _place(runs: list[_Run]) -> Iterable[Section]:
    start = 0
    for run, following in zip(runs, [*runs[1:], None], strict=True):
        text = storable("".join(run.pieces) or _bare_heading(run, following))
        if not text.strip():
            continue
        text += "\n\n"
        headings = tuple(one_line(heading.text) for heading in run.headings)
        anchor = run.headings[-1].anchor if run.headings else None
        yield Section(text, start, headings, run.page, anchor)
        start += len(text)


def _bare_heading(run: _Run, following: _Run | None) -> str:
    if not run.headings or (following is not None and run.headings[-1] in following.headings):
        return ""
    return run.headings[-1].text

"""What of a passage belongs together: a list with its lead-in, a block of code, rows of a table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from retrieval.answering.quantities import covers
from retrieval.documents.tables import cells_of, heads_of, is_labelled
from retrieval.language import words
from retrieval.search.lexical import terms

Kind = Literal["prose", "list", "code", "table"]

_FENCE = re.compile(r"\s*(```|~~~)")
_ROW = re.compile(r"\s*\|.*\|\s*")
_ITEM = re.compile(
    r"\s*(?:[-*+•‣◦·–]|\(?\d{1,3}[.)、]|\(?[a-z][.)]|[（(]?[一二三四五六七八九十]+[)）、]|[①-⑳]"
    r"|第[一二三四五六七八九十\d]+步|Step \d+\b)\s*\S",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?][\"'”’)\]*_]*(?=\s|\Z)\s*|[。！？；][”’」』）\"*_]*\s*")
_LEADS_IN = re.compile(r"[:：]\s*[*_]*\s*\Z")
_HEADING_WORDS = 4
_LINK_ONLY = re.compile(
    r"[\W\d_]*(?:(?:https?://|www\.)\S+|\[[^\]]*\]\([^)]*\))[\W\d_]*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Unit:
    """Neighbouring lines of one kind: characters `start` to `end` of the text, as `lines`."""

    kind: Kind
    lines: tuple[tuple[int, int], ...]

    @property
    def start(self) -> int:
        """Where it begins."""
        return self.lines[0][0]

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.lines[-1][1]


def units(text: str) -> list[Unit]:
    """The units of a text, in order; together they hold all lines that are not blank.

    A list is its items with the lines that go on from them and, where a line above ends in a
    colon, that line. Code runs from fence to fence.
    """
    found: list[tuple[Kind, list[tuple[int, int]]]] = []
    in_code = is_apart = False
    for start, end in _lines(text):
        line = text[start:end]
        if not line.strip() and not in_code:
            is_apart = True
            continue
        kind = _kind(line, is_code=in_code)
        before = found[-1] if found else None
        is_fence = _FENCE.match(line) is not None
        opens_code = is_fence and not in_code
        in_code ^= is_fence
        if before and not opens_code and _goes_on(before[0], kind, line, is_apart):
            before[1].append((start, end))
        elif kind in ("list", "code") and before and _leads_in(before, text):
            lead = before[1].pop()
            if not before[1]:
                found.pop()
            found.append((kind, [lead, (start, end)]))
        else:
            found.append((kind, [(start, end)]))
        is_apart = False
    return [Unit(kind, tuple(lines)) for kind, lines in found]


def telling_units(text: str) -> list[Unit]:
    """The units that tell something, with what leads in to them."""
    heads = head_rows(text)
    telling: list[Unit] = []
    for unit in reversed(units(text)):
        said = text[unit.start : unit.end]
        leads_in = bool(telling) and says_something(said.rstrip(" \n*_:："))
        if unit.kind == "code" or ((leads_in or says_something(said)) and not is_head(said, heads)):
            telling.insert(0, unit)
    return telling


def head_rows(text: str) -> set[str]:
    """The heads of a text's tables."""
    return {head.strip() for head in heads_of(text).values()}


def is_head(text: str, heads: Collection[str]) -> bool:
    """Whether a text is nothing but heads of tables."""
    return all(line.strip() in heads for line in text.split("\n") if line.strip())


def whole_sentences(unit: Unit, text: str, start: int, end: int) -> tuple[int, int]:
    """The span, grown to where sentences begin and end in a unit whose lines were wrapped."""
    ends = [
        unit.start + match.end() for match in _SENTENCE_END.finditer(text[unit.start : unit.end])
    ]
    begins = max((at for at in ends if at <= start), default=unit.start)
    stops = min((at for at in ends if at >= end), default=unit.end)
    return begins, max(end, begins + len(text[begins:stops].rstrip()))


def says_something(text: str) -> bool:
    """Whether a text can answer anything: it is more than addresses or what leads in."""
    return (
        bool(text.strip())
        and not _LEADS_IN.search(text)
        and not all(_LINK_ONLY.fullmatch(line) for line in text.split("\n") if words(line))
    )


def is_heading(text: str) -> bool:
    """Whether a text is one short line that ends like no sentence: it names something, no more."""
    line = text.strip()
    return (
        "\n" not in line
        and not re.search(r"[\d.!?:。！？：|`]", line)
        and len(words(line)) <= _HEADING_WORDS
    )


def matching_rows(unit: Unit, text: str, asked: frozenset[str]) -> list[tuple[int, int]]:
    """The rows of a table that have most of what was asked for, with their head.

    A word counts the more, the fewer rows have it, and nothing if all do. Where no row has any that
    counts, all of them are given.
    """
    rows = _rows(unit, text)
    if not rows:
        return list(unit.lines)
    known = [frozenset(terms(text[start:end])) for start, end in rows]
    rows_with = Counter(term for row in known for term in row & asked)
    found = [
        sum(1 / rows_with[term] for term in row & asked if rows_with[term] < max(2, len(rows)))
        for row in known
    ]
    best = max(found)
    chosen = [row for row, count in zip(rows, found, strict=True) if count == best]
    return _with_heads(chosen, unit, text)


def rows_in_range(text: str, question: str) -> list[tuple[int, int]]:
    """The rows of a text's tables whose ranges hold a number or a date of a question.

    With their heads; none where all rows do, or others have more of the question's words.
    """
    asked = frozenset(terms(question))
    for unit in units(text):
        rows = _rows(unit, text) if unit.kind == "table" else []
        shared = {row: len(asked & frozenset(terms(text[slice(*row)]))) for row in rows}
        held = [
            row
            for row in rows
            if any(covers(cell, question) for cell in cells_of(text[slice(*row)]))
        ]
        if 0 < len(held) < len(rows):
            most = max(shared[row] for row in held)
            if most == max(shared.values()):
                return _with_heads([row for row in held if shared[row] == most], unit, text)
    return []


def _rows(unit: Unit, text: str) -> list[tuple[int, int]]:
    """The rows of a table that have names for their columns."""
    heads = heads_of(text)
    lines = ((span, text[slice(*span)]) for span in unit.lines)
    return [span for span, line in lines if line.strip() in heads or is_labelled(line)]


def _with_heads(rows: Sequence[tuple[int, int]], unit: Unit, text: str) -> list[tuple[int, int]]:
    heads = heads_of(text)
    wanted = {heads.get(text[start:end].strip()) for start, end in rows}
    above = [(start, end) for start, end in unit.lines if text[start:end].strip() in wanted]
    return sorted({*above, *rows})


def _lines(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for line in text.split("\n"):
        yield start, start + len(line)
        start += len(line) + 1


def _kind(line: str, *, is_code: bool) -> Kind:
    if is_code or _FENCE.match(line):
        return "code"
    if _ROW.fullmatch(line) or is_labelled(line):
        return "table"
    return "list" if _ITEM.match(line) else "prose"


def _goes_on(before: Kind, kind: Kind, line: str, is_apart: bool) -> bool:
    """Whether a line belongs to the unit before it; `is_apart` if blank lines stand between."""
    if before == "list":
        # Below an item stand its own lines: indented, or with no blank line between.
        return kind == "list" or (kind == "prose" and (line[:1].isspace() or not is_apart))
    return before == kind and not is_apart


def _leads_in(before: tuple[Kind, Sequence[tuple[int, int]]], text: str) -> bool:
    start, end = before[1][-1]
    return before[0] == "prose" and _LEADS_IN.search(text[start:end]) is not None

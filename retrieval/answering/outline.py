"""What stands below a heading, a section at a time: the whole of what some questions ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from retrieval.answering.units import Unit, telling_units
from retrieval.language import sentence_spans
from retrieval.records import Hit, Passage
from retrieval.search.lexical import terms

Under = Callable[[Passage, int], Sequence[Passage]]
"""The passages of a document below so many of a passage's first headings, in reading order."""

Lines = tuple[tuple[int, int], ...]

_LEAST, _MOST = 2, 10
"""So many sections make an outline; more are a book."""

_LOOKED_AT = 4
"""Among so many of the best hits, sections with one heading above them must be the most."""

_ALL = re.compile(
    r"\bwhat are\b|\b(?:what|which) (?:\w+ ){0,3}(?:stages|types|kinds|sorts|options)\b"
    r"|\b(?:which|what)\b[^?]*\bare there\b|哪些|哪几|几种|几类|有什么",
    re.IGNORECASE,
)
_OVERVIEW = re.compile(
    r"^\W*(?:(?:please|can you|could you) )?list\b|\blist of\b"
    r"|\b(?:overview|summar\w+|steps)\b|步骤|流程|总结|概述|概括|列出",
    re.IGNORECASE,
)
_LEADS_IN = re.compile(
    r"[:：][\s*_]*\Z|\b(?:these|following|several) (?:\w+ )?(?:steps|types|kinds|ways|options|"
    r"rules|sections|things)\b|\b(?:as follows|listed below|see below)\b"
    r"|如下|(?:以下|下列|下面)(?:几|各|这|步骤|内容)",
    re.IGNORECASE,
)

_STEP = re.compile(r"\W*(?:step\s*\d|第[一二三四五六七八九十\d]+步|步骤)", re.IGNORECASE)
"""How the heading of a step begins, of which one alone answers nothing."""

_NUMBERED = re.compile(r"\W*\d+\s*[.):：、](?!\d)")
"""How a heading begins that is a step where steps are announced, and elsewhere any section."""

_STEPS = re.compile(r"\bhow to\b|\b(?:steps|procedure|checklist)\b|步骤|流程", re.IGNORECASE)
"""What the heading above steps is called."""


@dataclass(frozen=True, slots=True)
class OutlineSection:
    """The first passage of a section, which of its lines are said, and whether it goes on."""

    passage: Passage
    heading: str
    lines: tuple[tuple[int, int], ...]
    goes_on: bool


def outline(
    query: str, hits: Sequence[Hit], under: Under, *, max_chars: int
) -> list[OutlineSection]:
    """The sections that together answer a question, with the beginning of each; or none.

    That is so where the best hit leads in to the sections below it, or where most of the best hits
    stand below one heading that the question names, and it asks for all that is there. As many
    lines of a section are said as its share of `max_chars` holds. What leads in comes first,
    without a heading.
    """
    if not hits:
        return []
    found = _below(query, hits[0].passage, under) or _beside(query, hits, under)
    share = max_chars // max(1, len(found))
    return [
        section
        for heading, passages in found
        if (section := _beginning(heading, passages, share)) is not None
    ]


def _below(query: str, first: Passage, under: Under) -> list[tuple[str, list[Passage]]]:
    """The best hit and the sections below it."""
    depth = len(first.headings)
    sections = _sections(under(first, depth), depth)
    # "What are the fees" asks for a section of the document, unless it has that name itself.
    is_part = first.headings not in ((), (first.source.title,))
    asked = {*terms(query)}
    is_named = asked <= {*terms(first.source.title)} and not any(
        asked & {*terms(heading)} for heading, _ in sections
    )
    is_for_all = _OVERVIEW.search(query) or ((is_part or is_named) and _ALL.search(query))
    if not (is_for_all or _LEADS_IN.search(first.text.strip())):
        return []
    return [("", [first]), *sections] if _LEAST <= len(sections) <= _MOST else []


def _beside(query: str, hits: Sequence[Hit], under: Under) -> list[tuple[str, list[Passage]]]:
    """The sections below the heading above most of the best hits."""
    first = hits[0].passage
    if not first.headings:
        return []
    depth = len(first.headings) - 1
    above = first.headings[depth - 1] if depth else first.source.title
    is_step = any(pattern.match(first.headings[-1]) for pattern in (_STEP, _NUMBERED))
    if not (is_step or _ALL.search(query) or _OVERVIEW.search(query)):
        return []
    passages = under(first, depth)
    sections = _sections(passages, depth)
    lead = " ".join(passage.text.strip() for passage in passages if len(passage.headings) == depth)
    if is_step and _are_steps([heading for heading, _ in sections], above, lead):
        return sections if len(sections) <= _MOST else []
    known = {passage.id for passage in passages}
    looked_at = hits[:_LOOKED_AT]
    is_most = sum(hit.passage.id in known for hit in looked_at) > len(looked_at) // 2
    asked = {*terms(query)}
    names_above, names_part = asked & {*terms(above)}, asked >= {*terms(first.headings[depth])}
    is_whole = names_above and not names_part
    return sections if is_whole and is_most and _LEAST < len(sections) <= _MOST else []


def _are_steps(headings: Sequence[str], above: str, lead: str) -> bool:
    """Whether headings are those of steps: they say so, or what stands above them does.

    Args:
        headings: Those that stand side by side.
        above: The heading above them.
        lead: The text between that and the first of them.
    """
    if sum(_STEP.match(heading) is not None for heading in headings) > 1:
        return True
    are_numbered = sum(_NUMBERED.match(heading) is not None for heading in headings) > 1
    return are_numbered and bool(_STEPS.search(above) or _LEADS_IN.search(lead))


def _sections(passages: Sequence[Passage], depth: int) -> list[tuple[str, list[Passage]]]:
    """The headings at a depth, with the passages below each."""
    sections: dict[str, list[Passage]] = {}
    for passage in passages:
        if len(passage.headings) > depth:
            sections.setdefault(passage.headings[depth], []).append(passage)
    return [*sections.items()]


def _beginning(heading: str, passages: Sequence[Passage], max_chars: int) -> OutlineSection | None:
    """What a section says first: as many lines as fit, of tables and code all or none.

    The first of them is said however long it is.
    """
    first = passages[0]
    telling = [piece for unit in telling_units(first.text) for piece in _pieces(unit)]
    ends = accumulate(piece[-1][1] - piece[0][0] for piece in telling)
    fitting = [piece for piece, end in zip(telling, ends, strict=True) if end <= max_chars]
    said = fitting or [_cut(first.text, piece, max_chars) for piece in telling[:1]]
    if not said:
        return None
    goes_on = len(passages) > 1 or said != telling
    return OutlineSection(first, heading, tuple(line for piece in said for line in piece), goes_on)


def _cut(text: str, piece: Lines, max_chars: int) -> Lines:
    """As many sentences of one long line as fit, the first of them in any case."""
    if len(piece) > 1:
        return piece
    ((start, end),) = piece
    ends = [start + stop for _, stop in sentence_spans(text[start:end])] or [end]
    return ((start, max([stop for stop in ends if stop - start <= max_chars] or ends[:1])),)


def _pieces(unit: Unit) -> list[Lines]:
    """The lines of a unit, those together that must stand together."""
    is_whole = unit.kind in ("table", "code")
    return [unit.lines] if is_whole else [(line,) for line in unit.lines]

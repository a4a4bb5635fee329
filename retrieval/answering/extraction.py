"""What the hits say to a question, word for word, in units that can stand by themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.answering.citations import Window, windows
from retrieval.answering.judge import log_odds_of
from retrieval.answering.outline import OutlineSection, Under, outline
from retrieval.answering.units import (
    Unit,
    head_rows,
    is_head,
    matching_rows,
    rows_in_range,
    says_something,
    telling_units,
    units,
    whole_sentences,
)
from retrieval.documents.tables import heads_of, is_labelled
from retrieval.language import CJK
from retrieval.records import Citation, Hit, Passage
from retrieval.search.lexical import terms

if TYPE_CHECKING:
    from retrieval.search.embedding import Embedder

_PASSAGES = 2
"""Only the best hits are looked at, each costs an embedding of all its runs of sentences, but for
those that were read: they are few, and any may be the one that answers."""

_FACT_SENTENCES = 2
_EXPLANATION_SENTENCES = 4

_COVERAGE_WEIGHT = 2.0
"""A run that has all of the query's terms against one that has none, in standard deviations of
the cosine. Any weights from half to twice these quote about equally well in both languages."""

_LENGTH_WEIGHT = 1.0
"""For each e-fold of terms: short runs have the higher cosines, longer ones the whole
explanation. A fact needs no length."""

_RANK_WEIGHT = 1.0
"""For each place in the order of the hits, where none was read."""

_READ_WEIGHT = 1.0
"""For the log-odds that a passage answers, where it was read."""


MAX_CHARS = 1_500
"""A longer list, table or block of code is cut between its lines, and that is said."""

_WHOLE_COLUMNS = 1_200
"""A passage of so many columns, a CJK character counted as two and a half, is quoted whole."""

_CJK_COLUMNS = 2.5
"""A Chinese text says the same in so much fewer characters."""

_ANSWERING = 0.5
"""A passage beside the first is quoted, too, from this likelihood that it answers on."""


_SAME = 0.8
"""With so many of its terms in another passage, a passage says the same."""

_SAYS_YES_OR_NO = re.compile(
    r"\W*(?:yes|no|是的?|不是|可以|不可以|能|不能|会|不会|有|没有|对|不对|需要|不需要|不用|不必)"
    r"(?=[.,;:!。，；：！]|\s*[-–—]|\s*\Z)",
    re.IGNORECASE,
)
"""What answers the heading above it, and would seem to answer whatever was asked."""

_ROW_HAS, _LEAST_ASKED = 0.7, 2
"""A row of a table with this share of what is asked, its head's words counted, is what is meant."""

_ASKING = re.compile(
    r"是?多少|什么|哪[个些种]?|几|谁|是|吗|呢|的|了|\b(?:which|what|who|how|many|much|long)\b",
    re.IGNORECASE,
)
"""Words of a question that no answer has."""

_CJK_CHARACTER = re.compile(f"[{CJK}]")

Part = tuple[Passage, list[tuple[int, int]]]
"""A passage, and where the lines stand that are quoted of it."""


@dataclass(frozen=True, slots=True)
class Extract:
    """What is quoted, in reading order; `is_cut` if the document goes on with the same.

    `headings` are said in front of the quotes: those of sections that answer together, and
    questions that a quote answers with yes or no; an empty one where none is said.
    """

    citations: tuple[Citation, ...]
    is_cut: bool
    headings: tuple[str, ...]


def extract(
    query: str,
    hits: Sequence[Hit],
    embedder: Embedder,
    *,
    is_fact: bool,
    reads: Sequence[float] = (),
    section_of: Callable[[Passage], Sequence[Passage]] = lambda passage: (passage,),
    under: Under = lambda passage, _: (passage,),
) -> Extract | None:
    """The words of the hits that answer a query best; None where nothing there says anything.

    Where no fact is asked for, that is the beginnings of the sections that together answer, or the
    best passage, whole if it is not too long, and another one that answers as well. Otherwise the
    best run of sentences is found, one or two if a fact is asked for, else up to four. Runs compete
    by the cosine of query and run, with the run's title and headings as in the index; by the
    query's terms they have, by what was read of their passage or else its rank and, in
    explanations, by length. Either
    grows to what belongs together: the whole list with its lead-in where no fact is asked for, also
    where that goes on in the neighbouring passages of `section_of`; the rows of a table that
    answer, with their head; the whole block of code. A fact for a number or a day is the row of the
    best hit in whose range that lies, and one that a row has nearly all words of is that row.

    Args:
        query: What to search for.
        hits: Best first.
        embedder: Compares the query with runs.
        is_fact: Whether a few words answer.
        reads: How likely each of the first hits answers, where that was read.
        section_of: The passages around one, in reading order.
        under: The passages below a heading of one.
    """
    if not is_fact:
        if sections := outline(query, hits, under, max_chars=MAX_CHARS):
            return _outlined(sections)
        whole, chosen = _whole_passages(frozenset(terms(query)), hits, reads, section_of)
        if whole:
            return _limited(whole, chosen)
    elif row := answering_row(query, hits):
        return _limited([row], ())
    longest = _FACT_SENTENCES if is_fact else _EXPLANATION_SENTENCES
    runs = [
        (rank, window)
        for rank, hit in enumerate(hits[: len(reads) or _PASSAGES])
        for window in _telling(hit.passage, sentences=longest)
    ]
    if not runs:
        return None
    vectors = embedder.embed_passages([_in_place(window) for _, window in runs])
    cosines = (vectors @ embedder.embed_query(query).T).ravel()
    scores = (cosines - cosines.mean()) / (cosines.std() + np.finfo(np.float32).eps)
    asked = frozenset(terms(query))
    scores += [_COVERAGE_WEIGHT * _covered(window, asked) for _, window in runs]
    worth = [*map(log_odds_of, reads)] or [-float(rank) for rank in range(_PASSAGES)]
    weight = _READ_WEIGHT if reads else _RANK_WEIGHT
    scores += [weight * worth[rank] for rank, _ in runs]
    if not is_fact:
        scores += [_LENGTH_WEIGHT * float(np.log1p(len(window.terms))) for _, window in runs]
    best = runs[int(scores.argmax())][1]
    parts = _grown(best, asked, section_of(best.passage), is_fact=is_fact)
    return _limited(parts, {best.passage.id})


def answering_row(query: str, hits: Sequence[Hit]) -> Part | None:
    """The row, with its head, in whose range a number or a day of a query lies, in the best hit.

    Else the one row in the best hits that has nearly all words of the query.
    """
    if hits and (rows := rows_in_range(hits[0].passage.text, query)):
        return hits[0].passage, rows
    asked = frozenset(terms(_ASKING.sub(" ", query)))
    if len(asked) < _LEAST_ASKED:
        return None
    for passage in (hit.passage for hit in hits[:_PASSAGES]):
        text, heads = passage.text, heads_of(passage.text)
        for unit in units(text):
            if unit.kind != "table":
                continue
            lines = matching_rows(unit, text, asked)
            rows = [line for line in lines if not is_head(text[slice(*line)], heads.values())]
            words = {term for line in lines for term in terms(text[slice(*line)])}
            if len(rows) == 1 < len(unit.lines) and len(asked & words) >= _ROW_HAS * len(asked):
                return passage, lines
    return None


def _outlined(sections: Sequence[OutlineSection]) -> Extract:
    citations = tuple(
        Citation(number, section.passage, _joined(section.passage.text, section.lines), 1.0)
        for number, section in enumerate(sections, start=1)
    )
    return Extract(
        citations,
        is_cut=any(section.goes_on for section in sections),
        headings=tuple(section.heading for section in sections),
    )


def _whole_passages(
    asked: frozenset[str],
    hits: Sequence[Hit],
    reads: Sequence[float],
    section_of: Callable[[Passage], Sequence[Passage]],
) -> tuple[list[Part], set[str]]:
    """All that the first hit says, and the likeliest other one that answers, if both are short.

    Nothing where the first hit is too long or says nothing. Then the ids of those passages: beside
    them stand the rest of lists that begin or end there.
    """
    parts: dict[str, Part] = {}
    chosen: set[str] = set()
    left = float(MAX_CHARS)
    for passage in (*(hit.passage for hit in hits[:1]), *_another(hits, reads)):
        telling = telling_units(passage.text)
        columns = sum(_columns(passage.text[unit.start : unit.end]) for unit in telling)
        if not telling or columns > min(left, _WHOLE_COLUMNS):
            break
        left -= columns
        chosen.add(passage.id)
        spans = [line for unit in telling for line in _lines_of(unit, passage.text, asked)]
        for part in _with_lists_beside(passage, telling, spans, section_of(passage)):
            known = parts.get(part[0].id, (part[0], []))[1]
            parts[part[0].id] = part[0], sorted({*known, *part[1]})
    return _in_order(list(parts.values())), chosen


def _in_order(parts: list[Part]) -> list[Part]:
    """The parts as one reads them, if all are of one section."""
    sections = {(passage.source.id, passage.headings) for passage, _ in parts}
    return sorted(parts, key=lambda part: part[0].start) if len(sections) == 1 else parts


def _lines_of(unit: Unit, text: str, asked: frozenset[str]) -> Sequence[tuple[int, int]]:
    """All lines of a unit; of a long table, whose rows name their columns, those that answer."""
    is_long = unit.kind == "table" and is_labelled(text[slice(*unit.lines[-1])])
    return matching_rows(unit, text, asked) if is_long else unit.lines


def _another(hits: Sequence[Hit], reads: Sequence[float]) -> list[Passage]:
    """The likeliest passage that answers beside the first, in its language, and says more."""
    likely = sorted(zip(reads[1:], hits[1:], strict=False), key=lambda pair: -pair[0])
    return [
        hit.passage
        for read, hit in likely
        if read >= _ANSWERING
        and hit.passage.source.language == hits[0].passage.source.language
        and not _is_same(hit.passage.text, hits[0].passage.text)
    ][:1]


def _is_same(text: str, other: str) -> bool:
    said, known = frozenset(terms(text)), frozenset(terms(other))
    return len(said & known) >= _SAME * min(len(said), len(known))


def _columns(text: str) -> float:
    return len(text) + (_CJK_COLUMNS - 1) * len(_CJK_CHARACTER.findall(text))


def _telling(passage: Passage, *, sentences: int) -> list[Window]:
    """The runs of sentences that can answer anything: no head of a table, and no question."""
    heads = head_rows(passage.text)
    return [
        window
        for window in windows(passage, sentences=sentences)
        if says_something(window.quote)
        and not is_head(window.quote, heads)
        and not window.quote.endswith(("?", "？"))
    ]


def _grown(
    window: Window, asked: frozenset[str], section: Sequence[Passage], *, is_fact: bool
) -> list[Part]:
    """The lines to quote of each passage, in reading order."""
    passage, text = window.passage, window.passage.text
    start = text.index(window.quote)
    end = start + len(window.quote)
    known = units(text)
    touched = [unit for unit in known if unit.start < end and start < unit.end]
    spans: list[tuple[int, int]] = []
    for unit in touched:
        if unit.kind == "table":
            spans += matching_rows(unit, text, asked)
        elif unit.kind == "code" or (unit.kind == "list" and not is_fact):
            spans += unit.lines
        else:
            span = max(start, unit.start), min(end, unit.end)
            spans.append(span if unit.kind == "list" else whole_sentences(unit, text, *span))
    return [(passage, spans)] if is_fact else _with_lists_beside(passage, touched, spans, section)


def _with_lists_beside(
    passage: Passage,
    quoted: Sequence[Unit],
    spans: list[tuple[int, int]],
    section: Sequence[Passage],
) -> list[Part]:
    """The lines of a passage, and the rest of the lists at its ends, if they are quoted."""
    known = units(passage.text)
    parts: list[Part] = [(passage, spans)]
    if quoted and quoted[0] == known[0]:
        parts = [*_list_beside(passage, section, quoted[0], -1), *parts]
    if quoted and quoted[-1] == known[-1]:
        parts = [*parts, *_list_beside(passage, section, quoted[-1], 1)]
    return parts


def _list_beside(passage: Passage, section: Sequence[Passage], unit: Unit, step: int) -> list[Part]:
    """What of a list stands in the passages before (`step` -1) or behind it (1)."""
    found: list[Part] = []
    at = next((i for i, other in enumerate(section) if other.id == passage.id), None)
    while unit.kind == "list" and at is not None and 0 <= at + step < len(section):
        at += step
        there = units(section[at].text)
        unit = there[-1] if step < 0 else there[0]
        if unit.kind != "list":
            break
        found.append((section[at], list(unit.lines)))
        if len(there) > 1:
            break
    return found[::step]


def _limited(parts: Sequence[Part], chosen: Collection[str]) -> Extract:
    """The citations of as many lines as are not too many: first of the passages with these ids."""
    left = MAX_CHARS
    is_cut = False
    kept: dict[str, list[tuple[int, int]]] = {}
    for passage, spans in sorted(parts, key=lambda part: part[0].id not in chosen):
        mine = kept[passage.id] = []
        for start, end in spans:
            if end - start > left and any(kept.values()):
                is_cut = True
                break
            mine.append((start, end))
            left -= end - start
    quoted = [(passage, kept[passage.id]) for passage, _ in parts if kept[passage.id]]
    citations = tuple(
        Citation(number, passage, _joined(passage.text, lines), 1.0)
        for number, (passage, lines) in enumerate(quoted, start=1)
    )
    headings = tuple(_own_question(cited.passage, cited.quote) for cited in citations)
    return Extract(citations, is_cut, headings)


def _own_question(passage: Passage, quote: str) -> str:
    """The question that a passage has for a heading, if a quote of it says yes or no to that."""
    heading = passage.headings[-1] if passage.headings else ""
    is_question = heading.rstrip().endswith(("?", "？"))
    return heading if is_question and _SAYS_YES_OR_NO.match(quote) else ""


def _joined(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The spans of a text with the white space between them; a line break where more is left out.

    A fence that is open where the spans end is closed.
    """
    quote, last = "", spans[0][0]
    for start, end in spans:
        between = text[last:start]
        quote += (between if not between.strip() else "\n") + text[start:end]
        last = end
    fences = [line for line in quote.split("\n") if line.lstrip().startswith("```")]
    return f"{quote}\n```" if len(fences) % 2 else quote


def _covered(window: Window, asked: frozenset[str]) -> float:
    return len(asked & window.terms) / max(1, len(asked))


def _in_place(window: Window) -> str:
    passage = window.passage
    trail = " > ".join(dict.fromkeys(filter(None, (passage.source.title, *passage.headings))))
    return f"{trail}\n{window.quote}".strip()

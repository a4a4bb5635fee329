"""What the hits say to a question, word for word, in units that can stand by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.answering.citations import Window, windows
from retrieval.answering.questions import asks_for_fact
from retrieval.answering.units import Unit, matching_rows, says_something, units, whole_sentences
from retrieval.documents.tables import heads_of
from retrieval.records import Citation, Hit, Passage
from retrieval.search.lexical import terms

if TYPE_CHECKING:
    from retrieval.search.embedding import Embedder

_PASSAGES = 2
"""Only the best hits are read: each costs an embedding of all its runs of sentences."""

_FACT_SENTENCES = 2
_EXPLANATION_SENTENCES = 4

_COVERAGE_WEIGHT = 2.0
"""A run that has all of the query's terms against one that has none, in standard deviations of
the cosine. Any weights from half to twice these quote about equally well in both languages."""

_LENGTH_WEIGHT = 1.0
"""For each e-fold of terms: short runs have the higher cosines, longer ones the whole
explanation. A fact needs no length."""

_RANK_WEIGHT = 1.0
"""For each place in the order of the hits."""


MAX_CHARS = 1_500
"""A longer list, table or block of code is cut between its lines, and that is said."""


@dataclass(frozen=True, slots=True)
class Extract:
    """What is quoted, in reading order; `is_cut` if the document goes on with the same."""

    citations: tuple[Citation, ...]
    is_cut: bool = False


def extract(
    query: str,
    hits: Sequence[Hit],
    embedder: Embedder,
    *,
    section_of: Callable[[Passage], Sequence[Passage]] = lambda passage: (passage,),
) -> Extract | None:
    """The words of the hits that answer a query best; None where nothing there says anything.

    First the best run of sentences is found, one or two if a fact is asked for, else up to four.
    Runs compete by the cosine of query and run, with the run's title and headings as in the index;
    by the query's terms they have, by the rank of their passage and, in explanations, by length.
    Then it grows to what belongs together: the whole list with its lead-in where no fact is asked
    for, also where that goes on in the neighbouring passages of `section_of`; the rows of a table
    that answer, with their head; the whole block of code.
    """
    is_fact = asks_for_fact(query)
    longest = _FACT_SENTENCES if is_fact else _EXPLANATION_SENTENCES
    runs = [
        (rank, window)
        for rank, hit in enumerate(hits[:_PASSAGES])
        for window in _telling(hit.passage, sentences=longest)
    ]
    if not runs:
        return None
    vectors = embedder.embed_passages([_in_place(window) for _, window in runs])
    cosines = (vectors @ embedder.embed_query(query).T).ravel()
    scores = (cosines - cosines.mean()) / (cosines.std() + np.finfo(np.float32).eps)
    asked = frozenset(terms(query))
    scores += [_COVERAGE_WEIGHT * _covered(window, asked) for _, window in runs]
    scores -= [_RANK_WEIGHT * rank for rank, _ in runs]
    if not is_fact:
        scores += [_LENGTH_WEIGHT * float(np.log1p(len(window.terms))) for _, window in runs]
    best = runs[int(scores.argmax())][1]
    parts = _grown(best, asked, section_of(best.passage), is_fact=is_fact)
    return _limited(parts)


def _telling(passage: Passage, *, sentences: int) -> list[Window]:
    """The runs of sentences that can answer anything; the head of a table alone does not."""
    heads = {head.strip() for head in heads_of(passage.text).values()}
    return [
        window
        for window in windows(passage, sentences=sentences)
        if says_something(window.quote)
        and not all(line.strip() in heads for line in window.quote.split("\n") if line.strip())
    ]


def _grown(
    window: Window, asked: frozenset[str], section: Sequence[Passage], *, is_fact: bool
) -> list[tuple[Passage, list[tuple[int, int]]]]:
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
    parts = [(passage, spans)]
    if not is_fact and touched and touched[0] is known[0]:
        parts = [*_list_beside(passage, section, touched[0], -1), *parts]
    if not is_fact and touched and touched[-1] is known[-1]:
        parts = [*parts, *_list_beside(passage, section, touched[-1], 1)]
    return parts


def _list_beside(
    passage: Passage, section: Sequence[Passage], unit: Unit, step: int
) -> list[tuple[Passage, list[tuple[int, int]]]]:
    """What of a list stands in the passages before (`step` -1) or behind it (1)."""
    found: list[tuple[Passage, list[tuple[int, int]]]] = []
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


def _limited(parts: Sequence[tuple[Passage, list[tuple[int, int]]]]) -> Extract:
    """The citations of as many lines as are not too many."""
    citations: list[Citation] = []
    left = MAX_CHARS
    is_cut = False
    for passage, spans in parts:
        kept: list[tuple[int, int]] = []
        for start, end in spans:
            is_cut = is_cut or (end - start > left and bool(kept or citations))
            if is_cut:
                break
            kept.append((start, end))
            left -= end - start
        if kept:
            quote = _joined(passage.text, kept)
            citations.append(Citation(len(citations) + 1, passage, quote, 1.0))
    return Extract(tuple(citations), is_cut)


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

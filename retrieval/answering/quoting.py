"""Answers in the words of the documents."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from retrieval.answering.asked import leaves_choice, tells
from retrieval.answering.evidence import LIKELY, DraftAnswer, Evidence, is_foreign
from retrieval.answering.extraction import answering_row, extract
from retrieval.answering.phrases import notice_of_language, phrase
from retrieval.answering.quantities import misses_day
from retrieval.answering.questions import asks_for_fact
from retrieval.documents.tables import read_out
from retrieval.index.searcher import Searcher
from retrieval.records import Citation

_QUOTED_PASSAGES = 8
"""A quote may go on in so many passages of a section, at most."""


def quote(found: Evidence, searcher: Searcher) -> DraftAnswer:
    """What the documents say word for word, if it tells what is asked."""
    with found.watch.stage("extract"):
        said = extract(
            found.query,
            found.hits,
            searcher.embedder,
            is_fact=asks_for_fact(found.question) and not found.is_foreign,
            reads=found.reads,
            section_of=partial(searcher.around, most=_QUOTED_PASSAGES),
            under=searcher.under,
        )
    if said is None:
        return DraftAnswer()
    quoted = "\n".join([*filter(None, said.headings), *(c.quote for c in said.citations)])
    if not tells(quoted, found.question):
        return DraftAnswer()
    if asks_for_fact(found.question) and _is_of_other_days(found.question, said.citations):
        return DraftAnswer()
    text = "\n".join(
        f"**{heading}**\n{_quoted(citation)}" if heading else _quoted(citation)
        for heading, citation in zip(said.headings, said.citations, strict=True)
    )
    if said.is_cut:
        text = f"{text}\n{phrase('goes_on', found.language)}"
    passage = said.citations[0].passage
    if is_foreign(passage, found.language):
        foreign = notice_of_language(passage.source.language, found.language)
        text = f"{foreign}\n{text}"
    return DraftAnswer(text, said.citations, "extracted")


def is_better_quoted(found: Evidence) -> bool:
    """Whether a small model would tell a quote worse.

    Where no passage is likely to answer it makes up a fact, and it picks poorly, among rows and in
    ranges above all.
    """
    quoted = found.quote.quoted if found.quote else ""
    return bool(
        not quoted
        or leaves_choice(quoted, found.question)
        or (found.reads and max(found.reads) < LIKELY)
        or answering_row(found.query, found.hits)
    )


def _is_of_other_days(question: str, citations: Sequence[Citation]) -> bool:
    """Whether what is quoted names days, and none of them is what the question asks about."""
    passages = (cited.passage for cited in citations)
    above = [part for passage in passages for part in (passage.source.title, *passage.headings)]
    lines = [*above, *(line for cited in citations for line in cited.quote.split("\n"))]
    return misses_day("\n".join(lines), question)


def _quoted(citation: Citation) -> str:
    """A quote as it is read, with its marker; one beside a fence would keep it open."""
    text = read_out(citation.quote, citation.passage.text)
    gap = "\n" if text.endswith("```") else " "
    return f"{text}{gap}[{citation.number}]"

"""The sentences of the hits that answer a question, word for word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from retrieval.answering.citations import Window, windows
from retrieval.answering.questions import asks_for_fact
from retrieval.records import Citation, Hit
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


def extract(query: str, hits: Sequence[Hit], embedder: Embedder) -> Citation | None:
    """The run of sentences that answers a query best, as a citation of itself.

    It is one or two sentences long if a fact is asked for, else up to four. Runs compete by the
    cosine of query and run, with the run's title and headings as in the index; by the query's
    terms they have, by the rank of their passage and, in explanations, by length. None where the
    hits have no text.
    """
    is_fact = asks_for_fact(query)
    longest = _FACT_SENTENCES if is_fact else _EXPLANATION_SENTENCES
    runs = [
        (rank, window)
        for rank, hit in enumerate(hits[:_PASSAGES])
        for window in windows(hit.passage, sentences=longest)
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
    return Citation(1, best.passage, best.quote, 1.0)


def _covered(window: Window, asked: frozenset[str]) -> float:
    return len(asked & window.terms) / max(1, len(asked))


def _in_place(window: Window) -> str:
    passage = window.passage
    trail = " > ".join(dict.fromkeys(filter(None, (passage.source.title, *passage.headings))))
    return f"{trail}\n{window.quote}".strip()

"""The sentences of the hits that answer a question, word for word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from retrieval.citations import Window, windows
from retrieval.lexical import terms
from retrieval.records import Citation, Hit

if TYPE_CHECKING:
    from retrieval.embedding import Embedder

_PASSAGES = 2
"""Only the best hits are read: each costs an embedding of all its runs of sentences."""

_SENTENCES = 4

_COVERAGE_WEIGHT = 2.0
"""A run that has all of the query's terms against one that has none, in standard deviations of
the cosine. Any weights from half to twice these quote about equally well in both languages."""

_LENGTH_WEIGHT = 1.0
"""For each e-fold of terms: short runs have the higher cosines, longer ones the whole answer."""

_RANK_WEIGHT = 1.0
"""For each place in the order of the hits."""


def extract(query: str, hits: Sequence[Hit], embedder: Embedder) -> Citation | None:
    """The run of one to four sentences that answers a query best, as a citation of itself.

    Runs compete by the cosine of query and run, with the run's title and headings as in the
    index; by the query's terms they have, by length, and by the rank of their passage. None where
    the hits have no text.
    """
    runs = [
        (rank, window)
        for rank, hit in enumerate(hits[:_PASSAGES])
        for window in windows(hit.passage, sentences=_SENTENCES)
    ]
    if not runs:
        return None
    vectors = embedder.embed_passages([_in_place(window) for _, window in runs])
    cosines = (vectors @ embedder.embed_query(query).T).ravel()
    scores = (cosines - cosines.mean()) / (cosines.std() + np.finfo(np.float32).eps)
    asked = frozenset(terms(query))
    scores += [_bonus(window, asked) - _RANK_WEIGHT * rank for rank, window in runs]
    best = runs[int(scores.argmax())][1]
    return Citation(1, best.passage, best.quote, 1.0)


def _bonus(window: Window, asked: frozenset[str]) -> float:
    said = terms(window.quote)
    covered = len(asked.intersection(said)) / max(1, len(asked))
    return _COVERAGE_WEIGHT * covered + _LENGTH_WEIGHT * float(np.log1p(len(said)))


def _in_place(window: Window) -> str:
    passage = window.passage
    trail = " > ".join(dict.fromkeys(filter(None, (passage.source.title, *passage.headings))))
    return f"{trail}\n{window.quote}".strip()

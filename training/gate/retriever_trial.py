"""Tries a retriever on labelled queries: what it finds, how fast, and when it is silent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from retrieval.answering.judge import JUDGED_HITS, Judge
from retrieval.evaluation.metrics import ndcg
from retrieval.index.memory import Index
from retrieval.index.searcher import Searcher
from retrieval.records import Vectors
from retrieval.search.competence import competences
from retrieval.search.dense import DenseIndex
from retrieval.search.embedding import Embedder
from training.data.labelled_queries import LabelledQuery
from training.gate.decision import QuestionOutcome, QuestionSet


def searcher_with(index: Index, embedder: Embedder, vectors: Vectors) -> Searcher:
    """A searcher of the same passages with another embedder's vectors, published nowhere."""
    known = competences(index.passages, vectors, embedder)
    dense = DenseIndex.build(vectors)
    manifest = replace(index.manifest, competences=known)
    return Searcher(replace(index, manifest=manifest, vectors=vectors, dense=dense), embedder)


def dense_ndcg(
    questions: Vectors, passages: Vectors, relevant: Sequence[Sequence[int]]
) -> list[float]:
    """nDCG@10 of the dense search alone, for each question, of which `relevant` has the rows."""
    best = np.argsort(-(questions @ passages.T), axis=1)[:, :10]
    return [
        ndcg([str(row) for row in ranked], {str(row): 1 for row in rows})
        for ranked, rows in zip(best, relevant, strict=True)
    ]


def try_retriever(
    searcher: Searcher,
    judge: Judge,
    queries: Sequence[LabelledQuery],
    *,
    set_: QuestionSet = "held-out",
) -> list[QuestionOutcome]:
    """What search and judge make of each labelled query.

    The quality is nDCG@10 of the fused search; of a question that has no answer, 1 for silence.
    """
    return [_outcome(searcher, judge, query, set_) for query in queries]


def _outcome(
    searcher: Searcher, judge: Judge, query: LabelledQuery, set_: QuestionSet
) -> QuestionOutcome:
    started = time.process_time()  # other programs disturb the clock
    hits = searcher.search(query.question, k=JUDGED_HITS)
    seconds = time.process_time() - started
    is_silent = judge.confidence(query.question, hits) < judge.threshold
    wanted = {searcher.index.passages[row].id: 1 for row in query.rows}
    found = ndcg([hit.passage.id for hit in hits], wanted)
    return QuestionOutcome(
        id=f"{set_}: {query.question}",
        language=query.language,
        quality=found if query.rows else float(is_silent),
        set=set_,
        is_answerable=bool(query.rows),
        abstained=is_silent,
        seconds=seconds,
    )

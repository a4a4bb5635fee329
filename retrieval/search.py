"""A query in, hits out: both legs search what the audience may see, and their lists are fused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from retrieval.dense import Allowed
from retrieval.fusion import reciprocal_rank
from retrieval.index import Index
from retrieval.records import PUBLIC, Hit
from retrieval.reranking import Reranker

if TYPE_CHECKING:
    from retrieval.embedding import Embedder

DEPTH = 100
"""How many passages each leg hands to the fusion."""

RERANKED = 32
"""How many of the fused passages a reranker reads, at least."""

EVERYONE = frozenset({PUBLIC})

Leg = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]
"""The rows that one leg found, best first, and their scores."""


class Searcher:
    """Searches one generation of an index. Safe to use from several threads."""

    def __init__(
        self, index: Index, embedder: Embedder, *, reranker: Reranker | None = None
    ) -> None:
        self.index = index
        self._embedder = embedder
        self._reranker = reranker
        self._labels = np.array([passage.source.audience for passage in index.passages], dtype=str)

    def search(self, query: str, *, k: int = 8, audience: frozenset[str] = EVERYONE) -> list[Hit]:
        """The passages that suit the query best, best first; at most `k`.

        Args:
            query: What to search, in any language.
            k: How many hits at most.
            audience: The labels of those who will read the reply. Passages with another label do
                not take part in the search at all.
        """
        allowed: Allowed = np.isin(self._labels, list(audience))
        dense = self._dense(query, allowed)
        lexical = self._lexical(query, allowed)
        hits = self._fuse(dense, lexical)
        if self._reranker is None:
            return hits[:k]
        return rerank(self._reranker, query, hits[: max(k, RERANKED)])[:k]

    def _dense(self, query: str, allowed: Allowed) -> Leg:
        return self.index.dense.nearest(self._embedder.embed_query(query), DEPTH, allowed)

    def _lexical(self, query: str, allowed: Allowed) -> Leg:
        scores = np.where(allowed, self.index.lexical.scores(query), 0)
        rows = np.flatnonzero(scores)
        rows = rows[np.argsort(-scores[rows], kind="stable")[:DEPTH]]
        return rows, scores[rows]

    def _fuse(self, dense: Leg, lexical: Leg) -> list[Hit]:
        fused = reciprocal_rank([dense[0].tolist(), lexical[0].tolist()])
        cosines = dict(zip(dense[0].tolist(), enumerate(dense[1].tolist(), 1), strict=True))
        bm25 = dict(zip(lexical[0].tolist(), enumerate(lexical[1].tolist(), 1), strict=True))
        hits = []
        for row in sorted(fused, key=lambda row: (-fused[row], row)):
            dense_rank, cosine = cosines.get(row, (None, None))
            lexical_rank, score = bm25.get(row, (None, None))
            hits.append(
                Hit(
                    self.index.passages[row],
                    fused[row],
                    dense=cosine,
                    lexical=score,
                    dense_rank=dense_rank,
                    lexical_rank=lexical_rank,
                )
            )
        return hits


def rerank(reranker: Reranker, query: str, hits: Sequence[Hit]) -> list[Hit]:
    """The same hits in the order, and with the scores, that the reranker gives them."""
    scores = reranker.scores(query, [hit.passage for hit in hits])
    reranked = [
        replace(hit, score=score, reranker=score) for hit, score in zip(hits, scores, strict=True)
    ]
    return sorted(reranked, key=lambda hit: -hit.score)

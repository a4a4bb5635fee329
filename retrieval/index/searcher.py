"""A query in, hits out: both legs search what the audience may see, then they are fused."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from retrieval.errors import EndpointError
from retrieval.index.generation import Index
from retrieval.language import language_of
from retrieval.records import PUBLIC, Hit, Passage, Vectors
from retrieval.search.dense import Allowed
from retrieval.search.fusion import Floats, fuse, standardise
from retrieval.search.reranking import Reranker

if TYPE_CHECKING:
    from retrieval.search.embedding import Embedder

logger = logging.getLogger(__name__)

DEPTH = 100
"""How many passages each leg hands to the fusion, the dense leg for each language."""

RERANKED = 32
"""How many of the fused passages a reranker reads, at least."""

SAMPLE = 2_000
"""How many passages stand for all when a cosine is compared to the query's others."""

_WIDEST = 200
"""So many passages before and behind one are looked at for a heading above both."""

EVERYONE = frozenset({PUBLIC})

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Candidates:
    """What the legs say of the rows that either of them found; the arrays have one length."""

    rows: Rows
    cosines: Floats
    standardised: Floats
    bm25: Floats
    scores: Floats


class Searcher:
    """Searches one generation of an index. Threads may share one."""

    def __init__(
        self, index: Index, embedder: Embedder, *, reranker: Reranker | None = None
    ) -> None:
        self.index = index
        self.embedder = embedder
        self.reranker = reranker
        self._base = embedder if embedder.map is None else embedder.unmoved()
        sources = [passage.source for passage in index.passages]
        self._documents, self._document_of = np.unique(
            np.array([source.id for source in sources], dtype=str), return_inverse=True
        )
        self._labels, self._label_of = np.unique(
            np.array([source.audience for source in sources], dtype=str), return_inverse=True
        )
        self._languages, self._language_of = np.unique(
            np.array([source.language for source in sources], dtype=str), return_inverse=True
        )

    @property
    def reranker_id(self) -> str:
        """The id of the reranker; empty without one."""
        return self.reranker.id if self.reranker else ""

    def reranked_by(self, reranker: Reranker | None) -> Self:
        """The same searcher with another reranker, or none."""
        other = copy.copy(self)
        other.reranker = reranker
        return other

    def search(
        self,
        query: str,
        *,
        k: int = 8,
        audience: frozenset[str] = EVERYONE,
        sources: Sequence[str] = (),
    ) -> list[Hit]:
        """The passages that suit the query best, best first; at most `k`.

        Args:
            query: What to search, in any language.
            k: How many hits at most.
            audience: The labels of what those who will read the reply may see. Passages with
                another label do not take part in the search at all.
            sources: Beginnings of the ids of the only documents that take part; none for all.
        """
        allowed = self._allowed(audience, sources)
        if not allowed.any():
            return []
        candidates = self._candidates(query, allowed, max(k, DEPTH))
        hits = self._hits(candidates, max(k, DEPTH))
        if self.reranker is None:
            return hits[:k]
        return rerank(self.reranker, query, hits[: max(k, RERANKED)])[:k]

    def around(self, passage: Passage, *, most: int) -> list[Passage]:
        """The passage with those of its section beside it, in reading order; at most so many.

        What comes after it is kept before what comes in front. A passage that is not in the index
        stands alone.
        """
        row = self._row_of.get(passage.id)
        if row is None:
            return [passage]
        first = last = row
        while last - first + 1 < most:
            if self._goes_on(last):
                last += 1
            elif self._goes_on(first - 1):
                first -= 1
            else:
                break
        return [*self.index.passages[first : last + 1]]

    def under(self, passage: Passage, depth: int) -> list[Passage]:
        """The passages of its document that stand below the passage's first `depth` headings.

        They are those next to it, in reading order; a passage that is not in the index is alone.
        """
        row = self._row_of.get(passage.id)
        if row is None:
            return [passage]
        passages = self.index.passages

        def is_there(other: Passage) -> bool:
            same = other.source.id == passage.source.id
            return same and other.headings[:depth] == passage.headings[:depth]

        before = list(takewhile(is_there, reversed(passages[max(0, row - _WIDEST) : row])))
        return [*before[::-1], *takewhile(is_there, passages[row : row + _WIDEST])]

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {passage.id: row for row, passage in enumerate(self.index.passages)}

    def _goes_on(self, row: int) -> bool:
        """Whether the passage after this row belongs to the same section."""
        if not 0 <= row < len(self.index.passages) - 1:
            return False
        here, there = self.index.passages[row], self.index.passages[row + 1]
        return (here.source.id, here.headings) == (there.source.id, there.headings)

    def count_documents(
        self, *, audience: frozenset[str] = EVERYONE, sources: Sequence[str] = ()
    ) -> int:
        """How many documents take part in a search with the same arguments."""
        return len(np.unique(self._document_of[self._allowed(audience, sources)]))

    def _allowed(self, audience: frozenset[str], sources: Sequence[str]) -> Allowed:
        allowed: Allowed = np.isin(self._labels, list(audience))[self._label_of]
        return allowed & self._is_from(tuple(sources)) if sources else allowed

    def _is_from(self, sources: tuple[str, ...]) -> Allowed:
        is_wanted = [str(document).startswith(sources) for document in self._documents]
        return np.array(is_wanted, dtype=bool)[self._document_of]

    def _candidates(self, query: str, allowed: Allowed, depth: int) -> _Candidates:
        unmoved = self._base.embed_query(query)
        map_ = self.embedder.map
        vector = unmoved if map_ is None else map_.of_queries(unmoved)
        bm25 = np.where(allowed, self.index.lexical.scores(query), np.float32(0))
        rows = np.union1d(self._nearest(vector, allowed, depth), _best(bm25, depth))
        groups = self._language_of[rows]
        cosines = self.index.vectors[rows] @ vector[0]
        sample = _spread(np.flatnonzero(allowed))
        standardised = standardise(
            cosines, groups, self.index.vectors[sample] @ vector[0], self._language_of[sample]
        )
        language = language_of(query)
        known = self.index.manifest.competences
        competence = [min(known.get(other, 1), known.get(language, 1)) for other in self._languages]
        scores = fuse(
            standardised,
            bm25[rows],
            competence=np.array(competence, dtype=np.float32)[groups],
            is_foreign=(self._languages != language)[groups],
        )
        if map_ is not None:  # what judges cosines knows the model's own
            cosines = map_.undone_of_passages(self.index.vectors[rows]) @ unmoved[0]
        return _Candidates(rows, cosines, standardised, bm25[rows], scores)

    def _nearest(self, vector: Vectors, allowed: Allowed, depth: int) -> Rows:
        """The nearest rows of each language, in no order."""
        present = np.unique(self._language_of[allowed])
        return np.concatenate(
            [
                self.index.dense.nearest(vector, depth, allowed & (self._language_of == language))[
                    0
                ]
                for language in present
            ]
        )

    def _hits(self, found: _Candidates, depth: int) -> list[Hit]:
        dense_ranks = _ranks(found.standardised, depth)
        lexical_ranks = _ranks(np.where(found.bm25 > 0, found.bm25, -np.inf), depth)
        order = np.lexsort((found.rows, -found.scores))
        return [
            Hit(
                passage=self.index.passages[found.rows[i]],
                score=float(found.scores[i]),
                dense=float(found.cosines[i]) if i in dense_ranks else None,
                lexical=float(found.bm25[i]) if i in lexical_ranks else None,
                dense_rank=dense_ranks.get(i),
                lexical_rank=lexical_ranks.get(i),
            )
            for i in order.tolist()
        ]


def rerank(reranker: Reranker, query: str, hits: Sequence[Hit]) -> list[Hit]:
    """The same hits in the order, and with the scores, that the reranker gives them.

    They keep their order where it is behind an endpoint that does not answer.
    """
    try:
        scores = reranker.scores(query, [hit.passage for hit in hits])
    except EndpointError as error:
        logger.warning("hits keep the order of the search: %s", error)
        return [*hits]
    reranked = [
        replace(hit, score=score, reranker=score) for hit, score in zip(hits, scores, strict=True)
    ]
    return sorted(reranked, key=lambda hit: -hit.score)


def _best(scores: Floats, depth: int) -> Rows:
    """The rows of the best scores above 0, in no order."""
    rows = np.flatnonzero(scores)
    if rows.size > depth:
        rows = rows[np.argpartition(-scores[rows], depth)[:depth]]
    return rows


def _ranks(scores: Floats, depth: int) -> dict[int, int]:
    """The 1-based rank of the first so many positions whose score is finite."""
    order = np.argsort(-scores, kind="stable")[:depth].tolist()
    return {i: rank for rank, i in enumerate(order, start=1) if np.isfinite(scores[i])}


def _spread(rows: Rows) -> Rows:
    """At most `SAMPLE` of the rows, evenly spread over them."""
    return rows[:: -(-rows.size // SAMPLE)]

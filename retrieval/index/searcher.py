"""A query in, hits out: both legs search what the audience may see, then they are fused."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Self

import numpy as np

from retrieval.errors import EndpointError
from retrieval.index.scope import EVERYONE, Rows, Scope
from retrieval.index.searched import SearchedIndex
from retrieval.language import language_of
from retrieval.records import Hit, Passage
from retrieval.search.dense import cosines
from retrieval.search.fusion import Floats, fuse, standardise
from retrieval.search.reranking import Reranker
from retrieval.search.spelling import mended
from retrieval.search.versions import superseded

if TYPE_CHECKING:
    from retrieval.search.embedding import Embedder

logger = logging.getLogger(__name__)

DEPTH = 100
"""How many passages each leg hands to the fusion, the dense leg for each language."""

RERANKED = 32
"""How many of the fused passages a reranker reads, at least."""

OVERTAKEN = 3
"""So many passages of others go before one that people hold to be outdated, but no more: where
nothing else answers, it still is among the first that are read."""

_NEAR = 20
"""Among so many of the first hits a newer version of a document must be for it to go before."""

_WIDEST = 200
"""So many passages before and behind one are looked at for a heading above both."""


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
        self, index: SearchedIndex, embedder: Embedder, *, reranker: Reranker | None = None
    ) -> None:
        self.index = index
        self.embedder = embedder
        self.reranker = reranker
        self._base = embedder if embedder.map is None else embedder.unmoved()

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
        outdated: Mapping[str, str] | None = None,
    ) -> list[Hit]:
        """The passages that suit the query best, best first; at most `k`.

        Args:
            query: What to search, in any language.
            k: How many hits at most.
            audience: The labels of what those who will read the reply may see. Passages with
                another label do not take part in the search at all.
            sources: Beginnings of the ids of the only documents that take part; none for all.
            outdated: The ids of documents that people hold to be outdated, each with the sha256
                of what they saw. As long as it is that, they stand `OVERTAKEN` places lower, as do
                older versions of other documents that are near.
        """
        scope, depth = Scope(audience, tuple(sources)), max(k, DEPTH)
        query = self.mended(query, audience=audience, sources=sources)
        candidates = self._candidates(query, scope, depth)
        least = RERANKED if self.reranker else DEPTH if outdated else 0
        hits = self._hits(candidates, scope, depth, most=max(k, least))
        if self.reranker is not None:
            hits = rerank(self.reranker, query, hits)
        near = (hit.passage.source for hit in hits[:_NEAR])
        older = {source.id: source.sha256 for source in superseded(near, query)}
        outdated = {**(outdated or {}), **older}
        return lowered(hits, outdated)[:k] if outdated else hits[:k]

    def mended(
        self, query: str, *, audience: frozenset[str] = EVERYONE, sources: Sequence[str] = ()
    ) -> str:
        """The query as it is searched: typing errors are mended by words that take part.

        The arguments are as in `search`.
        """
        scope = Scope(audience, tuple(sources))
        return mended(
            query, self.embedder.pieces, lambda terms: self.index.frequencies(terms, scope)
        )

    def around(self, passage: Passage, *, most: int) -> list[Passage]:
        """The passage with those of its section beside it, in reading order; at most so many.

        What comes after it is kept before what comes in front. A passage that is not in the index
        stands alone.
        """
        window = self.index.window(passage, most)
        if window is None:
            return [passage]
        passages, first = window.passages, window.place
        last = first

        def goes_on(place: int) -> bool:
            """Whether the passage there belongs to the same section."""
            is_there = 0 <= place < len(passages)
            return is_there and passages[place].headings == passage.headings

        while last - first + 1 < most:
            if goes_on(last + 1):
                last += 1
            elif goes_on(first - 1):
                first -= 1
            else:
                break
        return [*passages[first : last + 1]]

    def under(self, passage: Passage, depth: int) -> list[Passage]:
        """The passages of its document that stand below the passage's first `depth` headings.

        They are those next to it, in reading order; a passage that is not in the index is alone.
        """
        window = self.index.window(passage, _WIDEST)
        if window is None:
            return [passage]

        def is_there(other: Passage) -> bool:
            return other.headings[:depth] == passage.headings[:depth]

        before = takewhile(is_there, reversed(window.passages[: window.place]))
        return [*[*before][::-1], *takewhile(is_there, window.passages[window.place :])]

    def count_documents(
        self, *, audience: frozenset[str] = EVERYONE, sources: Sequence[str] = ()
    ) -> int:
        """How many documents take part in a search with the same arguments."""
        return self.index.documents(Scope(audience, tuple(sources)))

    def _candidates(self, query: str, scope: Scope, depth: int) -> _Candidates:
        unmoved = self._base.embed_query(query)
        map_ = self.embedder.map
        vector = unmoved if map_ is None else map_.of_queries(unmoved)
        index = self.index
        found = index.find(query, vector, scope, depth)
        if not found.rows.size:
            return _Candidates(found.rows, *[found.cosines] * 4)
        sample = index.sample(scope)
        others = cosines(sample.vectors, vector)
        standardised = standardise(found.cosines, found.groups, others, sample.groups)
        language, known = language_of(query), index.manifest.competences
        competence = [min(known.get(other, 1), known.get(language, 1)) for other in index.languages]
        is_foreign = np.array([other != language for other in index.languages])
        scores = fuse(
            standardised,
            found.bm25,
            competence=np.array(competence, dtype=np.float32)[found.groups],
            is_foreign=is_foreign[found.groups],
            lexical_weight=self.embedder.lexical_weight,
        )
        told = found.cosines
        if map_ is not None:  # what judges cosines knows the model's own
            told = cosines(map_.undone_of_passages(index.vectors_of(found.rows, scope)), unmoved)
        return _Candidates(found.rows, told, standardised, found.bm25, scores)

    def _hits(self, found: _Candidates, scope: Scope, depth: int, *, most: int) -> list[Hit]:
        dense_ranks = _ranks(found.standardised, depth)
        lexical_ranks = _ranks(np.where(found.bm25 > 0, found.bm25, -np.inf), depth)
        order = np.lexsort((found.rows, -found.scores))[:most]
        passages = self.index.passages_of(found.rows[order], scope)
        return [
            Hit(
                passage=passages[row],
                score=float(found.scores[i]),
                dense=float(found.cosines[i]) if i in dense_ranks else None,
                lexical=float(found.bm25[i]) if i in lexical_ranks else None,
                dense_rank=dense_ranks.get(i),
                lexical_rank=lexical_ranks.get(i),
            )
            for i, row in zip(order.tolist(), found.rows[order].tolist(), strict=True)
            if row in passages
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


def lowered(hits: Sequence[Hit], outdated: Mapping[str, str]) -> list[Hit]:
    """The hits with those of outdated documents behind the next `OVERTAKEN` of others."""
    places, others = [], 0
    for hit in hits:
        is_outdated = outdated.get(hit.passage.source.id) == hit.passage.source.sha256
        places.append(others + OVERTAKEN - 0.5 if is_outdated else others)
        others += not is_outdated
    return [hits[n] for n in sorted(range(len(hits)), key=places.__getitem__)]


def _ranks(scores: Floats, depth: int) -> dict[int, int]:
    """The 1-based rank of the first so many positions whose score is finite."""
    order = np.argsort(-scores, kind="stable")[:depth].tolist()
    return {i: rank for rank, i in enumerate(order, start=1) if np.isfinite(scores[i])}

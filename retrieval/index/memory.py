"""A generation of the index in memory: vectors for FAISS, and words for BM25."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from retrieval.index.searched import SAMPLE, Found, Rows, Sample, Scope, Window
from retrieval.records import Passage, Vectors
from retrieval.search.dense import Allowed, DenseIndex
from retrieval.search.fusion import Floats, Groups
from retrieval.search.lexical import LexicalIndex

if TYPE_CHECKING:
    from retrieval.index.generation import Manifest


@dataclass(frozen=True)
class Index:
    """A generation in memory. Row i of `vectors` belongs to `passages[i]`."""

    manifest: Manifest
    passages: tuple[Passage, ...]
    vectors: Vectors
    dense: DenseIndex
    lexical: LexicalIndex

    @property
    def languages(self) -> Sequence[str]:
        """The languages of its passages, in alphabetical order."""
        return list(map(str, self._by_language[0]))

    def in_memory(self) -> Index:
        """Itself."""
        return self

    def documents(self, scope: Scope) -> int:
        """How many documents take part."""
        return len(np.unique(self._by_document[1][self._allowed(scope)]))

    def find(self, query: str, vector: Vectors, scope: Scope, depth: int) -> Found:
        """The best of both legs, by row."""
        allowed, groups = self._allowed(scope), self._by_language[1]
        bm25 = np.where(allowed, self.lexical.scores(query), np.float32(0))
        rows = np.union1d(self._nearest(vector, allowed, depth), _best(bm25, depth))
        return Found(rows, groups[rows], self.vectors[rows] @ vector[0], bm25[rows])

    def sample(self, scope: Scope) -> Sample:
        """At most `SAMPLE` of the passages that take part."""
        rows = _spread(np.flatnonzero(self._allowed(scope)))
        return Sample(self.vectors[rows], self._by_language[1][rows])

    def vectors_of(self, rows: Rows) -> Vectors:
        """The vectors of some rows."""
        found: Vectors = self.vectors[rows]
        return found

    def passages_of(self, rows: Rows, scope: Scope) -> list[Passage]:  # noqa: ARG002  of `find`
        """The passages of some rows that `find` gave."""
        return [self.passages[row] for row in rows.tolist()]

    def window(self, passage: Passage, reach: int) -> Window | None:
        """The passage with at most so many of its document before and behind it."""
        row = self._row_of.get(passage.id)
        if row is None:
            return None
        document = self._by_document[1]
        first = max(0, row - reach)
        near = np.flatnonzero(document[first : row + reach + 1] == document[row]) + first
        return Window(self.passages[near[0] : near[-1] + 1], row - int(near[0]))

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {passage.id: row for row, passage in enumerate(self.passages)}

    @cached_property
    def _by_document(self) -> tuple[npt.NDArray[np.str_], Groups]:
        return _grouped([passage.source.id for passage in self.passages])

    @cached_property
    def _by_label(self) -> tuple[npt.NDArray[np.str_], Groups]:
        return _grouped([passage.source.audience for passage in self.passages])

    @cached_property
    def _by_language(self) -> tuple[npt.NDArray[np.str_], Groups]:
        return _grouped([passage.source.language for passage in self.passages])

    def _allowed(self, scope: Scope) -> Allowed:
        labels, label_of = self._by_label
        allowed: Allowed = np.isin(labels, list(scope.audience))[label_of]
        return allowed & self._is_from(scope.sources) if scope.sources else allowed

    def _is_from(self, sources: tuple[str, ...]) -> Allowed:
        documents, document_of = self._by_document
        is_wanted = [str(document).startswith(sources) for document in documents]
        return np.array(is_wanted, dtype=bool)[document_of]

    def _nearest(self, vector: Vectors, allowed: Allowed, depth: int) -> Rows:
        """The nearest rows of each language, in no order."""
        groups = self._by_language[1]
        nearest = [
            self.dense.nearest(vector, depth, allowed & (groups == group))[0]
            for group in np.unique(groups[allowed])
        ]
        return np.concatenate([np.empty(0, np.int64), *nearest])


def _grouped(names: Sequence[str]) -> tuple[npt.NDArray[np.str_], Groups]:
    """The different names in order, and for each name its place among them."""
    return np.unique(np.array(names, dtype=str), return_inverse=True)


def _best(scores: Floats, depth: int) -> Rows:
    """The rows of the best scores above 0, in no order."""
    rows = np.flatnonzero(scores)
    if rows.size > depth:
        rows = rows[np.argpartition(-scores[rows], depth)[:depth]]
    return rows


def _spread(rows: Rows) -> Rows:
    """At most `SAMPLE` of the rows, evenly spread over them."""
    return rows[:: max(1, -(-rows.size // SAMPLE))]

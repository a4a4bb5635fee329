"""A generation of the index in memory: search by vectors and by words, and what may be seen."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from retrieval.index.manifest import Manifest
from retrieval.index.passages import Passages
from retrieval.index.scope import SAMPLE, Found, Rows, Sample, Scope, Window
from retrieval.records import Passage, Source, Vectors
from retrieval.search.dense import Allowed, DenseIndex, cosines
from retrieval.search.fusion import Floats, Groups
from retrieval.search.lexical import Among, LexicalIndex


@dataclass(frozen=True)
class Index:
    """A generation in memory. Row i of `vectors` belongs to `passages[i]`."""

    manifest: Manifest
    passages: Passages
    vectors: Vectors
    dense: DenseIndex
    lexical: LexicalIndex

    @property
    def languages(self) -> Sequence[str]:
        """The languages of its passages, in alphabetical order."""
        return self._by_language[0]

    @property
    def sources(self) -> Sequence[Source]:
        """Its documents."""
        return self.passages.sources

    def passage(self, document: str, content_hash: str) -> Passage | None:
        """The passage of a document that holds this text."""
        row = self._row_by_text.get((document, content_hash))
        return None if row is None else self.passages[row]

    @cached_property
    def _row_by_text(self) -> dict[tuple[str, str], int]:
        return {(p.source.id, p.content_hash): row for row, p in enumerate(self.passages)}

    def in_memory(self) -> Index:
        """Itself."""
        return self

    def documents(self, scope: Scope) -> int:
        """How many documents take part."""
        ids, document_of = self._by_document
        is_there = np.zeros(len(ids), bool)
        is_there[document_of[self._allowed(scope)]] = True
        return int(is_there.sum())

    def find(self, query: str, vector: Vectors, scope: Scope, depth: int) -> Found:
        """The best of both legs, by row."""
        allowed, groups = self._allowed(scope), self._by_language[1]
        bm25 = np.where(
            allowed, self.lexical.scores(query, self._among(scope.audience)), np.float32(0)
        )
        nearest, _ = self.dense.nearest(vector, depth, allowed, groups)
        rows = np.union1d(nearest, _best(bm25, depth))
        return Found(rows, groups[rows], cosines(self.vectors[rows], vector), bm25[rows])

    def frequencies(self, terms: Sequence[str], scope: Scope) -> dict[str, int]:
        """In how many passages that take part each of some terms is, where it is in any."""
        allowed = self._allowed(scope)
        found = {term: int(allowed[self.lexical.rows_with(term)].sum()) for term in terms}
        return {term: count for term, count in found.items() if count}

    def sample(self, scope: Scope) -> Sample:
        """At most `SAMPLE` of the passages that take part."""
        rows = _spread(np.flatnonzero(self._allowed(scope)))
        return Sample(self.vectors[rows], self._by_language[1][rows])

    def vectors_of(self, rows: Rows, scope: Scope) -> Vectors:  # noqa: ARG002  rows of `find`
        """The vectors of some rows."""
        found: Vectors = self.vectors[rows]
        return found

    def passages_of(self, rows: Rows, scope: Scope) -> Mapping[int, Passage]:  # noqa: ARG002  too
        """The passages of some rows, by row."""
        return {row: self.passages[row] for row in rows.tolist()}

    def window(self, passage: Passage, reach: int) -> Window | None:
        """The passage with at most so many of its document before and behind it."""
        row = self.passages.row_of(passage.id)
        if row is None:
            return None
        document = self._by_document[1]
        first = max(0, row - reach)
        near = np.flatnonzero(document[first : row + reach + 1] == document[row]) + first
        return Window(self.passages[near[0] : near[-1] + 1], row - int(near[0]))

    @cached_property
    def _by_document(self) -> tuple[list[str], Groups]:
        return self._grouped([source.id for source in self.passages.sources])

    @cached_property
    def _by_label(self) -> tuple[list[str], Groups]:
        return self._grouped([source.audience for source in self.passages.sources])

    @cached_property
    def _by_language(self) -> tuple[list[str], Groups]:
        return self._grouped([source.language for source in self.passages.sources])

    def _grouped(self, names: Sequence[str]) -> tuple[list[str], Groups]:
        """Names of the documents in order, each once, and for each passage the place of its own."""
        of = self.passages.source_of
        found = sorted({names[row] for row in np.unique(of).tolist()})
        places = {name: place for place, name in enumerate(found)}
        return found, np.array([places.get(name, -1) for name in names], np.intp)[of]

    def _among(self, audience: frozenset[str]) -> Among:
        """What an audience may see, from whatever source: no other passage may move its scores."""
        labels, label_of = self._by_label
        is_shown = np.array([label in audience for label in labels], bool)
        counts, terms = (numbers[is_shown].sum() for numbers in self._sizes)
        return Among(is_shown[label_of], int(counts), float(terms / max(counts, 1)) or 1.0)

    @cached_property
    def _sizes(self) -> tuple[Groups, Groups]:
        """How many passages have each label, and how many terms they have."""
        labels, label_of = self._by_label
        lengths = np.bincount(label_of, self.lexical.lengths, minlength=len(labels))
        return np.bincount(label_of, minlength=len(labels)), lengths.astype(np.intp)

    def _allowed(self, scope: Scope) -> Allowed:
        allowed = self._among(scope.audience).is_there
        return allowed & self._is_from(scope.sources) if scope.sources else allowed

    def _is_from(self, sources: tuple[str, ...]) -> Allowed:
        """Ids with the same beginning stand beside each other."""
        ids, document_of = self._by_document
        is_wanted = np.zeros(len(ids), bool)
        for start in sources:
            first, last = (
                bisect(ids, start, key=lambda id_: id_[: len(start)])
                for bisect in (bisect_left, bisect_right)
            )
            is_wanted[first:last] = True
        return is_wanted[document_of]


def _best(scores: Floats, depth: int) -> Rows:
    """The rows of the best scores above 0, in no order."""
    rows = np.flatnonzero(scores)
    if rows.size > depth:
        rows = rows[np.argpartition(-scores[rows], depth)[:depth]]
    return rows


def _spread(rows: Rows) -> Rows:
    """At most `SAMPLE` of the rows, evenly spread over them."""
    return rows[:: max(1, -(-rows.size // SAMPLE))]

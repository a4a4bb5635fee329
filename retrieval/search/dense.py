"""Finds passages by the cosine of their vectors: of all vectors, or above a size of the nearest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from retrieval.records import Vectors
from retrieval.search.cells import Cells, CellSearch, Rows

Allowed = npt.NDArray[np.bool_]
"""Shape (n,): which passages a search may see."""

Cosines = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.intp]

EXACT_LIMIT = 100_000
"""Up to here every vector is compared; above, those in the nearest cells, if that finds enough."""

FEW = 2_000
"""So many rows are compared one by one rather than by cells."""

_SCATTERED = 16
"""A row that lies alone takes so many times as long to read as one among all, in order."""


class DenseIndex:
    """Unit vectors, numbered by their row, that can be searched by inner product."""

    def __init__(self, vectors: Vectors, cells: Cells | None = None) -> None:
        self._vectors = vectors
        self._cells = cells

    @classmethod
    def build(cls, vectors: Vectors, *, exact_limit: int = EXACT_LIMIT) -> DenseIndex:
        """Index all rows; exact up to `exact_limit` rows, in cells above."""
        return cls(vectors, Cells.build(vectors) if len(vectors) > exact_limit else None)

    def with_vectors(
        self, vectors: Vectors, was: Rows, *, exact_limit: int = EXACT_LIMIT
    ) -> DenseIndex:
        """An index of other vectors; those that are known here need no look to find their cell.

        Args:
            vectors: What is indexed.
            was: The row that each vector has here, -1 for one that is new.
            exact_limit: As for `build`.
        """
        if self._cells is None or len(vectors) <= exact_limit:
            return self.build(vectors, exact_limit=exact_limit)
        return DenseIndex(vectors, self._cells.with_vectors(vectors, was))

    @property
    def size(self) -> int:
        """How many vectors it holds."""
        return len(self._vectors)

    @property
    def dimension(self) -> int:
        """The numbers of a vector."""
        return int(self._vectors.shape[1])

    @property
    def cell_search(self) -> CellSearch | None:
        """How it is searched by cells; None where there are too few vectors for that."""
        return self._cells.search if self._cells else None

    def nearest(
        self, query: Vectors, k: int, allowed: Allowed, groups: Numbers | None = None
    ) -> tuple[Rows, Cosines]:
        """The rows nearest to the query among the allowed ones, best first, and their cosines.

        Args:
            query: Shape (1, d).
            k: How many rows at most.
            allowed: Rows that are False do not take part, as if they were not indexed.
            groups: A number for each row: then it is up to `k` rows of each group, one group after
                the other.
        """
        rows = np.flatnonzero(allowed)
        of = np.zeros(rows.size, np.intp) if groups is None else groups[rows]
        present = np.flatnonzero(np.bincount(of)) if rows.size else np.empty(0, np.intp)
        found = [_NONE, *self._found(query, k, rows, [of == group for group in present])]
        return np.concatenate([own for own, _ in found]), np.concatenate([c for _, c in found])

    def _found(
        self, query: Vectors, k: int, rows: Rows, groups: list[Allowed]
    ) -> list[tuple[Rows, Cosines]]:
        """The best rows of each group, by one look at all of them or by cells."""
        if self._cells is None or not self._cells.search.probes or rows.size <= FEW:
            found = self._cosines(query, rows)
            return [_best(rows[own], found[own], k) for own in groups]
        owns = [rows[own] for own in groups]
        near = [own if own.size <= FEW else self._cells.nearest(query, k, own) for own in owns]
        return [_best(own, cosines(self._vectors[own], query), k) for own in near]

    def _cosines(self, query: Vectors, rows: Rows) -> Cosines:
        """Of these rows, in their order."""
        if rows.size * _SCATTERED < self.size:
            return cosines(self._vectors[rows], query)
        return cosines(self._vectors, query)[rows]

    def save(self, folder: Path) -> None:
        """Write what it takes besides the vectors into a new folder, if it takes anything."""
        if self._cells is not None:
            folder.mkdir()
            self._cells.save(folder)

    @classmethod
    def load(cls, folder: Path, vectors: Vectors, search: CellSearch | None) -> DenseIndex:
        """What `save` wrote of these vectors; `search` is what was found out when it was built."""
        return cls(vectors, Cells.load(folder, vectors, search) if search else None)


_NONE: tuple[Rows, Cosines] = (np.empty(0, np.int64), np.empty(0, np.float32))


def cosines(vectors: Vectors, query: Vectors) -> Cosines:
    """The inner product of each vector with the query, which has shape (1, d).

    On one thread: BLAS wakes others, even for few vectors, and waits for them on a busy machine.
    """
    found: Cosines = np.einsum("nd,d->n", vectors, query[0])
    return found


def _best(rows: Rows, found: Cosines, k: int) -> tuple[Rows, Cosines]:
    """The `k` rows of the largest cosines, best first."""
    top = np.argpartition(-found, k - 1)[:k] if k < rows.size else np.arange(rows.size)
    top = top[np.lexsort((rows[top], -found[top]))]
    return rows[top], found[top]

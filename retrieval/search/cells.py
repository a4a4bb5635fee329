"""Vectors in cells, of which a search looks into the nearest: with FAISS, and how well it finds.

FAISS's own file of it holds every vector a second time, and places the cells anew for any change.
Here the centroids are kept, and the cell of each row; the rest is made of the vectors in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from retrieval.records import Vectors

if TYPE_CHECKING:
    from faiss import IndexFlatIP, IndexIVFScalarQuantizer

Rows = npt.NDArray[np.int64]
CellNumbers = npt.NDArray[np.int32]

RECALL = 0.99
"""The least share of the ten nearest that a search must find; else all vectors are compared."""

DEPTH = 10
SAMPLE = 256
"""So many vectors stand for queries when recall is measured."""

_SHARES = (1 / 64, 1 / 45, 1 / 32, 1 / 23, 1 / 16, 1 / 11, 1 / 8, 1 / 6, 1 / 4, 1 / 3)
"""The shares of the cells that are tried, the least first."""

_PER_CELL = 39
"""FAISS asks for so many vectors a cell to place the cells well."""

_TRAINED = 64
"""So many vectors a cell, at most, place it: more place it hardly better, and take longer."""

_GROWN = 1.5
"""Cells serve until there are so many times as many vectors as they were placed for, or as few."""


@dataclass(frozen=True, slots=True)
class CellSearch:
    """How vectors are searched by cells, and how well.

    `probes` of `cells` are looked into. `recall` is the share of a vector's ten nearest, found by
    comparing all, that they hold: where that is less than `RECALL`, `probes` is 0.
    """

    cells: int
    probes: int
    recall: float

    def __str__(self) -> str:
        found = f"{self.recall:.1%} of the ten nearest"
        if not self.probes:
            return f"all are compared, as {self.cells} cells find {found} at most"
        return f"{self.probes} of {self.cells} cells are searched, which find {found}"


@dataclass(frozen=True)
class Cells:
    """Vectors in cells: row i is in that of the nearest centroid, `cell_of[i]`."""

    vectors: Vectors
    centroids: Vectors
    cell_of: CellNumbers
    placed_for: int
    search: CellSearch

    @classmethod
    def build(cls, vectors: Vectors) -> Cells:
        """Cells of these vectors, placed for them."""
        centroids = _placed(vectors)
        return cls._of(vectors, centroids, _nearest(centroids, vectors), len(vectors))

    def with_vectors(self, vectors: Vectors, was: Rows) -> Cells:
        """The same cells for other vectors, if they suit them; else new ones.

        Args:
            vectors: What is searched from now on.
            was: The row that each has here, -1 for one that is new.
        """
        if not 1 / _GROWN <= len(vectors) / self.placed_for <= _GROWN:
            return self.build(vectors)
        cell_of, new = self.cell_of[was], was < 0
        cell_of[new] = _nearest(self.centroids, vectors[new])
        again = self._of(vectors, self.centroids, cell_of, self.placed_for)
        return again if again.search.probes else self.build(vectors)

    @classmethod
    def _of(
        cls, vectors: Vectors, centroids: Vectors, cell_of: CellNumbers, placed_for: int
    ) -> Cells:
        """With so many cells to look into as it takes."""
        unmeasured = CellSearch(len(centroids), 0, 0.0)
        held = cls(vectors, centroids, cell_of, placed_for, unmeasured)
        return replace(held, search=held._measured())

    def nearest(self, query: Vectors, k: int, rows: Rows) -> Rows:
        """About the `k` nearest of these rows, in no order.

        Where few rows are asked for, the nearest of them lie further away than the nearest of all,
        and more cells are looked into.
        """
        faiss = _faiss()
        wanted = np.zeros(len(self.vectors), bool)
        wanted[rows] = True
        selector = faiss.IDSelectorBitmap(np.packbits(wanted, bitorder="little"))
        probes = round(self.search.probes * len(self.vectors) / max(1, rows.size))
        parameters = faiss.SearchParametersIVF(sel=selector, nprobe=min(self.search.cells, probes))
        found: Rows = self._index.search(query, min(k, rows.size), params=parameters)[1][0]
        return found[found >= 0]

    @cached_property
    def _index(self) -> IndexIVFScalarQuantizer:
        """What FAISS searches: the vectors in half precision, which finds the same candidates."""
        faiss = _faiss()
        (count, dimension), size = self.centroids.shape, len(self.vectors)
        index: IndexIVFScalarQuantizer = faiss.IndexIVFScalarQuantizer(
            _quantizer(self.centroids),
            dimension,
            count,
            faiss.ScalarQuantizer.QT_fp16,
            faiss.METRIC_INNER_PRODUCT,
            False,  # vectors themselves, not what they differ by from their centroid
        )
        index.is_trained = True  # there is nothing to learn for half precision
        arrays = (self.vectors, np.arange(size), self.cell_of.astype(np.int64))
        index.add_core(size, *map(faiss.swig_ptr, map(np.ascontiguousarray, arrays)))
        return index

    def _measured(self) -> CellSearch:
        """How many cells it takes to find enough of the nearest of some vectors."""
        faiss, best = _faiss(), CellSearch(len(self.centroids), 0, 0.0)
        rows = np.linspace(0, len(self.vectors) - 1, min(SAMPLE, len(self.vectors)), dtype=int)
        queries = self.vectors[rows]
        # A vector is the nearest to itself; of what is as near as the last one, any will do.
        exact, _ = faiss.knn(queries, self.vectors, DEPTH + 1, metric=faiss.METRIC_INNER_PRODUCT)
        for share in _SHARES:
            probes = max(1, round(share * len(self.centroids)))
            parameters = faiss.SearchParametersIVF(nprobe=probes)
            found = self._index.search(queries, DEPTH + 1, params=parameters)[1]
            cosines = np.einsum("qkd,qd->qk", self.vectors[found], queries)
            is_near = (found >= 0) & (cosines >= exact[:, -1:] - _SAME)
            recall = float((is_near.sum(axis=1) - 1).mean() / DEPTH)
            if recall >= RECALL:
                return CellSearch(len(self.centroids), probes, recall)
            best = CellSearch(len(self.centroids), 0, recall)
        return best

    def save(self, folder: Path) -> None:
        """Write all but the vectors and how they are searched into a folder."""
        for name in _FILES:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, vectors: Vectors, search: CellSearch) -> Cells:
        """What `save` wrote of these vectors."""
        arrays = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in _FILES}
        return cls(vectors, search=search, **{**arrays, "placed_for": int(arrays["placed_for"])})


_FILES = ("centroids", "cell_of", "placed_for")

_SAME = 1e-5
"""Cosines that differ by less are the same, computed otherwise."""


def _placed(vectors: Vectors) -> Vectors:
    """Centroids that are spread like the vectors."""
    faiss = _faiss()
    count = max(1, min(round(4 * len(vectors) ** 0.5), len(vectors) // _PER_CELL))
    kmeans = faiss.Kmeans(
        vectors.shape[1],
        count,
        niter=10,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=_TRAINED,
    )
    kmeans.train(vectors)
    centroids: Vectors = kmeans.centroids
    return centroids


def _nearest(centroids: Vectors, vectors: Vectors) -> CellNumbers:
    numbers: CellNumbers = _quantizer(centroids).search(vectors, 1)[1][:, 0].astype(np.int32)
    return numbers


def _quantizer(centroids: Vectors) -> IndexFlatIP:
    index: IndexFlatIP = _faiss().IndexFlatIP(centroids.shape[1])
    index.add(centroids)
    return index


def _faiss() -> ModuleType:
    """FAISS without its type stubs, which do not know its Python conveniences."""
    import faiss

    return faiss

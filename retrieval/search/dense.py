"""Finds passages by the cosine of their vectors, with FAISS."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from retrieval.records import Vectors

if TYPE_CHECKING:
    from faiss import Index, SearchParameters

Allowed = npt.NDArray[np.bool_]
"""Shape (n,): which passages a search may see."""

EXACT_LIMIT = 100_000
"""Up to here every vector is compared; above, FAISS looks only into the nearest cells."""

PROBED_SHARE = 0.1
"""The share of the cells that an inexact search looks into."""


class DenseIndex:
    """Unit vectors, numbered by their row, that can be searched by inner product."""

    def __init__(self, faiss_index: Index) -> None:
        self._index = faiss_index

    @classmethod
    def build(cls, vectors: Vectors, *, exact_limit: int = EXACT_LIMIT) -> DenseIndex:
        """Index all rows; exact up to `exact_limit` rows, inverted lists above."""
        faiss = _faiss()
        size, dimension = vectors.shape
        # FAISS asks for 39 vectors a cell to place the cells well.
        cells = max(1, min(round(4 * size**0.5), size // 39))
        kind = "IDMap2,Flat" if size <= exact_limit else f"IVF{cells},Flat"
        index = faiss.index_factory(dimension, kind, faiss.METRIC_INNER_PRODUCT)
        index.train(vectors)
        index.add_with_ids(vectors, np.arange(size))
        return cls(index)

    @property
    def size(self) -> int:
        """How many vectors it holds."""
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """The numbers of a vector."""
        return int(self._index.d)

    def nearest(
        self, query: Vectors, k: int, allowed: Allowed
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """The rows nearest to the query among the allowed ones, best first, and their cosines.

        Args:
            query: Shape (1, d).
            k: How many rows at most.
            allowed: Rows that are False do not take part, as if they were not indexed.
        """
        k = min(k, int(allowed.sum()))
        if not k:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        cosines, rows = self._index.search(query, k, params=self._parameters(allowed))
        found = rows[0] >= 0
        return rows[0][found], cosines[0][found]

    def _parameters(self, allowed: Allowed) -> SearchParameters:
        faiss = _faiss()
        selector = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
        parameters: SearchParameters = faiss.SearchParameters(sel=selector)
        if isinstance(self._index, faiss.IndexIVF):
            probes = max(1, round(self._index.nlist * PROBED_SHARE))
            parameters = faiss.SearchParametersIVF(sel=selector, nprobe=probes)
        return parameters

    def save(self, path: Path) -> None:
        """Write it to a file."""
        _faiss().write_index(self._index, str(path))

    @classmethod
    def load(cls, path: Path) -> DenseIndex:
        """The index that `save` wrote."""
        return cls(_faiss().read_index(str(path)))


def _faiss() -> ModuleType:
    """FAISS without its type stubs, which do not know its Python conveniences."""
    import faiss

    return faiss

"""A linear map of an embedder's vectors, learned from people: a second of work, undone as fast."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from retrieval.errors import ModelCorruptError
from retrieval.records import Vectors

FILE = "map.safetensors"


@dataclass(frozen=True)
class LinearMap:
    """Two matrices of shape (dimension, dimension): for queries and for passages."""

    query: Vectors
    passage: Vectors

    def of_queries(self, vectors: Vectors) -> Vectors:
        """Where the queries' vectors, one a row, are moved to; of length 1 again."""
        return _moved(vectors, self.query)

    def of_passages(self, vectors: Vectors) -> Vectors:
        """Where the passages' vectors, one a row, are moved to; of length 1 again."""
        return _moved(vectors, self.passage)

    def undone_of_passages(self, vectors: Vectors) -> Vectors:
        """Where moved passages' vectors came from: length 1 lets the scale be found again."""
        return _moved(vectors, self._inverse)

    @cached_property
    def _inverse(self) -> Vectors:
        inverse: Vectors = np.linalg.inv(self.passage.astype(np.float64)).astype(np.float32)
        return inverse

    def part_way(self, share: float) -> LinearMap:
        """So much of the way, 0 to 1, from vectors as they are to where the map moves them."""
        unmoved = np.eye(len(self.query), dtype=np.float32)
        return LinearMap(*(unmoved + share * (m - unmoved) for m in (self.query, self.passage)))

    def save(self, folder: Path) -> None:
        """Write the map into a folder."""
        from safetensors.numpy import save_file

        save_file({"query": self.query, "passage": self.passage}, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> LinearMap:
        """The map in a folder.

        Raises:
            ModelCorruptError: If there is none or it cannot be one.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            found = load_file(folder / FILE)
            return cls(found["query"], found["passage"])
        except (OSError, SafetensorError, KeyError) as error:
            raise ModelCorruptError(f"{folder / FILE} is no linear map: {error}") from error


def identity(dimension: int) -> LinearMap:
    """The map that moves nothing."""
    matrix = np.eye(dimension, dtype=np.float32)
    return LinearMap(matrix, matrix)


def _moved(vectors: Vectors, matrix: Vectors) -> Vectors:
    moved = vectors @ matrix
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    normal: Vectors = moved / np.maximum(lengths, 1e-12)
    return normal

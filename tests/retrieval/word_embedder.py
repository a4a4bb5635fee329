"""An embedder without a model: texts that share words or CJK characters lie near each other."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence

import numpy as np

from retrieval.language import words
from retrieval.records import Vectors
from retrieval.search.embedding import Embedder


class WordEmbedder(Embedder):
    """Counts words, hashed into few dimensions. `texts` keeps every passage it embedded."""

    def __init__(self, *, revision: str = "1", seed: int = 0, dimension: int = 64) -> None:
        self.id, self.revision, self.dimension = "words", revision, dimension
        self.map = None
        self.max_tokens = 512
        self.texts: list[str] = []
        self._seed = seed

    def embed_passages(
        self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None
    ) -> Vectors:
        self.texts += texts
        if on_batch and texts:
            on_batch(len(texts))
        rows = [self._embed(text) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(-1, self.dimension)

    def embed_query(self, text: str) -> Vectors:
        return self._embed(text)[None]

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return np.array([self._embed(text) for text in texts], dtype=np.float32)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]

    def _embed(self, text: str) -> Vectors:
        vector = np.full(self.dimension, 0.01, dtype=np.float32)
        for word in words(text):
            vector[zlib.crc32(word.encode(), self._seed) % self.dimension] += 1
        unit: Vectors = vector / np.linalg.norm(vector)
        return unit

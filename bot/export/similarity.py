"""Which questions mean the same or nearly so, by the embedder's vectors of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bot.review.matching import usual_cosines
from retrieval.answering.triage import QueryEmbedder
from retrieval.language import language_of, words
from retrieval.records import Vectors

SAME = 0.95
"""From this likeness on two questions are one."""

SIMILAR = 0.8
"""From this likeness on two questions must not stand on both sides of a split. It is a cosine of
0.82 for all-MiniLM-L6-v2 and of 0.95 for multilingual-e5-small; with 0.7 the questions of one
subject begin to run together into one cluster."""

_ROWS = 1_024
"""Rows compared at once, so that memory stays small."""

ClusterLabels = npt.NDArray[np.int32]
QuestionPairs = npt.NDArray[np.int64]
"""Shape (n, 2): positions of questions."""


class QuestionEmbedder(QueryEmbedder, Protocol):
    """A query embedder that names its very weights."""

    revision: str


class Questions:
    """Distinct questions with their vectors.

    Likeness is cosine corrected for chance: the part of the way from the usual cosine of unrelated
    questions, which is 0.1 for some embedders and 0.8 for others, to 1.
    """

    def __init__(
        self,
        texts: Iterable[str],
        embedder: QuestionEmbedder,
        *,
        on_progress: Callable[[str, int, int], None] = lambda *_: None,
    ) -> None:
        self.texts = sorted(set(texts))
        self.position = {text: number for number, text in enumerate(self.texts)}
        self._usual = self._usual_cosines(embedder)
        self.vectors = _embed(self.texts, embedder, on_progress)

    def groups(self, least: float, *, linked: Iterable[tuple[str, str]] = ()) -> dict[str, int]:
        """A number for each question; those at least so like each other have the same.

        So have those of a chain of likenesses, those with the same words, and those `linked`.
        """
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        known = [[self.position[question], self.position[other]] for question, other in linked]
        pairs = np.array([*known, *self._same_words()], dtype=np.int64).reshape(-1, 2)
        pairs = np.concatenate([pairs, *self._alike(least)])
        size = len(self.texts)
        edges = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), (size, size))
        _, labels = connected_components(edges, directed=False)
        return dict(zip(self.texts, labels.tolist(), strict=True))

    def nearest(self, ones: Sequence[str], others: Sequence[str]) -> tuple[float, float]:
        """The largest cosine and the largest likeness between questions of two sides."""
        if not ones or not others:
            return 0.0, 0.0
        mine = [self.position[text] for text in ones]
        theirs = [self.position[text] for text in others]
        cosine = likeness = -1.0
        for start in range(0, len(mine), _ROWS):
            rows = mine[start : start + _ROWS]
            cosines = self.vectors[rows] @ self.vectors[theirs].T
            usual = np.minimum(self._usual[rows][:, None], self._usual[theirs][None])
            cosine = max(cosine, float(cosines.max()))
            likeness = max(likeness, float(((cosines - usual) / (1 - usual)).max()))
        return cosine, likeness

    def _alike(self, least: float) -> Iterable[QuestionPairs]:
        for start in range(0, len(self.texts), _ROWS):
            rows = slice(start, start + _ROWS)
            usual = np.minimum(self._usual[rows][:, None], self._usual[None])
            is_alike = self.vectors[rows] @ self.vectors.T >= usual + least * (1 - usual)
            yield np.argwhere(is_alike) + np.array([start, 0])

    def _same_words(self) -> list[list[int]]:
        first: dict[tuple[str, ...], int] = {}
        return [
            [first.setdefault(tuple(words(text)), number), number]
            for number, text in enumerate(self.texts)
        ]

    def _usual_cosines(self, embedder: QuestionEmbedder) -> npt.NDArray[np.float32]:
        usual = usual_cosines(embedder)
        languages = ["zh" if language_of(text) == "zh" else "en" for text in self.texts]
        return np.array([usual[language] for language in languages], dtype=np.float32)


def _embed(
    texts: Sequence[str], embedder: QuestionEmbedder, on_progress: Callable[[str, int, int], None]
) -> Vectors:
    parts = []
    for start in range(0, len(texts), _ROWS // 4):
        parts.append(embedder.embed_queries(texts[start : start + _ROWS // 4]))
        done = min(len(texts), start + _ROWS // 4)
        on_progress("comparing questions", done, len(texts))
    return np.concatenate(parts) if parts else np.empty((0, 1), np.float32)

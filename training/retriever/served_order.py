"""What was learned, in the order that serves: after fusion; and how much of it is surely better.

An embedder that finds better by itself may find worse beside words, which know some of it already.
So what is learned is measured as it would serve, on questions that it has not learned from. Of the
way from the configured model to what was learned no more is gone than is surely better there.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from retrieval.evaluation.metrics import ndcg
from retrieval.index.memory import Index
from retrieval.index.scope import SAMPLE
from retrieval.records import Passage, Vectors
from retrieval.search.fusion import LEXICAL_WEIGHT, Floats, fuse, standardise
from retrieval.search.lexical import LexicalIndex
from training.data.labelled_queries import LabelledQuery
from training.gate.comparison import compare
from training.gate.decision import is_surely_better

Scores = npt.NDArray[np.float64]

LEXICAL_WEIGHTS = tuple(round(LEXICAL_WEIGHT * 2**step, 2) for step in (-1, -0.5, 0, 0.5, 1))
"""What words may count for. A finer choice than this needs thousands of questions."""

KNOWN_BY_WORDS = 1_000
"""So many passages of a question are known by its words; the others count as without any."""

FOUND = 10


class FusedQuestions:
    """Labelled queries with what their words say of each passage, which no embedder changes."""

    def __init__(
        self,
        queries: Sequence[LabelledQuery],
        passages: Sequence[Passage],
        *,
        lexical: LexicalIndex | None = None,
        competences: Mapping[str, float] | None = None,
    ) -> None:
        """Look up every question's words.

        Args:
            queries: Each has a row.
            passages: Among which theirs are to be found.
            lexical: Of the passages' texts; made here if it is not there yet.
            competences: The embedder's in each language; 1 where it is not told.
        """
        lexical = lexical or LexicalIndex.build([passage.indexed_text for passage in passages])
        languages = [passage.source.language for passage in passages]
        self._languages, self._groups = np.unique(languages, return_inverse=True)
        self._sample = slice(None, None, max(1, math.ceil(len(passages) / SAMPLE)))
        self._known = competences or {}
        self.queries = list(queries)
        self._words = [_best(lexical.scores(query.question)) for query in queries]

    @classmethod
    def of(cls, queries: Sequence[LabelledQuery], index: Index) -> Self:
        """The queries among all passages of an index."""
        known = index.manifest.competences
        return cls(queries, index.passages, lexical=index.lexical, competences=known)

    def __len__(self) -> int:
        return len(self.queries)

    def part(self, rows: Sequence[int]) -> Self:
        """The queries in these rows."""
        part = copy.copy(self)
        part.queries = [self.queries[row] for row in rows]
        part._words = [self._words[row] for row in rows]  # noqa: SLF001 - of its own kind
        return part

    def ndcg(
        self,
        asked: Vectors,
        found: Vectors,
        lexical_weights: Sequence[float] = (LEXICAL_WEIGHT,),
    ) -> Scores:
        """nDCG@10 after fusion: a row for each weight of the words, a column for each query.

        Args:
            asked: The queries' vectors, one a row.
            found: The passages', one a row.
            lexical_weights: What words may count for.
        """
        columns = [
            [ndcg(ranked, wanted) for ranked in self._ranked(row, found @ vector, lexical_weights)]
            for row, (vector, wanted) in enumerate(zip(asked, self._wanted(), strict=True))
        ]
        return np.array(columns, float).reshape(-1, len(lexical_weights)).T

    def _wanted(self) -> list[dict[str, int]]:
        return [{str(row): 1 for row in query.rows} for query in self.queries]

    def _ranked(
        self, row: int, cosines: Floats, lexical_weights: Sequence[float]
    ) -> list[list[str]]:
        """The first passages for each weight."""
        language = self.queries[row].language
        known = [min(self._known.get(name, 1), self._known.get(language, 1)) for name in
                 self._languages]  # fmt: skip
        groups, sample = self._groups, self._sample
        dense = standardise(cosines, groups, cosines[sample], groups[sample])
        rows, scores = self._words[row]
        bm25 = np.zeros_like(cosines)
        bm25[rows] = scores
        ranked = []
        for weight in lexical_weights:
            fused = fuse(
                dense,
                bm25,
                competence=np.array(known, np.float32)[groups],
                is_foreign=(self._languages != language)[groups],
                lexical_weight=weight,
            )
            first = np.argpartition(-fused, min(FOUND, fused.size - 1))[:FOUND]
            ranked.append([str(row) for row in first[np.argsort(-fused[first], kind="stable")]])
        return ranked


def _best(scores: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
    rows = np.flatnonzero(scores)
    if rows.size > KNOWN_BY_WORDS:
        rows = rows[np.argpartition(-scores[rows], KNOWN_BY_WORDS)[:KNOWN_BY_WORDS]]
    return rows, scores[rows]


@dataclass(frozen=True, slots=True)
class Step:
    """How far what was learned is followed: a share of the way, and what words then count for."""

    share: float = 1.0
    lexical_weight: float = LEXICAL_WEIGHT


def told(step: Step | None) -> dict[str, float]:
    """What a run's card says of the step; `is_what_serves` if none was gone."""
    return {"is_what_serves": True} if step is None else asdict(step)


def surest(before: Scores, after: Mapping[Step, Scores]) -> Step | None:
    """Of the steps that are surely better, as the gate has it, the best; None if none surely is.

    Args:
        before: The scores of questions where nothing was learned.
        after: The scores of the same questions after each step.
    """
    gained = {step: compare(before.tolist(), scores.tolist()) for step, scores in after.items()}
    sure = [step for step, gain in gained.items() if is_surely_better(gain)]
    return max(sure, key=lambda step: gained[step].gain, default=None)

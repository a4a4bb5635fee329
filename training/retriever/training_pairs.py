"""What an embedder is fine-tuned on: questions people asked, and passages' own headings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np

from retrieval.records import Passage, Vectors
from retrieval.search.embedding import Embedder
from training.data.corpus import heading_of
from training.data.labelled_queries import LabelledQuery, judging
from training.retriever.served_order import FusedQuestions

MINED = slice(5, 50)
"""Among these of what search finds for a question are its hard negatives."""

FARTHER = 0.95
"""Of the nearest own passage's cosine, a hard negative has at most this share."""

MOST_CHOOSING = 100
"""More of them than this choose no better epoch, and each costs the embedding of its passages."""

NEIGHBOURS, OTHERS = 5, 200
"""What questions that choose are searched in: the passages nearest to each, and so many more."""

MANY_OTHERS = 5_000
"""So many more where questions judge: what a new model takes for near has to be among them."""


@dataclass(frozen=True, slots=True)
class TrainingTexts:
    """Questions, for each the text of a passage that answers it, and of one that does not.

    The latter are empty where none were looked for.
    """

    questions: Sequence[str]
    passages: Sequence[str]
    negatives: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.questions)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Questions that a model has not learned from, and the passages to find theirs among.

    Which row of the corpus each of the passages is stands in `rows`.
    """

    fused: FusedQuestions
    passages: Sequence[str]
    rows: Sequence[int]

    @property
    def questions(self) -> list[str]:
        """What is asked."""
        return [query.question for query in self.fused.queries]


def texts_of(
    queries: Sequence[LabelledQuery],
    passages: Sequence[Passage],
    *,
    least: int,
    headings: int,
    seed: int,
) -> TrainingTexts:
    """What one epoch shows: each query's pairs, over again up to `least`, and so many headings.

    A heading is shown with its passage's text alone, or it would only teach to find itself; and
    every other time with what serving embeds, in which it does stand.
    """
    pairs = [
        (query.question, passages[row].indexed_text) for query in queries for row in query.rows
    ]
    named = [(heading_of(passage), passage) for passage in passages if heading_of(passage)]
    shown = Random(seed).sample(named, min(headings, len(named)))
    texts = [
        (heading, passage.text if place % 2 else passage.indexed_text)
        for place, (heading, passage) in enumerate(shown)
    ]
    both = [*pairs * max(1, round(least / max(1, len(pairs)))), *texts]
    return TrainingTexts([question for question, _ in both], [text for _, text in both])


def with_negatives(
    texts: TrainingTexts,
    passages: Sequence[Passage],
    vectors: Vectors,
    embedder: Embedder,
    *,
    seed: int,
) -> TrainingTexts:
    """The same with hard negatives: passages that search finds for a question, not quite first.

    The very first may answer it too, though nobody said so, as may those that are nearly as near
    as its own; all these are passed over.

    Args:
        texts: Questions with their passages.
        passages: The corpus.
        vectors: What the embedder makes of the passages, a row for each.
        embedder: Says what is near.
        seed: Which of those that are left is taken.
    """
    random = Random(seed)
    rows = {passage.text: row for row, passage in enumerate(passages)}
    rows |= {passage.indexed_text: row for row, passage in enumerate(passages)}
    own: dict[str, list[int]] = {}
    for question, text in zip(texts.questions, texts.passages, strict=True):
        own.setdefault(question, []).append(rows[text])
    asked = zip(own.items(), embedder.embed_queries([*own]), strict=True)
    wrong = {question: _mined(vectors @ vector, found) for (question, found), vector in asked}
    negatives = [
        passages[random.choice(wrong[question])].indexed_text for question in texts.questions
    ]
    return replace(texts, negatives=negatives)


def _mined(cosines: Vectors, own: Sequence[int]) -> list[int]:
    """The rows of hard negatives of a question; the farthest passage where there are none."""
    ranked = np.argsort(-cosines)
    most = FARTHER * cosines[list(own)].max()
    return [int(row) for row in ranked[MINED] if cosines[row] < most] or [int(ranked[-1])]


def held_back_of(
    queries: Sequence[LabelledQuery],
    passages: Sequence[Passage],
    vectors: Vectors,
    embedder: Embedder,
    *,
    competences: Mapping[str, float] | None = None,
    most: int = MOST_CHOOSING,
    others: int = OTHERS,
    seed: int,
) -> HeldBack:
    """The queries with the passages to find theirs among.

    Args:
        queries: Each has a row.
        passages: The corpus.
        vectors: What the embedder makes of the passages, a row for each.
        embedder: Says which are the nearest to each question.
        competences: Its own in each language; 1 where it is not told.
        most: No more than so many of those that say what is better are taken.
        others: So many passages are there besides those near to a question.
        seed: Which ones.
    """
    few = [queries[row] for row in judging(queries)[:most]]
    questions = [query.question for query in few]
    near = np.argsort(-(embedder.embed_queries(questions) @ vectors.T), axis=1)[:, :NEIGHBOURS]
    drawn = Random(seed).sample(range(len(passages)), min(others, len(passages)))
    right = {row for query in few for row in query.rows}
    rows = sorted(right.union(near.ravel().tolist(), drawn))
    places = {row: place for place, row in enumerate(rows)}
    among = [passages[row] for row in rows]
    placed = [replace(query, rows=tuple(places[row] for row in query.rows)) for query in few]
    fused = FusedQuestions(placed, among, competences=competences)
    return HeldBack(fused, [passage.indexed_text for passage in among], rows)

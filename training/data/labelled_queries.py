"""A data set's examples, found again in an index: which questions belong to which passages."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from retrieval.examples import Example
from retrieval.index.memory import Index
from retrieval.records import Passage, Vectors
from retrieval.search.embedding import Embedder

DEPTH = 100
"""A passage that votes alone speak for must be among so many that search finds first."""

LARGEST_SHARE, LEAST_DEPTH = 4, 10
"""In a small index, among one part of so many, but no fewer than this."""

HELD_BACK_SHARE = 0.2
MOST_HELD_BACK = 200

ENOUGH_BY_EXPERTS = 50
"""From so many questions on whose passage an expert named, votes have no say in what is better."""

MOST_JUDGING = 1_000
"""More questions than this need not say what is better."""

VOTED = frozenset({"votes", "imported"})
BY_EXPERTS = frozenset({"approved", "correction"})


@dataclass(frozen=True, slots=True)
class LabelledQuery:
    """A question and the rows of the passages that answer it; no rows if nothing does.

    Questions of one `cluster` mean nearly the same. It `is_expert` if an expert spoke of it.
    """

    question: str
    language: str
    rows: tuple[int, ...]
    cluster: str = ""
    is_expert: bool = False


def labelled_queries(
    examples: Sequence[Example], passages: Sequence[Passage]
) -> list[LabelledQuery]:
    """One labelled query for each question that pairs name, or that is to be declined.

    Pairs whose passage is in the index no longer are left out.
    """
    places = rows_of(passages)
    rows_by_question: dict[tuple[str, str], set[int]] = {}
    clusters = {example.question: example.cluster or example.question for example in examples}
    by_experts = {example.question for example in examples if example.source in BY_EXPERTS}
    for example in examples:
        key = (example.question, example.language)
        if example.kind == "pair" and example.passages:
            found = places.get(example.passages[0].content_hash, [])
            if found:
                rows_by_question.setdefault(key, set()).update(found)
        elif example.kind == "answer" and not example.is_good:
            rows_by_question.setdefault(key, set())
    return [
        LabelledQuery(
            *key, tuple(sorted(rows)), cluster=clusters[key[0]], is_expert=key[0] in by_experts
        )
        for key, rows in rows_by_question.items()
    ]


def answerable(queries: Sequence[LabelledQuery]) -> list[LabelledQuery]:
    """The labelled queries that have a passage."""
    return [query for query in queries if query.rows]


def split(
    train: Sequence[Example], dev: Sequence[Example], passages: Sequence[Passage], *, seed: int
) -> tuple[list[LabelledQuery], list[LabelledQuery]]:
    """Queries to learn from, and those to `hold_back`, the newest before the rest."""
    queries = answerable(labelled_queries([*train, *dev], passages))
    newest = {query.cluster for query in answerable(labelled_queries(dev, passages))}
    return hold_back(queries, first=newest, seed=seed)


def hold_back(
    queries: Sequence[LabelledQuery], *, first: Collection[str] = (), seed: int
) -> tuple[list[LabelledQuery], list[LabelledQuery]]:
    """Queries to learn from, and those to hold back, in whole clusters, some before the rest.

    Of what experts spoke of, and of what is voted on, the same share is held back: what experts say
    is too good to judge by alone.
    """
    clusters = _shuffled_clusters(queries, seed)
    by_experts = {query.cluster for query in queries if query.is_expert}
    clusters.sort(key=lambda cluster: cluster not in first)
    share = min(HELD_BACK_SHARE, MOST_HELD_BACK / max(1, len(clusters)))
    chosen: set[str] = set()
    for is_expert in (True, False):
        alike = [cluster for cluster in clusters if (cluster in by_experts) == is_expert]
        chosen.update(alike[: math.ceil(share * len(alike))])
    return (
        [query for query in queries if query.cluster not in chosen],
        [query for query in queries if query.cluster in chosen],
    )


def folds(queries: Sequence[LabelledQuery], count: int, *, seed: int) -> list[set[int]]:
    """The rows of so many parts; questions that mean nearly the same are in one."""
    part_of = {
        cluster: place % count for place, cluster in enumerate(_shuffled_clusters(queries, seed))
    }
    parts: list[set[int]] = [set() for _ in range(count)]
    for row, query in enumerate(queries):
        parts[part_of[query.cluster]].add(row)
    return parts


def _shuffled_clusters(queries: Sequence[LabelledQuery], seed: int) -> list[str]:
    clusters = sorted({query.cluster for query in queries})
    Random(seed).shuffle(clusters)
    return clusters


def judging(queries: Sequence[LabelledQuery]) -> list[int]:
    """The rows of the queries that say what is better: experts', if they named enough passages."""
    rows = [row for row, query in enumerate(queries) if query.is_expert]
    return (rows if len(rows) >= ENOUGH_BY_EXPERTS else [*range(len(queries))])[:MOST_JUDGING]


def believable(examples: Sequence[Example], index: Index, embedder: Embedder) -> list[Example]:
    """The examples without pairs of a question and a passage that are far apart, if only voted for.

    People vote on what they are shown. A passage that search finds nowhere near the question was
    more likely pushed by somebody who wants it found. Experts are believed in any case.

    Args:
        examples: To choose from.
        index: With the embedder's vectors.
        embedder: The one for which nothing was learned.
    """
    places = rows_of(index.passages)
    voted = [
        example
        for example in examples
        if example.kind == "pair"
        and example.source in VOTED
        and example.passages[0].content_hash in places
    ]
    if not voted:
        return list(examples)
    questions = embedder.embed_queries([example.question for example in voted])
    own = [places[example.passages[0].content_hash] for example in voted]
    is_near = are_near(questions, own, index.vectors)
    far = {example.id for example, near in zip(voted, is_near, strict=True) if not near}
    return [example for example in examples if example.id not in far]


def are_near(questions: Vectors, own: Sequence[Sequence[int]], passages: Vectors) -> list[bool]:
    """For each question, whether a passage of its own rows is among those that search finds first.

    Args:
        questions: One vector a row.
        own: The rows of each question's passages.
        passages: All of them, one vector a row.
    """
    depth = min(DEPTH, max(LEAST_DEPTH, len(passages) // LARGEST_SHARE))
    near = []
    for question, rows in zip(questions, own, strict=True):
        cosines = passages @ question
        nearer = cosines > cosines[list(rows)].max()
        near.append(bool(nearer.sum() < depth))
    return near


def rows_of(passages: Sequence[Passage]) -> dict[str, list[int]]:
    """The rows of each passage, by its content hash."""
    places: dict[str, list[int]] = {}
    for row, passage in enumerate(passages):
        places.setdefault(passage.content_hash, []).append(row)
    return places

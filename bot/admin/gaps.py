"""What the documents do not answer: questions left open or rated down, gathered by meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.store.period import ReportedTurn

Likenesses = npt.NDArray[np.float32]
"""Shape (n, n): how alike each two of n questions are, 0 for unrelated ones, 1 for the same."""

Compare = Callable[[Sequence[str], str], Likenesses]
"""Called with questions and their language."""

ALIKE = 0.5
"""The least likeness, on average, of the questions of a gap. To the default embedder wordings of
one question are 0.4 to 0.9 alike; of 100 pairs of other office questions, 99 are below 0.5."""

MOST = 400
"""Only so many questions of a language, the latest, are compared with each other."""

FEW = 3
"""What fewer people than this have asked is not told word for word, as it may give them away."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Questions alike. `question` stands for them, None where none may be told.

    `downs` of the `count` were answered and rated down; the rest was not answered.
    """

    question: str | None
    language: str
    count: int
    people: int
    downs: int
    latest: str


def find_gaps(
    asked: Iterable[ReportedTurn], compare: Compare, *, readers: frozenset[str], tells_all: bool
) -> tuple[Gap, ...]:
    """The gaps, the largest first, for who holds the labels of `readers`.

    With `tells_all` questions of few people are told as well.
    """
    open_ = [
        question
        for question in asked
        if question.question and (not question.is_answered or question.downs)
    ]
    gaps: list[Gap] = []
    for language in sorted({question.language for question in open_}):
        same = [question for question in open_ if question.language == language][-MOST:]
        likenesses = compare([question.question for question in same], language)
        for rows in group(likenesses):
            nearest = np.argsort(-likenesses[np.ix_(rows, rows)].mean(axis=1), kind="stable")
            members = [same[rows[place]] for place in nearest]
            gaps.append(_gap(members, readers, tells_all))
    return tuple(sorted(gaps, key=lambda gap: (gap.count, gap.latest), reverse=True))


def _gap(members: Sequence[ReportedTurn], readers: frozenset[str], tells_all: bool) -> Gap:
    """The gap of some questions, of which the first stand best for the others."""
    told = (member.question for member in members if readers >= member.audience)
    people = len({member.person for member in members})
    return Gap(
        question=next(told, None) if tells_all or people >= FEW else None,
        language=members[0].language,
        count=len(members),
        people=people,
        downs=sum(member.is_answered for member in members),
        latest=max(member.created for member in members),
    )


def group(likenesses: Likenesses, *, alike: float = ALIKE) -> list[list[int]]:
    """Rows that are alike on average, joined from the most alike on (average linkage)."""
    groups = [[row] for row in range(len(likenesses))]
    between = likenesses.astype(np.float64)
    np.fill_diagonal(between, -np.inf)
    while len(groups) > 1:
        i, j = sorted(map(int, np.unravel_index(between.argmax(), between.shape)))
        if between[i, j] < alike:
            break
        sizes = len(groups[i]), len(groups[j])
        joined = (between[i] * sizes[0] + between[j] * sizes[1]) / sum(sizes)
        joined[i] = -np.inf
        between[i], between[:, i] = joined, joined
        between = np.delete(np.delete(between, j, axis=0), j, axis=1)
        groups[i] += groups.pop(j)
    return groups

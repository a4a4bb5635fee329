"""The learners that a round may use, the cheapest first, and how much each needs to begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from retrieval.examples import Example
from retrieval.models.rounds import Of
from training.retriever.learned_map import MIN_QUESTIONS as MIN_FOR_A_MAP

MIN_FOR_A_RETRIEVER = 200
"""Questions with a passage. Fewer teach a map, which has less to learn."""


@dataclass(frozen=True, slots=True)
class Learner:
    """A sub-command of `whimbrel train`, and how much of what it needs.

    `count` says how much there is in what may be trained on, `of` what is counted.
    """

    name: str
    of: Of
    needed: int
    count: Callable[[Sequence[Example]], int]


def questions(examples: Sequence[Example]) -> int:
    """How many questions are known to be answered by a passage."""
    return len({one.question for one in examples if one.kind == "pair" and one.passages})


LEARNERS: tuple[Learner, ...] = (
    Learner("map", "questions", MIN_FOR_A_MAP, questions),
)
"""In the order in which they are tried."""


def held_out(examples: Sequence[Example]) -> int:
    """How many questions a candidate can be tried on: those with a passage or without an answer."""
    return len({
        one.question
        for one in examples
        if (one.kind == "pair" and one.passages) or (one.kind == "answer" and not one.is_good)
    })  # fmt: skip

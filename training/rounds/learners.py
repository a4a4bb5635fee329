"""The learners that a round may use, the cheapest first, and how much each needs to begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from retrieval.examples import Example
from retrieval.registry.rounds import Counted
from retrieval.settings import Settings
from training.classifiers.confidence import MIN_QUESTIONS as MIN_FOR_A_CONFIDENCE
from training.classifiers.evidence import rated_questions
from training.classifiers.judge import MIN_ROWS as MIN_FOR_A_JUDGE
from training.classifiers.reranker import MIN_PAIRS as MIN_FOR_A_RERANKER
from training.classifiers.reranker import labelled
from training.generator.learned_adapter import MIN_ROWS as MIN_FOR_A_GENERATOR
from training.retriever.learned_map import MIN_QUESTIONS as MIN_FOR_A_MAP
from training.retriever.learned_retriever import MIN_QUESTIONS as MIN_FOR_A_RETRIEVER

Count = Callable[[Sequence[Example]], int]


def questions(examples: Sequence[Example]) -> int:
    """How many questions are known to be answered by a passage."""
    return len(
        {example.question for example in examples if example.kind == "pair" and example.passages}
    )


def judgements(examples: Sequence[Example]) -> int:
    """How many answers are known to be right or wrong, questions with a passage among them."""
    return sum(example.kind == "judgement" for example in examples) + questions(examples)


def labels(examples: Sequence[Example]) -> int:
    """How many questions and passages are known to belong together, or not to."""
    return len(labelled(examples))


def answers(examples: Sequence[Example]) -> int:
    """How many answers, or refusals of one, may be imitated."""
    return sum(example.kind == "answer" for example in examples)


def preferences(examples: Sequence[Example]) -> int:
    """How many answers are better than another one to the same question."""
    return sum(example.kind == "preference" for example in examples)


def searchable(examples: Sequence[Example]) -> int:
    """How many questions show what is found: those with a passage, and those without an answer."""
    declined = {
        example.question for example in examples if example.kind == "answer" and not example.is_good
    }
    return len(declined) + questions(
        [example for example in examples if example.question not in declined]
    )


@dataclass(frozen=True, slots=True)
class Learner:
    """A sub-command of `whimbrel train`, and how much of what it needs.

    `count` says how much there is in what may be trained on, `of` what is counted, and `judged` how
    many of the questions held out can judge it, to which one that `is_cross_fitted` adds those that
    it learns from. One that `is_long` takes `--max-minutes`. What is
    learned `for_embedder` is of use to nothing but the embedder that serves. What it begins from is
    named by the setting that it `needs`, if it is not the embedder. Noisy twins are of no use to
    one that is not `augmentable`.
    """

    name: str
    of: Counted
    needed: int
    count: Count
    judged: Count = searchable
    arguments: tuple[str, ...] = ()
    is_long: bool = False
    for_embedder: bool = False
    is_cross_fitted: bool = False
    needs: Literal["reranker", "generator"] | None = None
    is_augmentable: bool = True

    @property
    def command(self) -> tuple[str, ...]:
        """What follows `whimbrel train`."""
        return self.arguments or (self.name,)

    def is_usable(self, settings: Settings) -> bool:
        """Whether there is a model to begin from."""
        return self.needs is None or getattr(settings, self.needs) not in (None, "none")


LEARNERS = (
    Learner(
        "confidence",
        "judgements",
        MIN_FOR_A_CONFIDENCE,
        rated_questions,
        rated_questions,
        for_embedder=True,
        is_cross_fitted=True,
        is_augmentable=False,
    ),
    Learner("map", "questions", MIN_FOR_A_MAP, questions),
    Learner("retriever", "questions", MIN_FOR_A_RETRIEVER, questions, is_long=True),
    Learner("abstention", "judgements", MIN_FOR_A_JUDGE, judgements, for_embedder=True),
    Learner("reranker", "labels", MIN_FOR_A_RERANKER, labels, needs="reranker"),
    Learner(
        "generator",
        "answers",
        MIN_FOR_A_GENERATOR["sft"],
        answers,
        answers,
        is_long=True,
        needs="generator",
    ),
    Learner(
        "preferences",
        "preferences",
        MIN_FOR_A_GENERATOR["dpo"],
        preferences,
        answers,
        arguments=("generator", "--method", "dpo"),
        is_long=True,
        needs="generator",
    ),
)
"""In the order in which they are tried. Votes alone (`--method kto`) are never learned from so."""

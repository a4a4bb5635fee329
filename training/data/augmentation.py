"""Noisy twins of what is learned from: with the same label, in the cluster of their originals.

They are made of what is trained on alone, after it was split, and for each learner anew: no data
set holds any, so that none can be held out, or be frozen as a regression question.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from retrieval.examples import Example, content_id
from retrieval.records import Passage
from training.data.corpus import heading_of
from training.data.labelled_queries import LabelledQuery
from training.data.noise import NOISES, Ways, keeps_meaning, read_terms

TAUGHT = ("typos", "careless", "paraphrase", "mixed")
"""The kinds of noise that are learned from; others tell if that helps with what is new."""

AUGMENTED = "augment"
"""The name, on a run's card, of the kinds of noise that it learned from."""


@dataclass(frozen=True)
class Augmentation:
    """Makes noisy twins; the same seed makes the same twin of the same text."""

    seed: int = 0
    kinds: Sequence[str] = TAUGHT
    ways: Ways = field(default_factory=lambda: Ways(terms=read_terms()))

    @classmethod
    def of(cls, passages: Iterable[Passage], *, seed: int) -> Augmentation:
        """With the terms that some passages' headings give in both languages."""
        return cls(seed, ways=Ways(terms=read_terms({heading_of(passage) for passage in passages})))

    def twin(self, text: str) -> str:
        """The text with one or two kinds of noise; as it is if none would leave its meaning."""
        random = Random(f"{self.seed} {text}")
        said, wanted = text, random.choice((1, 2))
        for kind in random.sample(self.kinds, len(self.kinds)):
            noisy = NOISES[kind](said, self.ways, random)
            if noisy != said and keeps_meaning(text, noisy):
                said, wanted = noisy, wanted - 1
            if not wanted:
                break
        return said

    def of_queries(self, queries: Sequence[LabelledQuery]) -> list[LabelledQuery]:
        """The twins of labelled queries, with the same passages."""
        twins = ((query, self.twin(query.question)) for query in queries)
        return [replace(query, question=twin) for query, twin in twins if twin != query.question]

    def of_examples(self, examples: Sequence[Example]) -> list[Example]:
        """The twins of examples, each in the cluster of its original."""
        twins = ((example, self.twin(example.question)) for example in examples)
        return [
            replace(
                example,
                id=content_id(example.id, twin),
                question=twin,
                cluster=example.cluster or example.question,
            )
            for example, twin in twins
            if twin != example.question
        ]


def noise_told(noise: Augmentation | None) -> dict[str, Any]:
    """What a run's card says of it."""
    return {AUGMENTED: ", ".join(noise.kinds)} if noise else {}

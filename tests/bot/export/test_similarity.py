from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bot.export.similarity import SIMILAR, Questions
from retrieval.records import Vectors
from tests.retrieval.word_embedder import WordEmbedder


class CrowdedEmbedder(WordEmbedder):
    """All its vectors lie in a narrow cone, as those of e5 do."""

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        vectors = super().embed_queries(texts)
        vectors[:, 0] += 2.0
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


LEAVE = "How many days of paid leave do I have each year?"
PARAPHRASE = "How many days of paid leave do I have in each year?"
PRINTER = "Which printer stands in the kitchen?"


def test_paraphrases_are_one_group_and_others_are_not() -> None:
    groups = Questions([LEAVE, PARAPHRASE, PRINTER], WordEmbedder()).groups(SIMILAR)
    assert groups[LEAVE] == groups[PARAPHRASE] != groups[PRINTER]


def test_an_embedder_that_finds_everything_alike_still_tells_groups_apart() -> None:
    groups = Questions([LEAVE, PARAPHRASE, PRINTER], CrowdedEmbedder()).groups(SIMILAR)
    assert groups[LEAVE] == groups[PARAPHRASE] != groups[PRINTER]


def test_capitals_and_punctuation_make_no_other_question() -> None:
    questions = Questions(["where is the VPN", "Where is the VPN?!"], WordEmbedder())
    assert len(set(questions.groups(1.1).values())) == 1


def test_what_is_linked_is_one_group() -> None:
    questions = Questions([LEAVE, PARAPHRASE, PRINTER], WordEmbedder())
    groups = questions.groups(SIMILAR, linked=[(LEAVE, PRINTER)])
    assert len(set(groups.values())) == 1


def test_the_nearest_questions_of_two_sides_are_measured() -> None:
    questions = Questions([LEAVE, PARAPHRASE, PRINTER], WordEmbedder())
    near = questions.nearest([LEAVE, PRINTER], [PARAPHRASE])
    far = questions.nearest([PRINTER], [PARAPHRASE])
    assert near[1] >= SIMILAR > far[1]
    assert questions.nearest([], [LEAVE]) == (0.0, 0.0)


def test_no_questions_have_no_groups() -> None:
    assert Questions([], WordEmbedder()).groups(SIMILAR) == {}

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from retrieval.examples import Example
from retrieval.index.generation import load_index
from retrieval.index.memory import Index
from tests.retrieval.word_embedder import WordEmbedder
from tests.training import jargon
from training.data.labelled_queries import believable, labelled_queries

MODEL = WordEmbedder()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    settings = jargon.build(tmp_path_factory.mktemp("jargon"), MODEL)
    return load_index(settings.index_folder, MODEL)


def voted(index: Index, *, near: bool) -> Example:
    """A vote for the passage that a question's words are in, or for one that has none of them."""
    wanted = "zorbel-attic" if near else "marfin-garage"
    passages = {Path(passage.source.id).stem: passage for passage in index.passages}
    return replace(jargon.example(0, passages[wanted]), question="Which zorbel has the attic?")


def test_a_vote_for_a_passage_near_the_question_is_believed(index: Index) -> None:
    examples = [voted(index, near=True)]
    assert believable(examples, index, MODEL) == examples


@pytest.mark.parametrize("source", ["votes", "imported"])
def test_a_vote_for_a_passage_far_from_the_question_is_not(
    index: Index, source: Literal["votes", "imported"]
) -> None:
    far = replace(voted(index, near=False), source=source)
    assert believable([far], index, MODEL) == []


@pytest.mark.parametrize("source", ["approved", "correction"])
def test_experts_are_believed_wherever_the_passage_is(
    index: Index, source: Literal["approved", "correction"]
) -> None:
    far = replace(voted(index, near=False), source=source)
    assert believable([far], index, MODEL) == [far]


def test_what_is_no_vote_for_a_passage_passes(index: Index) -> None:
    declined = replace(voted(index, near=False), kind="answer", is_good=False)
    assert believable([declined], index, MODEL) == [declined]


def test_questions_of_a_passage_become_a_labelled_query_each(index: Index) -> None:
    both = [voted(index, near=True), voted(index, near=False)]
    (query,) = labelled_queries(both, index.passages)
    assert len(query.rows) == 2

from __future__ import annotations

from statistics import fmean

import pytest

from retrieval.answering.judge import JUDGED_HITS, Judge, load_judge
from retrieval.index.generation import load_index
from retrieval.index.searcher import Searcher
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings
from tests.training import jargon
from training.data.labelled_queries import LabelledQuery, labelled_queries
from training.retriever.distilled_judge import distil

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def searcher(settings: Settings, model: Embedder) -> Searcher:
    return Searcher(load_index(settings.index_folder, model), model)


@pytest.fixture(scope="module")
def asked(searcher: Searcher) -> list[LabelledQuery]:
    """All questions about all documents, half of them in the documents' own words."""
    passages = searcher.index.passages
    examples = [
        jargon.example(n, passage) for n in range(len(jargon.ASKED)) for passage in passages
    ]
    some = labelled_queries(examples, passages)
    named = [
        LabelledQuery(f"Which team has the {passage.source.title}?", "en", (row,))
        for row, passage in enumerate(passages)
    ]
    return [*some[::2], *named]


def spoken(judge: Judge, searcher: Searcher, asked: list[LabelledQuery]) -> float:
    """The share of questions that a judge would have answered."""
    hits = [searcher.search(query.question, k=JUDGED_HITS) for query in asked]
    sure = [judge.confidence(hit.question, found) for hit, found in zip(asked, hits, strict=True)]
    return fmean(confidence >= judge.threshold for confidence in sure)


def test_of_the_same_hits_it_answers_about_as_often_as_its_teacher(
    searcher: Searcher, asked: list[LabelledQuery], settings: Settings
) -> None:
    teacher = load_judge(settings.models_folder, searcher.embedder)
    judges = [distil(teacher, searcher, searcher, asked[start::6]) for start in range(6)]
    usual = spoken(teacher, searcher, asked)
    assert 0.2 < usual < 0.8
    for judge in judges:
        assert spoken(judge, searcher, asked) == pytest.approx(usual, abs=0.1)

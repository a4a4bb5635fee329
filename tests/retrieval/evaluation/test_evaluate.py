from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.evaluation.dataset import Dataset, Query, read_dataset
from retrieval.evaluation.evaluate import build_library, rank, reply, spread, summarise
from retrieval.evaluation.report import save, table
from retrieval.records import Answer, AnswerRequest, Citation
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder

CORPUS = {"tea": "Tea is at four.", "rope": "Ropes are checked in May.", "sea": "The sea is wet."}


def lines(*records: Mapping[str, object]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    folder = tmp_path / "harbour"
    folder.mkdir()
    passages = [{"_id": name, "title": "", "text": text} for name, text in CORPUS.items()]
    queries = [{"_id": "q1", "text": "When is tea?"}, {"_id": "q2", "text": "Who owns the moon?"}]
    answers = [
        {"_id": "q1", "question": "When is tea?", "answers": ["at four"], "unanswerable": False,
         "doc_ids": ["tea"]},
        {"_id": "q2", "question": "Who owns the moon?", "answers": [], "unanswerable": True},
    ]  # fmt: skip
    (folder / "corpus.jsonl").write_text(lines(*passages))
    (folder / "queries.jsonl").write_text(lines(*queries))
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\ttea\t1\n")
    (folder / "answers.jsonl").write_text(lines(*answers))
    return read_dataset(folder)


def no_progress(_stage: str, _done: int, _total: int) -> None:
    pass


def test_rankings_are_measured_over_the_judged_queries(dataset: Dataset, tmp_path: Path) -> None:
    library = build_library(dataset, Settings(home=tmp_path), WordEmbedder(), no_progress)
    rankings = rank(dataset.queries, library, no_progress)
    [row] = summarise(dataset, rankings, [])
    assert (row.queries, row.ndcg, row.recall, row.mrr) == (1, 1.0, 1.0, 1.0)
    assert rankings[0].ranked[0] == "tea"


def test_a_question_of_a_thread_is_searched_and_asked_with_what_stands_before_it(
    dataset: Dataset, tmp_path: Path
) -> None:
    library = build_library(dataset, Settings(home=tmp_path), WordEmbedder(), no_progress)
    follow_up = Query("q3", "And in which month?", "en", ("When are ropes checked?",))
    (ranking,) = rank([follow_up], library, no_progress)
    assert ranking.ranked[0] == "rope"
    asked: list[AnswerRequest] = []

    def answer(request: AnswerRequest) -> Answer:
        asked.append(request)
        return Answer(
            id="1", question=request.text, query=request.text, language="en", kind="abstention",
            text="?", confidence=0.1, timings={"total": 0.5},
        )  # fmt: skip

    reference = replace(dataset.answers[0], history=("Is there tea?",))
    reply([reference], answer, no_progress)
    assert [message.text for message in asked[0].history] == ["Is there tea?"]


def test_the_index_of_last_time_is_used_again(dataset: Dataset, tmp_path: Path) -> None:
    embedder = WordEmbedder()
    first = build_library(dataset, Settings(home=tmp_path), embedder, no_progress).searcher()
    embedded = len(embedder.texts)
    second = build_library(dataset, Settings(home=tmp_path), embedder, no_progress).searcher()
    assert second.index.manifest.name == first.index.manifest.name
    assert not set(CORPUS.values()) & set(embedder.texts[embedded:])


def test_replies_are_compared_with_what_people_would_answer(
    dataset: Dataset, tmp_path: Path
) -> None:
    library = build_library(dataset, Settings(home=tmp_path), WordEmbedder(), no_progress)
    passages = {p.source.id: p for p in library.searcher().index.passages}

    def answer(request: AnswerRequest) -> Answer:
        knows = "tea" in request.text
        return Answer(
            id="1", question=request.text, query=request.text, language="en",
            kind="answer" if knows else "abstention",
            text="At four. [1]" if knows else "I did not find it.",
            confidence=0.9 if knows else 0.1,
            citations=(Citation(1, passages["tea"], "Tea is at four.", 1.0),) if knows else (),
            timings={"total": 0.5},
        )  # fmt: skip

    [row] = summarise(dataset, [], reply(dataset.answers, answer, no_progress))
    assert (row.f1, row.citation_precision, row.citation_recall) == (1.0, 1.0, 1.0)
    assert (row.auroc, row.false_answers, row.false_abstentions) == (1.0, 0.0, 0.0)


def test_the_table_leaves_out_what_was_not_measured(dataset: Dataset, tmp_path: Path) -> None:
    library = build_library(dataset, Settings(home=tmp_path), WordEmbedder(), no_progress)
    rankings = rank(dataset.queries, library, no_progress)
    rows = summarise(dataset, rankings, [])
    assert math.isnan(rows[0].f1)
    assert "nDCG@10" in table(rows)
    assert "token F1" not in table(rows)
    saved = save(tmp_path / "reports", rows, rankings, [])
    assert (saved / "table.md").read_text() == table(rows) + "\n"
    assert json.loads((saved / "rankings.jsonl").read_text().splitlines()[0])["ranked"][0] == "tea"


def test_a_limited_run_asks_questions_from_all_over_the_set() -> None:
    assert list(spread(range(10), 3)) == [0, 3, 6]
    assert list(spread(range(3), None)) == [0, 1, 2]


def test_a_corpus_that_changed_is_indexed_anew(dataset: Dataset, tmp_path: Path) -> None:
    embedder = WordEmbedder()
    first = build_library(dataset, Settings(home=tmp_path), embedder, no_progress)
    smaller = Dataset(
        dataset.name, dataset.passages[:2], dataset.queries, dataset.qrels, {}, dataset.answers
    )
    second = build_library(smaller, Settings(home=tmp_path), embedder, no_progress)
    assert first.folder != second.folder
    assert len(second.searcher().index.passages) == len(smaller.passages)

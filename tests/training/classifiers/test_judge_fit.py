from __future__ import annotations

import random
from pathlib import Path

import pytest

from retrieval.errors import DataError
from retrieval.evaluation.dataset import read_dataset
from retrieval.evaluation.evaluate import build_library
from retrieval.records import Hit
from retrieval.settings import Settings
from tests.retrieval.passages_by_hand import hit, passage
from tests.retrieval.word_embedder import WordEmbedder
from training.classifiers.judge_fit import (
    MAX_FALSE_ABSTENTIONS,
    JudgeRow,
    examples,
    fit,
    is_held_out,
    measure,
)


def found(best: float) -> tuple[Hit, ...]:
    texts = [passage(f"Rule {n} about ropes.", title=f"Rule {n}") for n in range(50)]
    first = hit(texts[0], dense=best)
    return (first, *(hit(text, dense=0.8, rank=n) for n, text in enumerate(texts[1:], start=2)))


def example(id: str, *, is_answerable: bool, seed: int) -> JudgeRow:  # noqa: A002
    noise = random.Random(seed).gauss(0, 0.02)
    best = (0.90 if is_answerable else 0.84) + noise
    return JudgeRow(id, "ropes", "Which rule?", found(best), 0.8, is_answerable)


ROWS = [example(f"q{n}", is_answerable=n % 2 == 0, seed=n) for n in range(120)]


def test_the_judge_separates_questions_it_never_saw() -> None:
    fitted = [row for row in ROWS if not row.is_held_out]
    judge = fit(fitted, embedder="words@1", data="ropes")
    [line] = measure(judge, [row for row in ROWS if row.is_held_out])
    assert line.auroc > 0.9
    assert line.answerable + line.unanswerable == len(ROWS) - len(fitted)


def test_the_threshold_refuses_no_more_answerable_questions_than_was_said() -> None:
    judge = fit(ROWS, embedder="words@1", data="ropes")
    [line] = measure(judge, ROWS)
    assert line.false_abstentions <= MAX_FALSE_ABSTENTIONS
    assert line.false_answers < 0.5


def test_the_judge_remembers_the_cosine_of_chance() -> None:
    assert fit(ROWS, embedder="words@1", data="ropes").chance == pytest.approx(0.8)


def test_too_few_questions_are_refused_with_the_counts() -> None:
    with pytest.raises(DataError, match="found 5 answerable and 5 unanswerable"):
        fit(ROWS[:10], embedder="words@1", data="ropes")


def test_a_question_is_held_out_or_not_for_ever() -> None:
    assert [is_held_out(f"q{n}") for n in range(6)] == [False, True, False, False, True, False]


def test_examples_come_from_searching_a_folder_of_judged_questions(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "corpus.jsonl").write_text('{"_id": "d", "title": "Tea", "text": "Tea is at four."}')
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "When is tea?"}')
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\n")
    (folder / "answers.jsonl").write_text(
        '{"_id": "q", "question": "When is tea?", "answers": ["four"], "unanswerable": false}'
    )
    dataset = read_dataset(folder)
    library = build_library(
        dataset, Settings(home=tmp_path / "home"), WordEmbedder(), lambda *_: None
    )
    [only] = examples(dataset, library)
    assert only.is_answerable
    assert only.hits[0].passage.source.id == "d"

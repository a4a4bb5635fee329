from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.answering.judge import READ, Judge, load_judge
from retrieval.registry.runs import MODEL, Facts, publish, write_run
from retrieval.settings import Settings
from tests.retrieval.passages_by_hand import hit, passage
from tests.training.classifiers import tiny_cross_encoder
from tests.training.classifiers.rated_company import PLACES, THINGS
from training.classifiers import reading_judge
from training.classifiers.cross_encoder import CrossConfig
from training.classifiers.judge_fit import JudgeRow, fit
from training.classifiers.reading_judge import JudgeChoice, choose
from training.trainer import TrainerSetup

pytestmark = pytest.mark.slow

QUICK = CrossConfig(epochs=3, learning_rate=5e-3, batch=16, max_tokens=32)
QUESTION = "Is there a kettle in the {place}?"
from tests.retrieval.word_embedder import WordEmbedder


def row(number: int, *, is_told: bool) -> JudgeRow:
    """An answer whose passage tells whether it is right, or does not; its hits tell nothing."""
    draw = random.Random(number)
    is_right = draw.random() < 0.5
    word = "kettle" if is_right and is_told else draw.choice(THINGS[2:])
    texts = [passage(f"The {word} of the garage.", title="It", id="it"), passage("A piano.")]
    hits = tuple(hit(text, dense=draw.gauss(0.8, 0.01), rank=1) for text in texts)
    question = QUESTION.format(place=f"{draw.choice(PLACES)} {number}")
    return JudgeRow(str(number), "ratings", question, hits, 0.7, is_right)


def chosen(folder: Path, *, is_told: bool) -> tuple[list[JudgeRow], JudgeChoice]:
    start = tiny_cross_encoder.write(folder / "tiny")
    settings = Settings(home=folder / "home", device="cpu")
    rows = [row(number, is_told=is_told) for number in range(240)]
    judge = fit(rows, embedder="words", data="here")
    return rows, choose(judge, rows, start, TrainerSetup(folder), settings, config=QUICK)


@pytest.fixture(scope="module")
def worthy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[JudgeRow], JudgeChoice]:
    folder = tmp_path_factory.mktemp("worthy")
    return folder, *chosen(folder, is_told=True)


def test_a_reader_that_sees_what_the_hits_do_not_tell_becomes_a_part_of_the_judge(
    worthy: tuple[Path, list[JudgeRow], JudgeChoice],
) -> None:
    _, rows, choice = worthy
    assert choice.is_reading
    assert choice.judge.weights[READ] > 0
    right, wrong = (
        [choice.judge.confidence(r.question, r.hits) for r in rows if r.is_answerable == is_right]
        for is_right in (True, False)
    )
    assert min(right) > max(wrong)


def test_a_published_judge_brings_its_reader(
    worthy: tuple[Path, list[JudgeRow], JudgeChoice],
) -> None:
    folder, rows, choice = worthy
    home, facts = folder / "models" / "runs", Facts("words", "0123", 0, "1")

    def fill(to: Path) -> None:
        choice.judge.save(to / "judge.json")
        (folder / MODEL).rename(to / MODEL)

    publish(home, write_run(home, "judge", facts, fill), reason="passed")
    served = load_judge(folder / "models", WordEmbedder())
    row = rows[0]
    expected = choice.judge.confidence(row.question, row.hits)
    assert served.confidence(row.question, row.hits) == pytest.approx(expected, abs=1e-3)
    assert served.id == choice.judge.id


def test_a_reader_that_adds_nothing_is_left_out(tmp_path: Path) -> None:
    rows, choice = chosen(tmp_path, is_told=False)
    assert not choice.is_reading
    assert type(choice.judge) is Judge
    assert choice.judge == fit(rows, embedder="words", data="here")


def test_a_twin_is_held_back_from_the_reader_where_its_original_is() -> None:
    rows = [row(number, is_told=True) for number in range(40)]
    twins = [replace(r, question=r.question.lower(), twin_of=r.question) for r in rows]
    held_back = [reading_judge._is_held_back(r) for r in rows]
    assert [reading_judge._is_held_back(twin) for twin in twins] == held_back
    assert True in held_back
    assert False in held_back

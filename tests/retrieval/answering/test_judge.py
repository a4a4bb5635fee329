from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.answering.judge import BEST_READ, Judge, features, load_judge, promising
from retrieval.errors import ModelUnsuitableError, SettingsError
from retrieval.records import Hit
from tests.retrieval.passages_by_hand import hit, passage
from tests.retrieval.word_embedder import WordEmbedder

SAID = passage("The ferry to Dunmore leaves at nine.", title="Timetable")
OTHER = [passage(f"Regulation number {n} about ropes.", title=f"Rule {n}") for n in range(20)]


def named(id_: str) -> WordEmbedder:
    embedder = WordEmbedder()
    embedder.id = id_
    return embedder


def hits(best: float, others: float) -> list[Hit]:
    first = hit(SAID, dense=best, lexical=10 * best)
    rest = [hit(p, dense=others, lexical=others, rank=n) for n, p in enumerate(OTHER, start=2)]
    return [first, *rest]


def test_a_hit_that_stands_out_makes_the_judge_surer() -> None:
    judge = load_judge(Path("nowhere"), named("another@1"))
    sure = judge.confidence("When does the ferry to Dunmore leave?", hits(0.92, 0.78))
    unsure = judge.confidence("Who pays for the parrot's dentist?", hits(0.80, 0.78))
    assert 0 < unsure < judge.threshold < sure < 1


def test_no_hits_means_no_confidence() -> None:
    judge = load_judge(Path("nowhere"), named("another@1"))
    assert judge.confidence("anything?", []) == 0


def test_features_of_hits_that_only_one_leg_found_are_finite() -> None:
    seen = features("ferry?", [Hit(SAID, 0.1, lexical=3.0, lexical_rank=1)], chance=0.8)
    assert all(abs(value) < 10 for value in seen.values())


def test_a_judge_that_was_calibrated_here_is_preferred(tmp_path: Path) -> None:
    mine = Judge({"gap": 2.0}, -1.0, 0.7, 0.8, "some-embedder@1", "our questions")
    mine.save(tmp_path / "judge.json")
    assert load_judge(tmp_path, named("some-embedder@1")) == mine


def test_a_judge_of_another_embedder_is_refused(tmp_path: Path) -> None:
    Judge({"gap": 2.0}, -1.0, 0.7, 0.8, "some-embedder@1", "our questions").save(
        tmp_path / "judge.json"
    )
    with pytest.raises(SettingsError, match="whimbrel calibrate"):
        load_judge(tmp_path, named("another@2"))


def test_a_run_that_brings_its_own_judge_is_judged_by_it(tmp_path: Path) -> None:
    of_run = Judge({"gap": 2.0}, -1.0, 0.7, 0.8, "some-embedder@1+run-1", "its lessons")
    of_run.save(tmp_path / "runs" / "retriever" / "run-1" / "judge.json")
    assert load_judge(tmp_path, named("some-embedder@1+run-1")) == of_run
    assert load_judge(tmp_path, named("some-embedder@1+run-2")) != of_run


def test_what_is_no_number_never_makes_a_judge_sure() -> None:
    judge = Judge({BEST_READ: 1.0, "gap": 1.0}, 0.0, 0.5, 0.1, "words", "")
    found = hits(0.9, 0.5)
    assert judge.confidence("ferry?", found, reads=[float("nan")] * 6) < 0.01
    with pytest.raises(ValueError, match="numbers"):
        replace(judge, bias=float("nan"))


def test_a_judge_goes_by_what_is_read_in_the_language_that_it_answers_in() -> None:
    judge = Judge({BEST_READ: 1.0}, 0.0, 0.5, 0.1, "words", "")
    foreign = replace(SAID, source=replace(SAID.source, language="zh"), id="zh")
    found = [hit(SAID, dense=0.9, lexical=9), hit(foreign, dense=0.8, lexical=8)]
    assert judge.confidence("ferry?", found, reads=[0.1, 0.9]) == pytest.approx(0.1)
    kept, _ = promising(found, [0.1, 0.9], most=4)
    assert [one.passage.id for one in kept] == ["zh", SAID.id]


def test_what_is_read_to_be_likelier_comes_before_what_was_found_first() -> None:
    found = [hit(one, dense=0.9, lexical=9) for one in (SAID, OTHER[0], OTHER[1])]
    kept, reads = promising(found, [0.5, 0.6, 0.9], most=4)
    assert [one.passage for one in kept] == [OTHER[1], SAID, OTHER[0]]  # hardly likelier stays
    assert reads == [0.9, 0.5, 0.6]


def test_hits_that_are_headings_or_much_less_likely_are_not_promising() -> None:
    bare = replace(SAID, text="Timetable", id="bare")
    found = [hit(one, dense=0.9, lexical=9) for one in (bare, SAID, OTHER[0], OTHER[1])]
    kept, reads = promising(found, [0.9, 0.8, 0.01], most=4)
    assert [one.passage for one in kept] == [SAID, OTHER[1]]  # the last was not read
    assert reads == [0.8]


@pytest.mark.parametrize("weights", ['{"gap": 1, "foo": 2}', '{"gap": NaN}'])
def test_a_judge_with_odd_weights_is_damaged(tmp_path: Path, weights: str) -> None:
    (tmp_path / "judge.json").write_text(
        f'{{"weights": {weights}, "bias": 0, "threshold": 0.5, "chance": 0.1, "embedder": "words",'
        ' "data": ""}'
    )
    with pytest.raises(SettingsError, match="is damaged"):
        load_judge(tmp_path, named("words"))


def test_a_judge_that_reads_needs_a_reader_for_its_embedder(tmp_path: Path) -> None:
    Judge({BEST_READ: 1.0}, 0.0, 0.5, 0.1, "words", "").save(tmp_path / "judge.json")
    with pytest.raises(ModelUnsuitableError, match="no reader for words"):
        load_judge(tmp_path, named("words"))

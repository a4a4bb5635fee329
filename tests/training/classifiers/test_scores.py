from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from training.classifiers.scores import interval, save, score

SAID = [0.9, 0.8, 0.6, 0.4, 0.3, 0.1]
TRUE = [True, True, False, True, False, False]


def test_what_is_said_from_the_threshold_on_is_counted_right_or_wrong() -> None:
    scores = score(SAID, TRUE, threshold=0.5)
    assert (scores.rows, scores.positives) == (6, 3)
    assert scores.accuracy == scores.precision == scores.recall == pytest.approx(2 / 3)
    assert scores.f1 == pytest.approx(2 / 3)


def test_the_area_counts_pairs_in_the_right_order() -> None:
    assert score(SAID, TRUE, threshold=0.5).auroc == pytest.approx(8 / 9)


def test_probabilities_that_come_true_as_often_as_they_say_have_no_calibration_error() -> None:
    said = [0.25] * 100 + [0.75] * 100
    true = [n % 4 == 0 for n in range(100)] + [n % 4 != 0 for n in range(100)]
    assert score(said, true, threshold=0.5).ece == pytest.approx(0, abs=0.02)
    assert score([0.95] * 200, true, threshold=0.5).ece == pytest.approx(0.45)


def test_one_kind_alone_has_no_area_but_everything_else() -> None:
    scores = score([0.9, 0.2], [True, True], threshold=0.5)
    assert math.isnan(scores.auroc)
    assert (scores.precision, scores.recall) == (1.0, 0.5)
    assert scores.brier == pytest.approx(0.325)


def test_nothing_said_is_neither_precise_nor_recalled() -> None:
    scores = score([0.1, 0.2], [True, False], threshold=0.5)
    assert scores.precision == scores.recall == scores.f1 == 0.0


@pytest.mark.slow
def test_bounds_hold_the_area_and_are_the_same_for_the_same_seed() -> None:
    low, high = interval(SAID * 10, TRUE * 10, seed=3)
    assert low < 8 / 9 < high
    assert interval(SAID * 10, TRUE * 10, seed=3) == (low, high)


def test_scores_are_kept_as_numbers_and_as_a_picture(tmp_path: Path) -> None:
    save(tmp_path, SAID, TRUE, threshold=0.5)
    assert json.loads((tmp_path / "scores.json").read_text())["auroc"] == pytest.approx(8 / 9)
    assert (tmp_path / "scores.png").read_bytes().startswith(b"\x89PNG")

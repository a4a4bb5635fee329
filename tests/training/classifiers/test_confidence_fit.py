from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.answering.judge import BEST_READ, Judge
from tests.retrieval.passages_by_hand import hit, passage
from training.classifiers.confidence import RatedRows, try_confidence
from training.classifiers.confidence_fit import (
    ConfidenceFit,
    are_noise,
    cross_fitted,
    fit_confidence,
)
from training.classifiers.judge_fit import JudgeRow, confidence

SERVED = Judge({BEST_READ: 0.8}, -0.3, 0.4, 0.8, "e", "d")
HITS = (hit(passage("The key is in the hall.")),)


def row(n: int, odds: float, *, is_right: bool, text: str = "Where is key {n}?") -> JudgeRow:
    """A question whose best passage was read to hold the answer with these odds."""
    read = 1 / (1 + math.exp(-odds))
    question = text.format(n=n)
    return JudgeRow(question, "ratings", question, HITS, 0.8, is_right, reads=(read,))


def company(seed: int, n: int, *, shift: float = 0.0, noise: float = 0.0) -> list[JudgeRow]:
    """Answers that are right as often as the judge says at its threshold, and by `shift` less."""
    random = np.random.default_rng(seed)
    rows = []
    for k, odds in enumerate(random.normal(0.8, 2.5, n)):
        above = 0.8 * odds - 0.3 - math.log(0.4 / 0.6)
        is_right = random.random() < 1 / (1 + math.exp(shift - 2 * above))
        is_flipped = random.random() < noise
        rows.append(row(k, float(odds), is_right=bool(is_right != is_flipped)))
    return rows


def useful(judge: Judge, rows: Sequence[JudgeRow]) -> float:
    return float(
        np.mean([(confidence(judge, r) >= judge.threshold) == r.is_answerable for r in rows])
    )


def learned(rows: Sequence[JudgeRow]) -> Judge:
    return try_confidence(SERVED, SERVED, RatedRows(rows, [r.question for r in rows])).judge


@given(st.floats(-8, 8))
def test_a_fit_that_changes_nothing_decides_as_before(odds: float) -> None:
    asked, fitted = row(0, odds, is_right=True), ConfidenceFit().applied(SERVED)
    above = confidence(SERVED, asked) - SERVED.threshold
    assert abs(above) < 1e-4 or (above > 0) == (confidence(fitted, asked) >= fitted.threshold)


def test_without_ratings_nothing_moves() -> None:
    fit = fit_confidence(SERVED, [])
    assert (fit.scale, fit.shift, fit.in_chinese) == pytest.approx((1, 0, 0), abs=1e-4)


def test_what_people_of_a_company_rate_moves_the_threshold_towards_them() -> None:
    many, few = (fit_confidence(SERVED, company(1, n, shift=2)) for n in (100, 10))
    assert many.shift < few.shift < 0.1
    others = company(2, 2_000, shift=2)
    assert useful(many.applied(SERVED), others) > useful(SERVED, others) + 0.03


def test_chinese_questions_have_a_shift_of_their_own() -> None:
    chinese = [row(n, 0.0, is_right=True, text="钥匙{n}在哪里?") for n in range(40)]
    english = [row(n, 1.0, is_right=n % 2 == 0) for n in range(40)]
    fitted = fit_confidence(SERVED, [*chinese, *english]).applied(SERVED)
    assert confidence(fitted, chinese[0]) > confidence(fitted, row(0, 0.0, is_right=True)) + 0.1


def test_no_row_is_judged_by_a_fit_that_has_seen_one_of_its_cluster() -> None:
    rows = company(3, 30, shift=2)
    clusters = [f"cluster {n // 3}" for n in range(30)]
    for own, fitted in cross_fitted(SERVED, rows, clusters):
        cluster = clusters[rows.index(own)]
        unseen = [r for r, c in zip(rows, clusters, strict=True) if c != cluster]
        assert fitted == fit_confidence(SERVED, unseen).applied(SERVED)


def test_ratings_that_do_not_go_with_the_confidence_are_noise() -> None:
    assert not are_noise(SERVED, company(4, 100))
    assert are_noise(SERVED, company(4, 100, noise=0.5))
    assert are_noise(SERVED, [row(n, float(n), is_right=False) for n in range(9)])


def test_what_is_not_surely_better_leaves_what_serves() -> None:
    assert learned(company(5, 100)) == SERVED


@pytest.mark.parametrize("noise", [0.3, 0.5])
@pytest.mark.slow
def test_forced_on_noise_what_is_learned_loses_nothing_worth_mentioning(noise: float) -> None:
    truth = company(99, 2_000)
    lost = [
        useful(SERVED, truth) - useful(learned(company(seed, 100, noise=noise)), truth)
        for seed in range(12)
    ]
    assert np.mean(lost) <= 0.005

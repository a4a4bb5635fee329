from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.gate.comparison import compare, holm, questions_needed, sign_test


def test_equal_systems_have_no_gain_and_no_evidence() -> None:
    same = compare([0.2, 0.9, 0.5], [0.2, 0.9, 0.5])
    assert (same.gain, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_a_gain_on_every_question_is_sure() -> None:
    better = compare([0.1, 0.4, 0.3, 0.2, 0.5, 0.1], [0.3, 0.5, 0.6, 0.4, 0.6, 0.4])
    assert better.low > 0
    assert (better.wins, better.losses) == (6, 0)
    assert better.p == pytest.approx(1 / 64)


def test_a_gain_on_one_question_in_many_is_not_sure() -> None:
    before = [0.5] * 50
    assert compare(before, [*before[1:], 1.0]).low <= 0


def test_the_lower_bound_of_no_gain_is_above_zero_in_one_run_of_twenty() -> None:
    random = np.random.default_rng(3)
    runs = [compare([0.0] * 60, random.normal(0, 1, 60).tolist()).low > 0 for _ in range(60)]
    assert sum(runs) <= 8


def test_scores_of_different_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="every question"):
        compare([0.1, 0.2], [0.1])


def test_the_sign_test_is_the_coins() -> None:
    assert sign_test(3, 0) == pytest.approx(1 / 8)
    assert sign_test(0, 0) == 1


def test_holm_corrects_as_the_textbook_does() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_makes_a_candidate_surer(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(after >= before for before, after in zip(p_values, corrected, strict=True))
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert all(corrected[a] <= corrected[b] for a, b in pairwise(order))


def test_half_the_gain_needs_four_times_the_questions() -> None:
    many, few = questions_needed(0.05, 0.3), questions_needed(0.1, 0.3)
    assert many is not None
    assert few is not None
    assert many == pytest.approx(4 * few, rel=0.05)
    assert questions_needed(-0.1, 0.3) is None

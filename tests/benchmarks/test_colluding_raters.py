"""People who agree to rate against the truth."""

from __future__ import annotations

import pytest

from benchmarks.colluding_raters import Strategy, lessons


@pytest.mark.slow
@pytest.mark.parametrize("colluders", [1, 3, 10])
@pytest.mark.parametrize("strategy", ["contradict", "promote", "patient"])
def test_colluders_teach_no_more_than_one_person_may(colluders: int, strategy: Strategy) -> None:
    found = lessons(colluders, strategy, 0)
    assert found.share <= 0.05
    assert (found.false_judged, found.lost) == (0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("colluders", [1, 3, 10])
def test_colluders_who_take_turns_do_not_reach_the_gate(colluders: int) -> None:
    found = lessons(colluders, "scattered", 0)
    assert found.share <= 0.05 * colluders
    assert (found.false_judged, found.lost) == (0, 0)

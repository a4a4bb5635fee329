"""People who agree to rate against the truth."""

from __future__ import annotations

import pytest

from benchmarks.colluding_raters import STRATEGIES, Strategy, lessons


@pytest.mark.slow
@pytest.mark.parametrize("colluders", [1, 3, 10])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_colluders_teach_no_more_than_one_person_may(colluders: int, strategy: Strategy) -> None:
    found = lessons(colluders, strategy, 0)
    assert found.share <= 0.05
    assert (found.false_judged, found.lost) == (0, 0)

"""Tests of measuring what several bots answer."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.workers import Row, table

ONE = Row(1, 200.0, 8.0, 9.0, 0.05, 0.02, 120.0, (1.0,), 0, 0)


def test_each_number_of_bots_is_compared_with_the_first() -> None:
    two = replace(ONE, bots=2, a_minute=390.0, bot_cpu_s=0.06, shares=(0.51, 0.49))
    *_, row = table([ONE, two]).splitlines()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:3] == ["2", "390", "1.95"]
    assert cells[5:7] == ["0.060", "1.20"]
    assert cells[9] == "51%, 49%"

"""Tests of measuring search beside other libraries."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.peers.__main__ import HEAD, measured, told
from retrieval.evaluation.dataset import read_dataset
from tests.benchmarks.few import write_few


@pytest.mark.slow
def test_a_library_is_measured_by_what_its_own_processes_say(
    tmp_path: Path, models_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHIMBREL_HOME", str(models_home))
    write_few(tmp_path / "few")
    dataset = read_dataset(tmp_path / "few")
    work = tmp_path / "work"
    work.mkdir()
    row = measured("whimbrel", sys.executable, "multilingual-e5-small", dataset, work)
    assert (row.ndcg, row.recall) == (1, 1)
    assert 0 < row.p50_ms <= row.p99_ms
    assert told(row).count("|") == HEAD.splitlines()[0].count("|")

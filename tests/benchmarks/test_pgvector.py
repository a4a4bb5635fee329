"""Tests of measuring search in a shared index beside search in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.pgvector import compare
from retrieval.evaluation.dataset import read_dataset
from retrieval.settings import Settings
from tests.benchmarks.few import write_few
from tests.postgres_server import PostgresServer
from tests.retrieval.word_embedder import WordEmbedder


@pytest.mark.slow
def test_a_shared_index_finds_what_one_in_memory_does(
    tmp_path: Path, postgres: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "few"
    write_few(folder)
    settings = Settings(home=tmp_path / "home")
    compare(read_dataset(folder), settings, WordEmbedder(), postgres, most=9)
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[1:6] for row in told] == [
        [index, "3", "2", "1.0000", "1.0000"] for index in ("memory", "exact", "HNSW")
    ]
    assert [row[6] for row in told] == ["1.000"] * 3

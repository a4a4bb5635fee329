"""Tests of measuring search in a shared index beside search in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from retrieval.evaluation.dataset import read_dataset
from retrieval.settings import Settings
from tests.postgres_server import PostgresServer
from tests.retrieval.word_embedder import WordEmbedder

TEXTS = {
    "ferry": "The ferry does not sail in winter, when the harbour is frozen.",
    "lamp": "The lamp of the lighthouse is lit at dusk.",
    "kettle": "The kettle stands in the attic, behind the ropes.",
}
QUESTIONS = {"ferry": "When does the ferry sail?", "lamp": "When is the lamp lit?"}


@pytest.mark.slow
def test_a_shared_index_finds_what_one_in_memory_does(
    tmp_path: Path, postgres: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks.pgvector import compare

    folder = tmp_path / "few"
    folder.mkdir()
    for name, texts in (("corpus", TEXTS), ("queries", QUESTIONS)):
        lines = [json.dumps({"_id": id_, "text": text}) for id_, text in texts.items()]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    grades = "".join(f"{id_}\t{id_}\t1\n" for id_ in QUESTIONS)
    (folder / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n{grades}")
    settings = Settings(home=tmp_path / "home")
    compare(read_dataset(folder), settings, WordEmbedder(), postgres, most=9)
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[1:6] for row in told] == [
        [index, "3", "2", "1.0000", "1.0000"] for index in ("memory", "exact", "HNSW")
    ]
    assert [row[6] for row in told] == ["1.000"] * 3

"""Tests of measuring search beside other libraries."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.peers.__main__ import HEAD, measured, told
from retrieval.evaluation.dataset import read_dataset

TEXTS = {
    "ferry": "The ferry does not sail in winter, when the harbour is frozen.",
    "lamp": "The lamp of the lighthouse is lit at dusk.",
    "kettle": "The kettle stands in the attic, behind the ropes.",
}
QUESTIONS = {"ferry": "When does the ferry sail?", "lamp": "When is the lamp lit?"}


@pytest.mark.slow
def test_a_library_is_measured_by_what_its_own_processes_say(
    tmp_path: Path, models_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHIMBREL_HOME", str(models_home))
    for name, texts in (("corpus", TEXTS), ("queries", QUESTIONS)):
        lines = [json.dumps({"_id": id_, "text": text}) for id_, text in texts.items()]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    grades = "".join(f"{id_}\t{id_}\t1\n" for id_ in QUESTIONS)
    (tmp_path / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n{grades}")
    dataset = read_dataset(tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    row = measured("whimbrel", sys.executable, "multilingual-e5-small", dataset, work)
    assert (row.ndcg, row.recall) == (1, 1)
    assert 0 < row.p50_ms <= row.p99_ms
    assert told(row).count("|") == HEAD.splitlines()[0].count("|")

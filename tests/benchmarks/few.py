"""A data set of three passages and two questions, for benchmarks that want a folder."""

from __future__ import annotations

import json
from pathlib import Path

TEXTS = {
    "ferry": "The ferry does not sail in winter, when the harbour is frozen.",
    "lamp": "The lamp of the lighthouse is lit at dusk.",
    "kettle": "The kettle stands in the attic, behind the ropes.",
}
QUESTIONS = {"ferry": "When does the ferry sail?", "lamp": "When is the lamp lit?"}


def write_few(folder: Path) -> None:
    """Write it as `retrieval.evaluation.dataset` reads it, into a new folder."""
    folder.mkdir()
    for name, texts in (("corpus", TEXTS), ("queries", QUESTIONS)):
        lines = [json.dumps({"_id": id_, "text": text}) for id_, text in texts.items()]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    grades = "".join(f"{id_}\t{id_}\t1\n" for id_ in QUESTIONS)
    (folder / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n{grades}")

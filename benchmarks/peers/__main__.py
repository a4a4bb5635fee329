"""Whimbrel's search beside LlamaIndex, Haystack, txtai and Chroma, in one run.

    python -m benchmarks.peers FOLDER… --peer NAME=PYTHON … [--queries N] [--passages N]
                              [--json OUT]

A FOLDER is in the format that `retrieval/evaluation/dataset.py` describes; a NAME is `llamaindex`,
`haystack`, `txtai` or `chroma`, installed for another interpreter (the head of
`benchmarks/peers/workers.py` says how each is used):

    pip install llama-index-core llama-index-embeddings-huggingface llama-index-retrievers-bm25
    pip install haystack-ai sentence-transformers-haystack
    pip install txtai
    pip install chromadb sentence-transformers

All get the same texts and the same files of the embedder, and take the precision that they take by
themselves. `index` is seconds of the processor for embedding, indexing and writing, the embedder
being loaded; `start` those of the processor, and of the clock, from nothing to the first answer in
another process. `p50` and `p99` are of a search with embedding the query, by the clock; `CPU ms` is
the mean of the processor. Memory is the most that searching took, with the embedder; disk is of the
index.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.retrieval import judged
from retrieval.evaluation.dataset import Dataset, read_dataset
from retrieval.evaluation.metrics import ndcg, recall
from retrieval.models.catalogue import resolve
from retrieval.settings import load_settings

WORKERS = Path(__file__).with_name("workers.py")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Row:
    """What one library did with one data set."""

    data: str
    library: str
    index_cpu_s: float
    start_cpu_s: float
    start_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    memory_mb: float
    disk_mb: float
    ndcg: float
    recall: float


def main() -> None:
    """Measure each library with each data set, and print a table."""
    arguments = parse_arguments()
    settings = load_settings()
    embedder = resolve(settings.embedder, models_folder=settings.models_folder).path
    peers = {"whimbrel": sys.executable}
    peers |= dict(peer.split("=", 1) for peer in arguments.peer)
    rows = []
    for folder in arguments.folders:
        dataset = part_of(read_dataset(folder), arguments.queries, arguments.passages)
        print(f"\n{dataset.name}: {len(dataset.passages)} passages\n{HEAD}", flush=True)
        for name, python in peers.items():
            with TemporaryDirectory() as work:
                named = settings.embedder if name == "whimbrel" else str(embedder)
                rows.append(measured(name, python, named, dataset, Path(work)))
            print(told(rows[-1]), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--queries", type=int, default=300, metavar="N", help="at most, a set")
    parser.add_argument("--passages", type=int, default=10**9, metavar="N", help="at most, a set")
    parser.add_argument("--json", type=Path, metavar="OUT")
    return parser.parse_args()


def part_of(dataset: Dataset, queries: int, passages: int) -> Dataset:
    """At most so many judged queries, and the passages that answer them among at most so many."""
    languages = sorted({query.language for query in dataset.queries})
    asked = [query for own in languages for query in judged(dataset, own, queries)]
    wanted = {id_ for query in asked for id_ in dataset.qrels[query.id]}
    # Those that answer come first, then the others as they stand.
    ordered = sorted(dataset.passages, key=lambda passage: passage.id not in wanted)
    return replace(dataset, queries=tuple(asked), passages=tuple(ordered[:passages]))


def measured(name: str, python: str, embedder: str, dataset: Dataset, work: Path) -> Row:
    """Index the passages, and search them from another process."""
    queries = dataset.queries
    write(work / "passages.jsonl", [(p.id, p.indexed_text) for p in dataset.passages])
    write(work / "queries.jsonl", [(query.id, query.text) for query in queries])
    indexed = run(python, "index", name, embedder, work)
    searched = run(python, "search", name, embedder, work)
    taken = np.array(searched["taken"]) * 1e3
    files = [path for path in (work / "index").rglob("*") if path.is_file()]
    quality = [
        (ndcg(searched["found"][q.id], wanted), recall(searched["found"][q.id], wanted))
        for q, wanted in ((query, dataset.qrels[query.id]) for query in queries)
    ]
    return Row(
        data=dataset.name,
        library=name,
        index_cpu_s=indexed["cpu_s"],
        start_cpu_s=searched["start_cpu_s"],
        start_s=searched["start_s"],
        p50_ms=float(np.median(taken[:, 0])),
        p99_ms=float(np.quantile(taken[:, 0], 0.99)),
        cpu_ms=float(taken[:, 1].mean()),
        memory_mb=searched["memory_mb"],
        disk_mb=sum(path.stat().st_size for path in files) / 1e6,
        ndcg=float(np.mean([value for value, _ in quality])),
        recall=float(np.mean([value for _, value in quality])),
    )


def write(path: Path, pairs: Sequence[tuple[str, str]]) -> None:
    """A line of JSON for each."""
    lines = (json.dumps({"id": id_, "text": text}) for id_, text in pairs)
    path.write_text("\n".join(lines), encoding="utf-8")


def run(python: str, task: str, name: str, embedder: str, work: Path) -> Mapping[str, Any]:
    """What a worker in its own interpreter says."""
    files = (work / "passages.jsonl", work / "queries.jsonl", work / "index")
    command = [python, str(WORKERS), task, name, embedder, *map(str, files)]
    environment = {**os.environ, "BEGAN": str(time.time()), "ANONYMIZED_TELEMETRY": "False"}
    # Threads that wait would count as work, of whoever is not set to let them sleep.
    environment |= {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
    if name == "whimbrel":
        environment["PYTHONPATH"] = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{name} ended early:\n{done.stderr[-3000:]}")
    answer: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


COLUMNS = (
    ("library", "library", "{}"),
    ("index, CPU s", "index_cpu_s", "{:.1f}"),
    ("start, CPU s", "start_cpu_s", "{:.1f}"),
    ("start, s", "start_s", "{:.1f}"),
    ("p50, ms", "p50_ms", "{:.1f}"),
    ("p99, ms", "p99_ms", "{:.1f}"),
    ("CPU ms", "cpu_ms", "{:.1f}"),
    ("memory, MB", "memory_mb", "{:.0f}"),
    ("disk, MB", "disk_mb", "{:.1f}"),
    ("nDCG@10", "ndcg", "{:.3f}"),
    ("recall@10", "recall", "{:.3f}"),
)
HEAD = f"| {' | '.join(head for head, *_ in COLUMNS)} |\n{'|---' * len(COLUMNS)}|"


def told(row: Row) -> str:
    """A line of the table."""
    return f"| {' | '.join(form.format(getattr(row, name)) for _, name, form in COLUMNS)} |"


if __name__ == "__main__":
    main()

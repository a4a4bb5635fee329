"""What a learned map does for dense search: before and after, by the number of rated pairs.

    python -m benchmarks.learning.learned_map FOLDER [--embedder NAME] [--other FOLDER]...

FOLDER is in the format that `retrieval/evaluation/dataset.py` describes, with questions to learn
from (`queries_train.jsonl` and `qrels_train.tsv`); only its test questions are measured. The map of
the most pairs is also tried on each other FOLDER, where nobody has rated anything. The seconds are
the processor's, for embedding headings and fitting; questions and passages are embedded once.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrieval.evaluation.dataset import Dataset, read_dataset
from retrieval.records import Vectors
from retrieval.search.embedding import Embedder
from retrieval.search.linear_map import identity
from retrieval.settings import load_settings
from training.gate.comparison import Comparison, compare
from training.retriever.linear_map import TrainingPairs, fit_map, ndcg_of_each


@dataclass(frozen=True)
class Side:
    """A data set's passages and questions as vectors."""

    name: str
    passages: Vectors
    asked: TrainingPairs


def embedded(dataset: Dataset, embedder: Embedder, passages: Vectors | None = None) -> Side:
    """The data set's judged questions and its passages, embedded unless they are known."""
    rows = {passage.id: row for row, passage in enumerate(dataset.passages)}
    judged = [query for query in dataset.queries if query.id in dataset.qrels]
    vectors = embedder.embed_queries([query.text for query in judged])
    relevant = [[rows[id_] for id_ in dataset.qrels[query.id]] for query in judged]
    if passages is None:
        passages = embedder.embed_passages([passage.indexed_text for passage in dataset.passages])
    return Side(dataset.name, passages, TrainingPairs(vectors, relevant))


def headings_of(dataset: Dataset, embedder: Embedder) -> TrainingPairs:
    """The last part of each passage's title as a question that the passage answers."""
    titles = [(p.source.title.split(">")[-1].strip(), n) for n, p in enumerate(dataset.passages)]
    named = [(title, row) for title, row in titles if title]
    vectors = embedder.embed_queries([title for title, _ in named])
    return TrainingPairs(vectors, [[row] for _, row in named])


def line(name: str, found: Comparison, seconds: float | None) -> str:
    """One line of the table."""
    cpu = "" if seconds is None else f"{seconds:>8.1f}"
    return (
        f"{name:<34}{found.questions:>6}{found.baseline:>8.3f}{found.candidate:>8.3f}"
        f"{found.gain:>+8.3f}"
        f"  {found.low:+.3f} to {found.high:+.3f}{cpu}"
    )


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--other", type=Path, action="append", default=[])
    parser.add_argument("--embedder", default="all-minilm-l6-v2")
    parser.add_argument("--pairs", type=int, nargs="+", default=[50, 200, 1_000])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    settings = load_settings().model_copy(update={"embedder": options.embedder})
    embedder = Embedder.load(settings)
    dataset = read_dataset(options.folder)
    test = embedded(dataset, embedder)
    train = embedded(read_dataset(options.folder, part="train"), embedder, test.passages)
    began = time.process_time()
    headings = headings_of(dataset, embedder)
    spent = time.process_time() - began
    before = ndcg_of_each(identity(embedder.dimension), test.passages, test.asked)
    print(f"{embedder.id}: nDCG@10 of dense search, {spent:.1f} s for {len(headings)} headings")
    print(f"{'':<34}{'asked':>6}{'before':>8}{'after':>8}{'gain':>8}  95 % bounds          cpu s")
    for pairs in options.pairs:
        for seed in range(options.seeds):
            chosen = np.random.default_rng(seed).permutation(len(train.asked))[:pairs].tolist()
            began = time.process_time()
            fit = fit_map(test.passages, train.asked.part(chosen), headings=headings, seed=seed)
            seconds = spent + time.process_time() - began
            name = f"{test.name}, {pairs} pairs, seed {seed}"
            after = ndcg_of_each(fit.map, test.passages, test.asked)
            print(line(name, compare(before, after), seconds), flush=True)
    for folder in options.other:
        other = embedded(read_dataset(folder), embedder)
        before, after = (
            ndcg_of_each(map_, other.passages, other.asked)
            for map_ in (identity(embedder.dimension), fit.map)
        )
        print(line(f"{other.name}, the last map", compare(before, after), None))


if __name__ == "__main__":
    main()

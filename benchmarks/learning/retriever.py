"""What fine-tuning the embedder does for dense search, by the number of pairs that people made.

    python -m benchmarks.learning.retriever FOLDER [--pairs 200 1000] [--wrong 0 0.3] [--ratings]
        [--other FOLDER]

FOLDER is in the format that `retrieval/evaluation/dataset.py` describes, with questions to learn
from (`queries_train.jsonl` and `qrels_train.tsv`); only its test questions are measured, and they
choose nothing. With --ratings, the pairs of `feedback.jsonl` ({split, question, doc_id, ratings})
that all raters call excellent or acceptable are learned from as well, those of the test split left
out. Of the pairs so many are --wrong: they name one of the four nearest passages that is not right;
what is far-fetched is not believed, as when a data set is learned from. Of what is learned from, a
tenth is held back to choose the epoch. The last model of each seed is also tried on each other
FOLDER. The seconds are the processor's: of learning, and of embedding the passages anew.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.learning.curve import harmed
from benchmarks.learning.learned_map import Side, embedded, line
from retrieval.evaluation.dataset import Dataset, read_dataset
from retrieval.index.served_embedder import load_tuned
from retrieval.jsonl import read_rows
from retrieval.models.catalogue import resolve
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings, load_settings
from training.data.labelled_queries import HELD_BACK_SHARE, MOST_HELD_BACK, LabelledQuery, are_near
from training.gate.comparison import compare
from training.gate.retriever_trial import dense_ndcg
from training.retriever.fine_tune import FineTuneConfig, fine_tune, load_base
from training.retriever.linear_map import TrainingPairs
from training.retriever.training_pairs import (
    held_back_of,
    texts_of,
)
from training.trainer import TrainerSetup

GOOD = frozenset({"Excellent", "Acceptable"})


@dataclass(frozen=True)
class Base:
    """What every fine-tuning starts from, and what it is compared to."""

    settings: Settings
    embedder: Embedder
    dataset: Dataset
    side: Side


def judged_queries(dataset: Dataset) -> list[LabelledQuery]:
    """The questions to learn from with the rows of their passages."""
    rows = {passage.id: row for row, passage in enumerate(dataset.passages)}
    return [
        LabelledQuery(
            query.text, query.language, tuple(rows[id_] for id_ in dataset.qrels[query.id])
        )
        for query in dataset.queries
        if query.id in dataset.qrels
    ]


def rated_queries(folder: Path, dataset: Dataset) -> list[LabelledQuery]:
    """The questions whose answers all raters call good, with the rows of the passages."""
    rows = {passage.id: row for row, passage in enumerate(dataset.passages)}
    good: dict[str, set[int]] = {}
    for rated in read_rows(folder / "feedback.jsonl.gz", dict):
        if rated["split"] != "test" and GOOD.issuperset(rated["ratings"]):
            good.setdefault(rated["question"], set()).add(rows[rated["doc_id"]])
    return [LabelledQuery(question, "en", tuple(sorted(found))) for question, found in good.items()]


def tuned(
    base: Base, queries: list[LabelledQuery], folder: Path, *, seed: int
) -> tuple[Embedder, float]:
    """The embedder fine-tuned on labelled queries, and the processor's seconds that it took."""
    began = time.process_time()
    config, passages, vectors = FineTuneConfig(), base.dataset.passages, base.side.passages
    stop = min(MOST_HELD_BACK, round(HELD_BACK_SHARE * len(queries)))
    path = resolve(base.settings.embedder, models_folder=base.settings.models_folder).path
    done = fine_tune(
        load_base(path, vectors, base.settings),
        texts_of(queries[stop:], passages, least=config.shown, headings=config.headings, seed=seed),
        held_back_of(queries[:stop], passages, vectors, base.embedder, seed=seed),
        TrainerSetup(folder / "work", seed),
        prefixes=base.embedder.prefixes,
        config=config,
    )
    done.model.save_pretrained(str(folder / "model"), create_model_card=False)
    spent = time.process_time() - began
    return load_tuned(base.settings, folder / "model", name=f"seed-{seed}"), spent


def drawn(
    options: argparse.Namespace, base: Base, seed: int
) -> Iterator[tuple[str, list[LabelledQuery]]]:
    """What each fine-tuning is called, and what it learns from."""
    judged = judged_queries(read_dataset(options.folder, part="train"))
    for pairs in options.pairs:
        some = shuffled(judged, seed)[:pairs]
        for share in options.wrong:
            name = f"{pairs} pairs, {share:.0%} wrong" if share else f"{pairs} pairs"
            yield f"{name}, seed {seed}", misled(some, base, share, seed) if share else some
    if options.ratings:
        rated = rated_queries(options.folder, base.dataset)
        yield f"{len(rated)} rated, seed {seed}", shuffled(rated, seed)


def misled(
    queries: list[LabelledQuery], base: Base, share: float, seed: int
) -> list[LabelledQuery]:
    """The labelled queries, of which so many are wrong, as far as they are believed."""
    questions = base.embedder.embed_queries([query.question for query in queries])
    right = TrainingPairs(questions, [query.rows for query in queries])
    rows = harmed(right, base.side.passages, "flipped", share, seed).relevant
    near = are_near(questions, rows, base.side.passages)
    return [
        replace(query, rows=tuple(found))
        for query, found, is_near in zip(queries, rows, near, strict=True)
        if is_near
    ]


def shuffled(queries: list[LabelledQuery], seed: int) -> list[LabelledQuery]:
    """The labelled queries in an order that the seed says."""
    return [queries[row] for row in np.random.default_rng(seed).permutation(len(queries))]


def in_languages_of(base: Base, folder: Path) -> Dataset:
    """Another data set, of which only what is in the languages that were learned from."""
    other = read_dataset(folder)
    languages = {query.language for query in base.dataset.queries}
    return replace(
        other,
        passages=tuple(
            passage for passage in other.passages if passage.source.language in languages
        ),
        queries=tuple(query for query in other.queries if query.language in languages),
    )


def ndcg_of(side: Side) -> list[float]:
    """nDCG@10 of each question."""
    return dense_ndcg(side.asked.questions, side.passages, side.asked.relevant)


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--other", type=Path, action="append", default=[])
    parser.add_argument("--embedder", default="all-minilm-l6-v2")
    parser.add_argument("--pairs", type=int, nargs="*", default=[200, 1_000])
    parser.add_argument("--wrong", type=float, nargs="+", default=[0.0])
    parser.add_argument("--ratings", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    settings = load_settings().model_copy(update={"embedder": options.embedder})
    embedder = Embedder.load(settings)
    dataset = read_dataset(options.folder)
    base = Base(settings, embedder, dataset, embedded(dataset, embedder))
    before = ndcg_of(base.side)
    print(f"{embedder.id}: nDCG@10 of dense search, {len(dataset.passages)} passages")
    print(f"{'':<34}{'asked':>6}{'before':>8}{'after':>8}{'gain':>8}  95 % bounds          cpu s")
    others = [in_languages_of(base, folder) for folder in options.other]
    known = {other.name: ndcg_of(embedded(other, embedder)) for other in others}
    for seed in options.seeds:
        for name, queries in drawn(options, base, seed):
            with tempfile.TemporaryDirectory() as folder:
                learned, spent = tuned(base, queries, Path(folder), seed=seed)
                began = time.process_time()
                after = ndcg_of(embedded(dataset, learned))
                row = line(f"{dataset.name}, {name}", compare(before, after), spent)
                print(f"{row} + {time.process_time() - began:.1f}", flush=True)
        for other in others:
            after = ndcg_of(embedded(other, learned))
            print(line(f"{other.name}, {name}", compare(known[other.name], after), None))


if __name__ == "__main__":
    main()

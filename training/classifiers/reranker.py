"""From a data set to a reranker: the configured cross-encoder, fine-tuned, tried and kept.

Where it does not surely put questions that it has not learned from in a better order than the
configured one, the run holds what serves.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

from retrieval.answering.judge import load_judge
from retrieval.errors import DataError, SettingsError
from retrieval.examples import Example
from retrieval.index.library import Library
from retrieval.index.searcher import Searcher
from retrieval.models.catalogue import resolve
from retrieval.progress import Tell
from retrieval.registry.runs import MODEL, Facts, checkpoints, folder_of, serving
from retrieval.search.embedding import Embedder
from retrieval.search.reranking import Reranker
from retrieval.settings import Settings
from training.classifiers.cross_encoder import CrossConfig, LabelledPair, fine_tune
from training.curves import save_losses
from training.data.augmentation import Augmentation, noise_told
from training.data.corpus import TrainingCorpus, read_held_out, read_train_and_dev
from training.data.labelled_queries import LabelledQuery, judging, split
from training.extra import need
from training.gate.candidate import Candidate, LearnedRun, keep
from training.gate.comparison import compare, told_power
from training.gate.decision import is_surely_better
from training.gate.retriever_trial import try_retriever
from training.trainer import TrainerSetup

MIN_PAIRS = 1_000
"""Labelled pairs. With fewer a cross-encoder loses more than it learns."""

MOST_JUDGING = 100
"""More questions held back than this take too long: each is read with many passages."""

NEAR_MISSES = 2
"""Passages of other documents that search finds first, as pairs that do not belong, a question."""


def learn_reranker(
    dataset: Path,
    settings: Settings,
    embedder: Embedder,
    *,
    augments: bool = False,
    seed: int = 0,
    at_least: int = MIN_PAIRS,
    config: CrossConfig | None = None,
    on_progress: Tell = lambda _: None,
) -> LearnedRun:
    """Fine-tune the configured cross-encoder, and try it on the questions that are held out.

    What was broken off goes on from its last checkpoint when it is called again with the same
    arguments.

    Args:
        dataset: A folder in the format of `retrieval.examples`.
        settings: Name the cross-encoder to start from; where the index and the runs are.
        embedder: The one that made the served index.
        augments: Whether to learn from noisy twins, too, and from words that mislead.
        seed: The same seed gives the same reranker on the same machine.
        at_least: How many labelled pairs there must be.
        config: How to learn.
        on_progress: Is told what is being done.

    Raises:
        SettingsError: If no cross-encoder is configured.
        DataError: If the data set holds too little; the message says how much is missing.
        ExtraMissingError: If a library of the extra `training` is not installed.
        IndexNotFoundError: If nothing has been published.
    """
    if settings.reranker is None:
        raise SettingsError(
            "no cross-encoder is configured, and from none, ratings teach less than plain cosines "
            "tell: set WHIMBREL_RERANKER to a pre-trained one"
        )
    need("accelerate", "datasets")
    config = replace(config or CrossConfig(), attacks=augments)
    served = Library.load(settings, embedder).searcher()
    judge = load_judge(settings.models_folder, embedder)
    corpus = TrainingCorpus(served.index.in_memory(), embedder, judge, served, judge)
    train, dev = read_train_and_dev(dataset, at_least=1, learner="a reranker", corpus=corpus)
    pairs = labelled([*train, *dev])
    if len(pairs) < at_least:
        raise DataError(
            f"{dataset} holds {len(pairs)} labelled pairs; a reranker needs {at_least}, "
            f"{at_least - len(pairs)} more"
        )
    held_out = read_held_out(dataset, corpus)
    on_progress(told_power(len(held_out)))
    plain = Searcher(served.index, embedder)
    noise = Augmentation.of(served.index.passages, seed=seed) if augments else None
    queries, held_back = split(train, dev, served.index.passages, seed=seed)
    unseen = {query.question for query in held_back}
    pairs = labelled([example for example in (*train, *dev) if example.question not in unseen])
    misses = [pair for query in queries for pair in near_misses(query, plain)]
    shown = [*pairs, *misses]
    if noise:
        shown += [replace(pair, question=noise.twin(pair.question)) for pair in shown]
    facts = Facts(
        base=settings.reranker,
        dataset=dataset.name,
        seed=seed,
        code=version("whimbrel"),
        config=asdict(config) | noise_told(noise),
    )
    work = checkpoints(settings.runs_folder, facts)
    on_progress(f"learning from {len(pairs)} labelled pairs and {len(misses)} near misses")
    setup = TrainerSetup(work, seed, on_progress=on_progress)
    base = resolve(settings.reranker, models_folder=settings.models_folder).path
    losses = fine_tune(str(base), shown, setup, settings, config=config)
    judges = [held_back[row] for row in judging(held_back)][:MOST_JUDGING]
    on_progress(f"trying it and the configured one on {len(judges)} questions held back")
    before, after = (
        Candidate(plain.reranked_by(Reranker(str(path))), judge) for path in (base, work / MODEL)
    )
    is_better = is_surely_better(
        compare(*(_qualities(candidate, judges) for candidate in (before, after)))
    )
    now = serving(settings.runs_folder, "reranker")
    kept = folder_of(settings.runs_folder, now) / MODEL if now else base
    learned = keep(
        after if is_better else Candidate(served, judge),
        settings,
        replace(
            facts,
            metrics={
                "pairs": len(pairs),
                "near_misses": len(misses),
                "is_what_serves": not is_better,
            },
        ),
        lambda run: _save(run, work / MODEL if is_better else kept, losses),
        kind="reranker",
        corpus=corpus,
        held_out=held_out,
        on_progress=on_progress,
    )
    shutil.rmtree(work)
    return learned


def _qualities(candidate: Candidate, queries: Sequence[LabelledQuery]) -> list[float]:
    outcomes = try_retriever(candidate.searcher, candidate.judge, queries)
    return [outcome.quality for outcome in outcomes]


def labelled(examples: Sequence[Example]) -> list[LabelledPair]:
    """What people said of a question and a passage, each pair once; what is certain goes first."""
    pairs: dict[tuple[str, str], LabelledPair] = {}
    for kind in ("pair", "judgement"):
        for example in examples:
            if example.kind == kind and example.source != "synthetic" and _tells(example):
                for pair in _labels(example):
                    pairs.setdefault((pair.question, pair.text), pair)
    return list(pairs.values())


def near_misses(query: LabelledQuery, searcher: Searcher) -> Iterator[LabelledPair]:
    """The best hits of documents that do not answer a question."""
    answering = {searcher.index.passages[row].source.id for row in query.rows}
    others = [
        hit.passage
        for hit in searcher.search(query.question, k=20)
        if hit.passage.source.id not in answering
    ]
    for passage in others[:NEAR_MISSES]:
        yield LabelledPair(query.question, passage.indexed_text, 0.0)


def _tells(example: Example) -> bool:
    """Whether it says anything of its passages: a wrong value is the answer's own fault."""
    return example.is_good or not example.spares_passages


def _labels(example: Example) -> Iterator[LabelledPair]:
    """The first passage's label; those after the right one of a pair are said to be wrong."""
    last = None if example.kind == "pair" else 1
    for number, passage in enumerate(example.passages[:last]):
        text = "\n".join(filter(None, (passage.title, passage.text)))
        is_right = number == 0 and example.is_good
        yield LabelledPair(example.question, text, float(is_right))


def _save(run: Path, folder: Path, losses: Sequence[float]) -> None:
    shutil.copytree(folder, run / MODEL)
    save_losses(run, losses, unit="fiftieths of all steps")

"""From a data set to a retriever with a learned map: fitted, tried, and kept as a run.

How far the map is followed, and what words count for beside it, is decided by questions that it has
not learned from: these are taken in parts, and each part is found by what the others teach. Where
nothing is surely better than what was never learned, the run holds what serves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import fmean

import numpy as np

from retrieval.records import Vectors
from retrieval.registry.runs import Facts
from retrieval.search.embedding import Embedder
from retrieval.search.fusion import save_lexical_weight
from retrieval.search.linear_map import LinearMap
from retrieval.settings import Settings
from training.curves import save_curve
from training.data.augmentation import Augmentation, noise_told
from training.data.corpus import (
    TrainingCorpus,
    heading_of,
    open_corpus,
    read_held_out,
    read_train_and_dev,
)
from training.data.labelled_queries import (
    LabelledQuery,
    answerable,
    folds,
    judging,
    labelled_queries,
)
from training.gate.candidate import Candidate, LearnedRun, keep, save_served, served
from training.gate.comparison import told_power
from training.gate.retriever_trial import searcher_with
from training.hyperparameters import Study, search
from training.retriever.linear_map import (
    FEWEST_PAIRS,
    FittedMap,
    MapConfig,
    TrainingPairs,
    fit_map,
    suggest,
)
from training.retriever.served_order import (
    LEXICAL_WEIGHTS,
    FusedQuestions,
    Scores,
    Step,
    surest,
    told,
)
from training.trainer import LearnOptions

SHARES = (0.0, 0.5, 1.0)
"""Of the way to a map; 0 leaves the vectors as they are, and only words may come to count more."""

FOLDS = 3
"""So many parts, each of which is found by what the others teach."""

SPLITS = 2
"""A configuration is tried on so many choices of questions held back: one alone is luck."""

MIN_QUESTIONS = 100
"""Fewer questions than this seldom make a map that the gate lets through."""


def learn_map(
    dataset: Path,
    settings: Settings,
    embedder: Embedder,
    options: LearnOptions,
    *,
    config: MapConfig | None = None,
) -> LearnedRun:
    """Fit a map to a data set's pairs, and try it on those that are held out.

    Args:
        dataset: A folder in the format of `retrieval.examples`.
        settings: Where the index is, and where runs are kept.
        embedder: The one that made the served index.
        options: What seeds it, how many configurations it tries, and whom it tells.
        config: How to fit.

    Raises:
        DataError: If the data set holds too few questions; the message says how many are missing.
        ExtraMissingError: If configurations are to be tried, and Optuna is not installed.
        IndexNotFoundError: If nothing has been published.
    """
    config = config or MapConfig()
    corpus = open_corpus(settings, embedder)
    train, dev = read_train_and_dev(dataset, at_least=MIN_QUESTIONS, learner="a map", corpus=corpus)
    queries = answerable(labelled_queries([*train, *dev], corpus.index.passages))
    held_out = read_held_out(dataset, corpus)
    options.on_progress(told_power(len(held_out)))
    pairs, named = _pairs(corpus.embedder, queries), headings(corpus)
    noise = Augmentation.of(corpus.index.passages, seed=options.seed) if options.augments else None
    twins = _twins(noise, corpus.embedder, queries) if noise else None
    fused = FusedQuestions.of(queries, corpus.index)
    fit = partial(fit_map, corpus.index.vectors, pairs, headings=named, twins=twins, fused=fused)
    study = None
    if options.trials:
        study = _searched(fit, config, options)
        config = study.config
    fitted = fit(config=config, seed=options.seed, on_progress=options.on_progress)
    step = _step(corpus.index.vectors, pairs, twins, fused, named, config, options)
    candidate = served(corpus) if step is None else _candidate(corpus, fitted.map, step)
    facts = Facts(
        base=corpus.embedder.id,
        dataset=dataset.name,
        seed=options.seed,
        code=version("whimbrel"),
        config=asdict(config) | noise_told(noise),
        metrics={"questions": len(queries), "held_back_ndcg": fitted.ndcg, **told(step)},
    )

    def fill(folder: Path) -> None:
        if step is None:
            save_served(folder, settings, corpus)
        else:
            fitted.map.part_way(step.share).save(folder)
            save_lexical_weight(folder, step.lexical_weight)
        save_curve(folder, fitted.curve)
        if study:
            study.save(folder)

    return keep(
        candidate,
        settings,
        facts,
        fill,
        corpus=corpus,
        held_out=held_out,
        on_progress=options.on_progress,
    )


def _searched(
    fit: Callable[..., FittedMap], start: MapConfig, options: LearnOptions
) -> Study[MapConfig]:
    """The configuration that answers questions held back best, whichever are held back."""

    def score(config: MapConfig) -> float:
        seeds = range(options.seed, options.seed + SPLITS)
        return fmean(fit(config=config, seed=seed).ndcg for seed in seeds)

    return search(suggest, score, start=start, options=options)


def headings(corpus: TrainingCorpus) -> TrainingPairs | None:
    """Each passage's own heading as a question that it answers; None where there are none."""
    named = [(heading_of(passage), row) for row, passage in enumerate(corpus.index.passages)]
    asked = [(text, row) for text, row in named if text]
    if not asked:
        return None
    vectors = corpus.embedder.embed_queries([text for text, _ in asked])
    return TrainingPairs(vectors, [[row] for _, row in asked])


def _pairs(embedder: Embedder, queries: list[LabelledQuery]) -> TrainingPairs:
    questions = embedder.embed_queries([query.question for query in queries])
    return TrainingPairs(questions, [query.rows for query in queries])


def _twins(noise: Augmentation, embedder: Embedder, queries: list[LabelledQuery]) -> Vectors:
    return embedder.embed_queries([noise.twin(query.question) for query in queries])


def _step(
    passages: Vectors,
    pairs: TrainingPairs,
    twins: Vectors | None,
    fused: FusedQuestions,
    named: TrainingPairs | None,
    config: MapConfig,
    options: LearnOptions,
) -> Step | None:
    """What is surely better on questions that were not learned from; None if nothing is."""
    judges = {*judging(fused.queries)}
    before: list[Scores] = []
    after: dict[Step, list[Scores]] = {}
    for number, fold in enumerate(folds(fused.queries, FOLDS, seed=options.seed), start=1):
        options.on_progress(f"what others teach of part {number} of {FOLDS}")
        seen = [row for row in range(len(pairs)) if row not in fold]
        if len(seen) < FEWEST_PAIRS:
            return None  # all mean the same, so that none is judged by others
        judged = sorted(fold & judges)
        asked, beside = pairs.part(judged).questions, fused.part(judged)
        fitted = fit_map(
            passages,
            pairs.part(seen),
            headings=named,
            twins=None if twins is None else twins[seen],
            fused=fused.part(seen),
            config=config,
            seed=options.seed,
        )
        before.append(beside.ndcg(asked, passages)[0])
        for share in SHARES:
            map_ = fitted.map.part_way(share)
            found = beside.ndcg(map_.of_queries(asked), map_.of_passages(passages), LEXICAL_WEIGHTS)
            for weight, scores in zip(LEXICAL_WEIGHTS, found, strict=True):
                after.setdefault(Step(share, weight), []).append(scores)
    joined = {step: np.concatenate(scores) for step, scores in after.items()}
    return surest(np.concatenate(before), joined)


def _candidate(corpus: TrainingCorpus, map_: LinearMap, step: Step) -> Candidate:
    map_ = map_.part_way(step.share)
    learned = corpus.embedder.moved(map_, name="candidate", lexical_weight=step.lexical_weight)
    # Hits of a map keep the model's own cosines, which the judge knows.
    return Candidate(
        searcher_with(corpus.index, learned, map_.of_passages(corpus.index.vectors)), corpus.judge
    )

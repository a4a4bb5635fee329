"""From a data set to a retriever with a learned map: fitted, tried, and kept as a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import fmean

from retrieval.registry.runs import Facts
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings
from training.curves import save_curve
from training.data.augmentation import Augmentation, told
from training.data.corpus import (
    TrainingCorpus,
    heading_of,
    open_corpus,
    read_held_out,
    read_train_and_dev,
)
from training.data.labelled_queries import LabelledQuery, answerable, labelled_queries
from training.gate.candidate import Candidate, LearnedRun, keep
from training.gate.retriever_trial import searcher_with
from training.hyperparameters import Study, search
from training.retriever.linear_map import FittedMap, MapConfig, TrainingPairs, fit_map, suggest
from training.trainer import LearnOptions

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
    pairs, named = _pairs(corpus.embedder, queries), headings(corpus)
    fit = partial(fit_map, corpus.index.vectors, pairs, headings=named)
    noise = Augmentation.of(corpus.index.passages, seed=options.seed) if options.augments else None
    if noise:
        twins = [noise.twin(query.question) for query in queries]
        fit = partial(fit, twins=corpus.embedder.embed_queries(twins))
    study = None
    if options.trials:
        study = _searched(fit, config, options)
        config = study.config
    fitted = fit(config=config, seed=options.seed, on_progress=options.on_progress)
    facts = Facts(
        base=corpus.embedder.id,
        dataset=dataset.name,
        seed=options.seed,
        code=version("whimbrel"),
        config=asdict(config) | told(noise),
        metrics={"questions": len(queries), "held_back_ndcg": fitted.ndcg},
    )
    return keep(
        _candidate(corpus, fitted),
        settings,
        facts,
        lambda folder: _save(folder, fitted, study),
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


def _candidate(corpus: TrainingCorpus, fitted: FittedMap) -> Candidate:
    learned = corpus.embedder.moved(fitted.map, name="candidate")
    vectors = fitted.map.of_passages(corpus.index.vectors)
    # Hits of a map keep the model's own cosines, which the judge knows.
    return Candidate(searcher_with(corpus.index, learned, vectors), corpus.judge)


def _save(folder: Path, fitted: FittedMap, study: Study[MapConfig] | None) -> None:
    fitted.map.save(folder)
    save_curve(folder, fitted.curve)
    if study:
        study.save(folder)

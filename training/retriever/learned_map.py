"""From a data set to a retriever with a learned map: fitted, tried, and kept as a run."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from retrieval.embedding import Embedder
from retrieval.models.runs import Facts
from retrieval.settings import Settings
from training.retriever.candidate import Candidate, Learned, Progress, keep, save_curve
from training.retriever.corpus import Corpus, heading_of, open_corpus, read_held_out, read_taught
from training.retriever.lessons import Lesson, answerable, lessons
from training.retriever.linear_map import Fit, MapConfig, Pairs, fit_map
from training.retriever.trial import searcher_with

MIN_QUESTIONS = 100
"""Fewer questions than this seldom make a map that the gate lets through."""


def learn_map(
    dataset: Path,
    settings: Settings,
    embedder: Embedder,
    *,
    seed: int = 0,
    config: MapConfig | None = None,
    on_progress: Progress = lambda _: None,
) -> Learned:
    """Fit a map to a data set's pairs, and try it on those that are held out.

    Args:
        dataset: A folder in the format of `retrieval.examples`.
        settings: Where the index is, and where runs are kept.
        embedder: The one that made the served index.
        seed: The same seed and data set give the same run.
        config: How to fit.
        on_progress: Is told what is being done.

    Raises:
        DataError: If the data set holds too few questions; the message says how many are missing.
        IndexNotFoundError: If nothing has been published.
    """
    config = config or MapConfig()
    corpus = open_corpus(settings, embedder)
    examples = read_taught(dataset, at_least=MIN_QUESTIONS, learner="a map", corpus=corpus)
    taught = answerable(lessons(examples, corpus.index.passages))
    held_out = read_held_out(dataset, corpus)
    fitted = fit_map(
        corpus.index.vectors,
        _pairs(corpus.embedder, taught),
        headings=headings(corpus),
        config=config,
        seed=seed,
        on_progress=on_progress,
    )
    facts = Facts(
        base=corpus.embedder.id,
        dataset=dataset.name,
        seed=seed,
        code=version("whimbrel"),
        config=asdict(config),
        metrics={"questions": len(taught), "held_back_ndcg": fitted.ndcg},
    )
    return keep(
        _candidate(corpus, fitted),
        settings,
        facts,
        lambda folder: _save(folder, fitted),
        corpus=corpus,
        held_out=held_out,
        on_progress=on_progress,
    )


def headings(corpus: Corpus) -> Pairs | None:
    """Each passage's own heading as a question that it answers; None where there are none."""
    named = [(heading_of(passage), row) for row, passage in enumerate(corpus.index.passages)]
    asked = [(text, row) for text, row in named if text]
    if not asked:
        return None
    vectors = corpus.embedder.embed_queries([text for text, _ in asked])
    return Pairs(vectors, [[row] for _, row in asked])


def _pairs(embedder: Embedder, taught: list[Lesson]) -> Pairs:
    questions = embedder.embed_queries([lesson.question for lesson in taught])
    return Pairs(questions, [lesson.rows for lesson in taught])


def _candidate(corpus: Corpus, fitted: Fit) -> Candidate:
    learned = corpus.embedder.moved(fitted.map, name="candidate")
    vectors = fitted.map.of_passages(corpus.index.vectors)
    # Hits of a map keep the model's own cosines, which the judge knows.
    return Candidate(searcher_with(corpus.index, learned, vectors), corpus.judge)


def _save(folder: Path, fitted: Fit) -> None:
    fitted.map.save(folder)
    save_curve(folder, fitted.curve)

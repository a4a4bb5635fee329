"""From a data set to a retriever with a learned map: fitted, tried, and kept as a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from retrieval.abstention import Judge, load_judge
from retrieval.embedding import Embedder
from retrieval.errors import DataError
from retrieval.examples import read_examples
from retrieval.index import Index, load_index
from retrieval.models.runs import Facts, Run, folder_of, write_run
from retrieval.search import Searcher
from retrieval.serving import unlearned
from retrieval.settings import Settings
from training.gate import report
from training.gate.decision import Decision, decide
from training.retriever.lessons import Lesson, answerable, lessons
from training.retriever.linear_map import Fit, MapConfig, Pairs, fit_map
from training.retriever.trial import searcher_with, try_retriever

MIN_QUESTIONS = 100
"""Fewer questions than this seldom make a map that the gate lets through."""

Progress = Callable[[str], None]
"""Told what is being done."""


@dataclass(frozen=True)
class Learned:
    """A new run and what the gate says of it."""

    run: Run
    decision: Decision


@dataclass(frozen=True)
class Corpus:
    """The served passages with the vectors that the configured model, nothing else, gives them."""

    index: Index
    embedder: Embedder
    served: Searcher
    judge: Judge


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
    passages = corpus.index.passages
    taught = answerable(
        lessons([*read_examples(dataset, "train"), *read_examples(dataset, "dev")], passages)
    )
    if len(taught) < MIN_QUESTIONS:
        raise DataError(
            f"{dataset} holds {len(taught)} questions with a passage of this index; a map needs "
            f"{MIN_QUESTIONS}, {MIN_QUESTIONS - len(taught)} more"
        )
    held_out = lessons(read_examples(dataset, "held-out"), passages)
    if not held_out:
        raise DataError(
            f"{dataset} holds no questions out, so nothing learned from it could be judged; "
            "of what experts approve, a third is held out"
        )
    fitted = fit_map(
        corpus.index.vectors,
        _pairs(corpus.embedder, taught),
        headings=headings(corpus),
        config=config,
        seed=seed,
        on_progress=on_progress,
    )
    learned = corpus.embedder.moved(fitted.map, name="candidate")
    vectors = fitted.map.of_passages(corpus.index.vectors)
    searcher = searcher_with(corpus.index, learned, vectors)
    facts = Facts(
        base=corpus.embedder.id,
        dataset=dataset.name,
        seed=seed,
        code=version("whimbrel"),
        config=asdict(config),
        metrics={"questions": len(taught), "held_back_ndcg": max(fitted.curve)},
    )
    run = write_run(settings.runs_folder, "retriever", facts, lambda folder: _save(folder, fitted))
    decision = _judged(corpus, searcher, held_out, on_progress)
    report.save(folder_of(settings.runs_folder, run), decision, title=f"retriever {run.id}")
    return Learned(run, decision)


def open_corpus(settings: Settings, embedder: Embedder) -> Corpus:
    """The served passages, with what serves them and with the configured model's vectors.

    Raises:
        IndexNotFoundError: If nothing has been published.
        IndexMismatchError: If another embedder made the index.
    """
    served = Searcher(load_index(settings.index_folder, embedder), embedder)
    judge = load_judge(settings.models_folder, embedder.id)
    base = unlearned(settings, embedder)
    return Corpus(base.index, base.embedder, served, judge)


def headings(corpus: Corpus) -> Pairs | None:
    """Each passage's own heading as a question that it answers; None where there are none."""
    named = [
        (passage.headings[-1] if passage.headings else passage.source.title, row)
        for row, passage in enumerate(corpus.index.passages)
    ]
    asked = [(text, row) for text, row in named if text]
    if not asked:
        return None
    vectors = corpus.embedder.embed_queries([text for text, _ in asked])
    return Pairs(vectors, [[row] for _, row in asked])


def _pairs(embedder: Embedder, taught: list[Lesson]) -> Pairs:
    questions = embedder.embed_queries([lesson.question for lesson in taught])
    return Pairs(questions, [lesson.rows for lesson in taught])


def _judged(
    corpus: Corpus,
    searcher: Searcher,
    held_out: list[Lesson],
    on_progress: Progress,
) -> Decision:
    on_progress(f"trying what serves on {len(held_out)} questions held out")
    served = try_retriever(corpus.served, corpus.judge, held_out)
    on_progress("trying the candidate on the same")
    candidate = try_retriever(searcher, corpus.judge, held_out)
    (decision,) = decide(served, [candidate])
    return decision


def _save(folder: Path, fitted: Fit) -> None:
    fitted.map.save(folder)
    (folder / "curve.json").write_text(json.dumps(list(fitted.curve)) + "\n", encoding="utf-8")
    draw_curve(folder / "curve.png", fitted.curve)


def draw_curve(path: Path, curve: tuple[float, ...]) -> None:
    """Draw how well the questions held back were answered, by epoch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(len(curve)), curve, marker="o")
    axes.set_xlabel("epoch")
    axes.set_ylabel("nDCG@10, held back")
    figure.savefig(path, dpi=120)

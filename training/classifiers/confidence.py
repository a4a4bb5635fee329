"""From a data set to a judge that is as sure as people of one company find its answers right."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path

from retrieval.answering.judge import JUDGE_FILE, Judge, load_judge, read_judge
from retrieval.errors import DataError
from retrieval.examples import Example, read_examples
from retrieval.index.library import Library
from retrieval.index.searcher import Searcher
from retrieval.progress import Tell
from retrieval.registry.runs import MODEL, Facts, folder_of, serving, write_run
from retrieval.search.embedding import Embedder
from retrieval.search.reading import reader_of
from retrieval.settings import Settings
from training.classifiers.confidence_fit import (
    ConfidenceFit,
    are_noise,
    cross_fitted,
    fit_confidence,
)
from training.classifiers.evidence import answered, rows_of
from training.classifiers.judge import try_judge
from training.classifiers.judge_fit import JudgeRow, read_all
from training.data.regression import read_regression
from training.gate import report
from training.gate.candidate import LearnedRun
from training.gate.decision import GateDecision, decide

MIN_QUESTIONS = 20
"""Fewer rated questions could not be seen to be better answered."""

SERVED_FILE = "served.json"
"""In a run: the judge that was scaled and shifted."""

NOISE = "people rate what the judge is sure of no better than the rest"


@dataclass(frozen=True)
class RatedRows:
    """What is known of a company's answers.

    `rows` are learned from, each of the cluster at its place; `held_out` and `frozen` are not, of
    which `outdated` were left out.
    """

    rows: Sequence[JudgeRow]
    clusters: Sequence[str]
    held_out: Sequence[JudgeRow] = ()
    frozen: Sequence[JudgeRow] = ()
    outdated: int = 0


@dataclass(frozen=True)
class ConfidenceTrial:
    """The judge to be kept, what was found to be likely, and what the gate says of that."""

    judge: Judge
    fit: ConfidenceFit
    decision: GateDecision


def try_confidence(
    served: Judge, base: Judge, known: RatedRows, *, seed: int = 0
) -> ConfidenceTrial:
    """Fit `base` to what is known, and keep it if it is surely better than what is served.

    It is tried on the rows held out, and on those it learned from, each by a fit that has seen no
    row of its cluster. Ratings that do not go with the confidence are noise, and not learned from.
    """
    fit = fit_confidence(base, known.rows)
    judge = fit.applied(base)
    crossed = cross_fitted(base, known.rows, known.clusters)
    attempts = [*crossed, *((row, judge) for row in known.held_out)]
    before = try_judge(served, [row for row, _ in attempts])
    after = [outcome for row, own in attempts for outcome in try_judge(own, [row])]
    before += try_judge(served, known.frozen, set_="regression")
    after += try_judge(judge, known.frozen, set_="regression")
    (decision,) = decide(before, [after], outdated=known.outdated, seed=seed)
    noise = (NOISE,) if are_noise(base, known.rows) else ()
    decision = replace(decision, reasons=(*decision.reasons, *noise), cross_fitted=len(known.rows))
    return ConfidenceTrial(judge if decision.is_passed else served, fit, decision)


def learn_confidence(
    dataset: Path,
    settings: Settings,
    embedder: Embedder,
    *,
    seed: int = 0,
    on_progress: Tell = lambda _: None,
) -> LearnedRun:
    """Scale and shift the served judge's log-odds to a data set's ratings, and try the outcome.

    It is tried on the questions held out, and on those it learned from: each by a fit that has
    seen neither it nor questions like it. If the gate does not pass it, the run holds the judge
    that serves: where there is nothing to learn nothing changes, whoever publishes it.

    Args:
        dataset: A folder in the format of `retrieval.examples`.
        settings: Where the index is, and where runs are kept.
        embedder: The one that made the served index; the judge is for its hits.
        seed: Of the gate's bootstrap; nothing else is random.
        on_progress: Is told what is being done.

    Raises:
        DataError: If too few answers are rated, or the threshold is set by hand.
        IndexNotFoundError: If nothing has been published.
    """
    if settings.threshold is not None:
        raise DataError("WHIMBREL_THRESHOLD is set, so that no other threshold would count")
    searcher = Library.load(settings, embedder).searcher()
    examples = [*read_examples(dataset, "train"), *read_examples(dataset, "dev")]
    on_progress("searching for what people rated")
    rows = _answered(examples, searcher, settings)
    held_out = _answered(read_examples(dataset, "held-out"), searcher, settings)
    if len(rows) < MIN_QUESTIONS:
        raise DataError(
            f"{dataset} says of {len(rows)} answers that would be given now whether they are "
            f"right; {MIN_QUESTIONS - len(rows)} more are needed"
        )
    served = load_judge(settings.models_folder, embedder)
    base, model = _unfitted(served, settings, embedder)
    on_progress(f"trying it on {len(rows)} rated questions and {len(held_out)} held out")
    clusters = {example.question: example.cluster or example.question for example in examples}
    known = RatedRows(rows, [clusters[row.question] for row in rows], held_out)
    regression = read_regression(settings, searcher.index.passages)
    frozen = rows_of(regression.examples, searcher, read=settings.hits)
    known = replace(known, frozen=_read(frozen, searcher, settings), outdated=regression.outdated)
    tried = try_confidence(served, base, known, seed=seed)
    kept = replace(tried.judge, embedder=embedder.id, data=dataset.name)
    how = {"fitted_to": len(rows), "is_what_serves": tried.judge == served}
    facts = Facts(
        embedder.id, dataset.name, seed, version("whimbrel"), how, metrics=asdict(tried.fit)
    )
    run = write_run(settings.runs_folder, "judge", facts, lambda to: _save(to, kept, base, model))
    report.save(folder_of(settings.runs_folder, run), tried.decision, title=f"judge {run.id}")
    return LearnedRun(run, tried.decision)


def _answered(
    examples: Sequence[Example], searcher: Searcher, settings: Settings
) -> list[JudgeRow]:
    return _read(answered(examples, searcher, read=settings.hits), searcher, settings)


def _read(rows: Sequence[JudgeRow], searcher: Searcher, settings: Settings) -> list[JudgeRow]:
    reader = reader_of(searcher.embedder, settings.models_folder)
    return read_all(rows, reader) if reader else list(rows)


def _unfitted(served: Judge, settings: Settings, embedder: Embedder) -> tuple[Judge, Path]:
    """What serves as it was before any fit of this kind, and where its own reader is, if any.

    So that what was fitted before is fitted anew to all ratings, and not once more to the same.
    """
    run = serving(settings.runs_folder, "judge")
    if run is None or run.facts.base != embedder.id:
        return served, Path()
    folder = folder_of(settings.runs_folder, run)
    if not (folder / SERVED_FILE).is_file():
        return served, folder / MODEL
    before = read_judge(folder / SERVED_FILE)
    values = {field.name: getattr(before, field.name) for field in fields(Judge)}
    return replace(served, **values), folder / MODEL


def _save(folder: Path, judge: Judge, base: Judge, model: Path) -> None:
    judge.save(folder / JUDGE_FILE)
    base.save(folder / SERVED_FILE)
    if model.is_dir() and model.name == MODEL:
        shutil.copytree(model, folder / MODEL)

"""From a data set to a judge: learned from rated answers, tried, and kept as a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from retrieval.abstention import JUDGE_FILE, Judge, load_judge
from retrieval.embedding import Embedder
from retrieval.errors import DataError
from retrieval.examples import read_examples
from retrieval.language import language_of
from retrieval.library import Library
from retrieval.models.runs import Facts, folder_of, write_run
from retrieval.settings import Settings
from training.gate import report
from training.gate.decision import Outcome, Set, decide
from training.gate.regression import read_regression
from training.heads import scores
from training.heads.calibration import Row, fit
from training.heads.evidence import rows_of
from training.retriever.candidate import Learned, Progress

MIN_ROWS = 300
"""Fewer rated answers and questions with a known passage seldom make a better judge."""


def learn_abstention(
    dataset: Path,
    settings: Settings,
    embedder: Embedder,
    *,
    seed: int = 0,
    on_progress: Progress = lambda _: None,
) -> Learned:
    """Fit a judge to a data set's ratings, and try it on the questions that are held out.

    Args:
        dataset: A folder in the format of `retrieval.examples`.
        settings: Where the index is, and where runs are kept.
        embedder: The one that made the served index; the judge is for its hits.
        seed: Of the gate's bootstrap; fitting has nothing random in it.
        on_progress: Is told what is being done.

    Raises:
        DataError: If the data set holds too little; the message says how much is missing.
        IndexNotFoundError: If nothing has been published.
    """
    searcher = Library.load(settings, embedder).searcher()
    served = load_judge(settings.models_folder, embedder.id)
    taught = [*read_examples(dataset, "train"), *read_examples(dataset, "dev")]
    on_progress("searching for what people rated")
    rows = rows_of(taught, searcher, read=settings.hits)
    held_out = rows_of(read_examples(dataset, "held-out"), searcher, read=settings.hits)
    _check(dataset, rows, held_out)
    judge = fit(rows, embedder=embedder.id, data=dataset.name)
    judge = judge.with_threshold(no_worse(judge, served, rows))
    facts = Facts(
        base=embedder.id,
        dataset=dataset.name,
        seed=seed,
        code=version("whimbrel"),
        config={"features": list(judge.weights)},
        metrics=_metrics(judge, held_out),
    )
    run = write_run(
        settings.runs_folder, "judge", facts, lambda folder: _save(folder, judge, held_out)
    )
    on_progress(f"trying it on {len(held_out)} questions held out")
    regression = read_regression(settings, searcher.index.passages)
    frozen = rows_of(regression.examples, searcher, read=settings.hits)
    before, after = (
        [*try_judge(one, held_out), *try_judge(one, frozen, set_="regression")]
        for one in (served, judge)
    )
    (decision,) = decide(before, [after], outdated=regression.outdated, seed=seed)
    report.save(folder_of(settings.runs_folder, run), decision, title=f"judge {run.id}")
    return Learned(run, decision)


def try_judge(judge: Judge, rows: Sequence[Row], *, set_: Set = "held-out") -> list[Outcome]:
    """What a judge makes of each row; the quality is 1 where it speaks, or is silent, rightly."""
    return [_outcome(judge, row, set_) for row in rows]


def no_worse(judge: Judge, served: Judge, rows: Sequence[Row]) -> float:
    """The threshold at which a judge gains as much in speaking as in being silent rightly.

    A judge that tells answers apart better can then be better in both directions, rather than
    trade one for the other.
    """
    said = np.array([judge.confidence(row.question, row.hits) for row in rows])
    true = np.array([row.is_answerable for row in rows])
    spoke = (
        np.array([served.confidence(row.question, row.hits) for row in rows]) >= served.threshold
    )
    candidates = np.unique(said)
    spoken = _share_from(candidates, said[true]) - spoke[true].mean()
    silent = (1 - _share_from(candidates, said[~true])) - (~spoke[~true]).mean()
    # Rounded down, so that what stands exactly at the threshold is still said.
    return math.floor(float(candidates[np.minimum(spoken, silent).argmax()]) * 1e4) / 1e4


def _share_from(
    thresholds: npt.NDArray[np.float64], said: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Of what was said, the share that is at least each threshold."""
    below = np.searchsorted(np.sort(said), thresholds, side="left")
    return 1 - below / len(said)


def _check(dataset: Path, rows: Sequence[Row], held_out: Sequence[Row]) -> None:
    if len(rows) < MIN_ROWS:
        raise DataError(
            f"{dataset} says of {len(rows)} answers whether they are right; a judge needs "
            f"{MIN_ROWS}, {MIN_ROWS - len(rows)} more"
        )
    if not held_out:
        raise DataError(
            f"{dataset} holds no questions out, so nothing learned from it could be judged; "
            "of what experts approve, a third is held out"
        )


def _outcome(judge: Judge, row: Row, set_: Set) -> Outcome:
    is_silent = judge.confidence(row.question, row.hits) < judge.threshold
    return Outcome(
        id=f"{set_}: {row.id}",
        language=language_of(row.question),
        quality=float(is_silent != row.is_answerable),
        set=set_,
        is_answerable=row.is_answerable,
        abstained=is_silent,
    )


def _scored(judge: Judge, rows: Sequence[Row]) -> tuple[list[float], list[bool]]:
    said = [judge.confidence(row.question, row.hits) for row in rows]
    return said, [row.is_answerable for row in rows]


def _metrics(judge: Judge, rows: Sequence[Row]) -> dict[str, float]:
    return asdict(scores.score(*_scored(judge, rows), threshold=judge.threshold))


def _save(folder: Path, judge: Judge, held_out: Sequence[Row]) -> None:
    judge.save(folder / JUDGE_FILE)
    said, true = _scored(judge, held_out)
    scores.save(folder, scores.score(said, true, threshold=judge.threshold), said, true)

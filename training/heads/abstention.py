"""From a data set to a judge: learned from rated answers, tried, and kept as a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from retrieval.abstention import JUDGE_FILE, Judge, load_judge
from retrieval.embedding import Embedder
from retrieval.errors import DataError
from retrieval.examples import read_examples
from retrieval.library import Library
from retrieval.models.runs import Facts, folder_of, write_run
from retrieval.settings import Settings
from training.gate import report
from training.gate.decision import Outcome, Set, decide
from training.gate.regression import read_regression
from training.heads import scores
from training.heads.calibration import Row, fit
from training.heads.evidence import rows_of
from training.heads.trial import Case, no_worse, outcomes
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
    spoke = [confidence >= served.threshold for confidence in confidences(served, rows)]
    judge = judge.with_threshold(
        no_worse([case_of(row) for row in rows], confidences(judge, rows), spoke)
    )
    on_progress(f"trying it on {len(held_out)} questions held out")
    cases, said = [case_of(row) for row in held_out], confidences(judge, held_out)
    facts = Facts(
        base=embedder.id,
        dataset=dataset.name,
        seed=seed,
        code=version("whimbrel"),
        config={"features": list(judge.weights)},
        metrics=asdict(scores.score(said, [c.is_yes for c in cases], threshold=judge.threshold)),
    )
    run = write_run(
        settings.runs_folder, "judge", facts, lambda folder: _save(folder, judge, said, cases)
    )
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
    cases = [case_of(row) for row in rows]
    return outcomes(cases, confidences(judge, rows), threshold=judge.threshold, set_=set_)


def case_of(row: Row) -> Case:
    """The row as a case to be tried: yes is to answer."""
    return Case(row.id, row.question, row.is_answerable)


def confidences(judge: Judge, rows: Sequence[Row]) -> list[float]:
    """How sure a judge is of each row."""
    return [judge.confidence(row.question, row.hits) for row in rows]


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


def _save(folder: Path, judge: Judge, said: Sequence[float], cases: Sequence[Case]) -> None:
    judge.save(folder / JUDGE_FILE)
    scores.save(folder, said, [case.is_yes for case in cases], threshold=judge.threshold)

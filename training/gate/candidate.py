"""A learned retriever on its way to be judged: tried beside what serves, and kept as a run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from retrieval.answering.judge import JUDGE_FILE, Judge
from retrieval.index.searcher import Searcher
from retrieval.index.served_embedder import served_run
from retrieval.progress import Tell
from retrieval.registry.runs import MODEL, Facts, ModelKind, Run, folder_of, write_run
from retrieval.search import fusion, linear_map
from retrieval.settings import Settings
from training.data.corpus import TrainingCorpus
from training.data.labelled_queries import LabelledQuery, labelled_queries
from training.data.regression import read_regression
from training.gate import report
from training.gate.decision import GateDecision, QuestionOutcome, decide
from training.gate.retriever_trial import try_retriever


@dataclass(frozen=True)
class Candidate:
    """What would search, and what would judge its hits."""

    searcher: Searcher
    judge: Judge


def served(corpus: TrainingCorpus) -> Candidate:
    """What serves, as a candidate that changes nothing."""
    return Candidate(corpus.served, corpus.served_judge)


def save_served(folder: Path, settings: Settings, corpus: TrainingCorpus) -> None:
    """Fill a run with the retriever that serves: a map that moves nothing if that is no run."""
    run = served_run(settings)
    if run is None:
        linear_map.identity(corpus.embedder.dimension).save(folder)
        return
    for name in run.files:
        if name in _RETRIEVER or name.startswith(f"{MODEL}/"):
            (folder / name).parent.mkdir(exist_ok=True, parents=True)
            shutil.copyfile(folder_of(settings.runs_folder, run) / name, folder / name)


_RETRIEVER = frozenset({linear_map.FILE, fusion.FILE, JUDGE_FILE})


@dataclass(frozen=True)
class LearnedRun:
    """A new run and what the gate says of it."""

    run: Run
    decision: GateDecision


def keep(
    candidate: Candidate,
    settings: Settings,
    facts: Facts,
    fill: Callable[[Path], None],
    *,
    kind: ModelKind = "retriever",
    corpus: TrainingCorpus,
    held_out: Sequence[LabelledQuery],
    on_progress: Tell,
) -> LearnedRun:
    """Keep a candidate as a run, filled by `fill`, with what the gate says of it."""
    run = write_run(settings.runs_folder, kind, facts, fill)
    regression = read_regression(settings, corpus.index.passages)
    frozen = labelled_queries(regression.examples, corpus.index.passages)

    def attempt(searcher: Searcher, judge: Judge) -> list[QuestionOutcome]:
        old = try_retriever(searcher, judge, frozen, set_="regression")
        return [*try_retriever(searcher, judge, held_out), *old]

    on_progress(f"trying what serves on {len(held_out)} questions held out, {len(frozen)} frozen")
    served = attempt(corpus.served, corpus.served_judge)
    on_progress("trying the candidate on the same")
    outcomes = attempt(candidate.searcher, candidate.judge)
    (decision,) = decide(served, [outcomes], outdated=regression.outdated)
    report.save(folder_of(settings.runs_folder, run), decision, title=f"{kind} {run.id}")
    return LearnedRun(run, decision)

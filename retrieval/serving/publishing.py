"""Publishes a trained model of any kind, or puts it on trial before."""

from __future__ import annotations

from retrieval.errors import ModelNotFoundError
from retrieval.index.served_embedder import load_embedder, load_run
from retrieval.index.store import index_store
from retrieval.progress import Tell
from retrieval.registry import trials
from retrieval.registry.folders import building
from retrieval.registry.runs import (
    Deployment,
    ModelKind,
    Run,
    publish,
    roll_back,
    withdraw,
)
from retrieval.registry.trials import Trial
from retrieval.search.embedding import Embedder
from retrieval.serving.retriever import serve_run, take_back, vectors_by
from retrieval.settings import Settings


def serve(
    settings: Settings,
    kind: ModelKind,
    run: Run | None,
    *,
    reason: str,
    on_progress: Tell | None = None,
) -> Deployment:
    """Let a run of any kind serve, or the configured model; a trial of the run can still end badly.

    Args:
        settings: Where index and runs are.
        kind: What is to be replaced.
        run: What is to serve; None for the configured model alone.
        reason: What the history of models says.
        on_progress: Is told of models that are unpacked and of passages that are embedded anew.

    Raises:
        ModelNotFoundError: If the run was retired.
        ModelCorruptError: If a file of the run is not what was written.
        BusyError: If the index is being built, or somebody else is publishing or ending a trial.
    """
    home = settings.runs_folder
    with building(home):  # whose trial it is must not change meanwhile
        trial = trials.under_way(home)
        trials.clear(home)
        if kind == "retriever":
            embedder = load_embedder(settings, on_progress=on_progress)
            done = serve_run(settings, embedder, run, reason=reason, on_progress=on_progress)
        elif run is None:
            done = withdraw(home, kind, reason=reason)
        else:
            done = publish(home, run, reason=reason)
        if run is not None and trial is not None and trial.run == run.id:
            trials.complete(home, trial)
        trials.clear(home)
    return done


def try_run(
    settings: Settings,
    run: Run,
    *,
    share: float,
    reason: str,
    on_progress: Tell | None = None,
) -> Trial:
    """Put a run on trial, once what it needs to answer was made: for a retriever, its vectors.

    Args:
        settings: Where index and runs are.
        run: The candidate.
        share: Of the threads it answers, below 1; 0 for none.
        reason: What the history of models says.
        on_progress: Is told of models that are unpacked.

    Raises:
        ModelNotFoundError: If the run was retired, serves already, or cannot be tried.
        ModelCorruptError: If a file of the run is not what was written.
    """
    if run.kind == "triage":
        raise ModelNotFoundError("triage answers nothing, so it cannot be tried; publish it")
    if run.kind == "retriever":
        embedder = load_embedder(settings, on_progress=on_progress)
        index = index_store(settings).load(embedder)
        vectors_by(run, load_run(settings, run), settings, embedder, index)
    return trials.begin(settings.runs_folder, run, share=share, reason=reason)


def end_trial(settings: Settings, embedder: Embedder, trial: Trial, *, reason: str) -> bool:
    """End a trial badly: what served before it serves again; False if it has ended already.

    Args:
        settings: Where index and runs are.
        embedder: The one that made the served index.
        trial: Whose candidate is to answer nobody any more.
        reason: What the history of models says.

    Raises:
        BusyError: If the index is being built, or somebody else is ending a trial.
    """
    home = settings.runs_folder
    if trial.mode != "all":
        return trials.stop(home, trial, reason=reason)
    with building(home):  # two bots that watch one trial must not go back two steps
        if trials.under_way(home) != trial:
            return False
        if trial.kind == "retriever":
            take_back(settings, embedder, reason=reason)
        else:
            roll_back(home, trial.kind, reason=reason)
        trials.clear(home)
    return True

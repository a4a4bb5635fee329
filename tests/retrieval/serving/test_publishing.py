from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.errors import ModelNotFoundError
from retrieval.registry.runs import (
    Facts,
    ModelKind,
    Run,
    deployments,
    roll_back,
    serving,
    write_run,
)
from retrieval.registry.trials import under_way
from retrieval.serving.publishing import end_trial, serve, try_run
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder


def trained(settings: Settings, kind: ModelKind = "generator") -> Run:
    facts = Facts("words", "d", 0, "1")
    return write_run(settings.runs_folder, kind, facts, lambda to: to.joinpath("a.json").touch())


def test_a_run_is_tried_published_and_withdrawn(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    run = trained(settings)
    trial = try_run(settings, run, share=0.2, reason="eased in")
    done = serve(settings, "generator", run, reason="it did well")
    assert (done.before, done.after) == ("base", run.id)
    found = under_way(settings.runs_folder)
    assert found is not None
    assert (found.mode, found.since) == ("all", trial.since)
    serve(settings, "generator", None, reason="a doubt")
    assert under_way(settings.runs_folder) is None
    hows = [change.how for change in deployments(settings.runs_folder)]
    assert hows == ["trial", "publish", "rollback"]


def test_publishing_another_run_completes_no_trial(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    tried, other = trained(settings), trained(settings)
    try_run(settings, tried, share=0.2, reason="eased in")
    serve(settings, "generator", other, reason="better")
    assert under_way(settings.runs_folder) is None


def test_what_answers_nothing_is_not_tried(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(ModelNotFoundError, match="cannot be tried"):
        try_run(settings, trained(settings, "triage"), share=0.2, reason="eased in")


def test_publishing_again_what_was_rolled_back_revives_no_trial(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    run = trained(settings)
    try_run(settings, run, share=0.2, reason="eased in")
    serve(settings, "generator", run, reason="it did well")
    roll_back(settings.runs_folder, "generator", reason="a doubt")
    serve(settings, "generator", run, reason="no doubt")
    assert under_way(settings.runs_folder) is None


def test_a_trial_that_two_watch_is_taken_back_one_step(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first, second = trained(settings), trained(settings)
    serve(settings, "generator", first, reason="better")
    try_run(settings, second, share=0.2, reason="eased in")
    serve(settings, "generator", second, reason="it did well")
    trial = under_way(settings.runs_folder)
    assert trial is not None
    ended = [end_trial(settings, WordEmbedder(), trial, reason="a doubt") for _ in range(2)]
    assert ended == [True, False]
    assert serving(settings.runs_folder, "generator") == first

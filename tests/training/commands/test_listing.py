from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.registry.runs import CHANGES, Facts, Run, folder_of, publish, retire, write_run
from retrieval.registry.trials import begin
from retrieval.settings import Settings
from tests.training.gate.test_decision import BETTER, SERVED, decision
from training.commands.listing import card, listed
from training.gate import report
from training.gate.decision import QuestionOutcome


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def run_of(settings: Settings, candidate: list[QuestionOutcome] | None = None) -> Run:
    facts = Facts("tiny@1", "c0ffee", 7, "0.1", {"rank": 8}, {"loss": 0.5})
    run = write_run(settings.runs_folder, "generator", facts, lambda to: (to / "a.json").touch())
    if candidate is not None:
        report.save(folder_of(settings.runs_folder, run), decision(SERVED, candidate), title="")
    return run


def lines_of(settings: Settings, run: Run) -> str:
    return next(line for line in listed(settings) if run.id in line)


def test_the_list_says_what_the_gate_said(settings: Settings) -> None:
    good, bad, unjudged = run_of(settings, BETTER), run_of(settings, SERVED), run_of(settings)
    assert lines_of(settings, good).endswith("passed: +0.100 on 60 questions")
    assert "stopped: the gain on held-out" in lines_of(settings, bad)
    assert lines_of(settings, unjudged).endswith("not judged")


def test_the_list_stars_what_serves_and_says_what_is_tried_or_retired(settings: Settings) -> None:
    serves, on_trial, retired = (run_of(settings, BETTER) for _ in range(3))
    publish(settings.runs_folder, serves, reason="better")
    begin(settings.runs_folder, on_trial, share=0.2, reason="try it")
    retire(settings.runs_folder, retired, reason="somebody was forgotten")
    assert lines_of(settings, serves).startswith("* generator")
    assert lines_of(settings, on_trial).endswith("on trial in 20% of the threads")
    assert lines_of(settings, retired).endswith("retired: somebody was forgotten")
    assert any("generator: base -> " in line and "better" in line for line in listed(settings))


def test_a_card_tells_where_a_run_comes_from_and_what_came_of_it(settings: Settings) -> None:
    run = run_of(settings, BETTER)
    publish(settings.runs_folder, run, reason="better")
    text = "\n".join(card(settings, run))
    for told in ("serves, passed", "seed 7", "tiny@1", "dataset/c0ffee", "rank: 8", "loss: 0.5"):
        assert told in text
    assert f"a.json sha256 {run.files['a.json']}" in text.replace("\n" + " " * 10, " ")
    assert f"{CHANGES}, gate.json, gate.md, gate.png" in text
    assert "| must not get worse |" in text

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from retrieval.cli import whimbrel
from retrieval.registry.rounds import all_rounds, from_line
from retrieval.registry.runs import serving
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings
from tests.training import jargon
from training.commands.train import train
from training.rounds.learners import LEARNERS


def said(home: Path, *arguments: str) -> str:
    models = {"WHIMBREL_EMBEDDER": "all-minilm-l6-v2", "WHIMBREL_GENERATOR": "none"}
    environment = {"WHIMBREL_HOME": str(home), **models}
    result = CliRunner().invoke(whimbrel, arguments, env=environment, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.slow
def test_a_round_learns_judges_publishes_and_is_not_repeated(tmp_path: Path) -> None:
    model = Embedder.load(Settings(embedder="all-minilm-l6-v2"))
    settings = jargon.build(tmp_path, model)
    dataset = jargon.write_dataset(tmp_path / "dataset", settings, model)
    first = said(settings.home, "learn", "--dataset", str(dataset), "--learner", "map")
    run = serving(settings.runs_folder, "retriever")
    assert run is not None
    assert "map: Passed: better on held-out questions, and worse nowhere. (+0." in first
    assert f"{run.id} serves now" in first
    again = said(settings.home, "learn", "--dataset", str(dataset), "--learner", "map")
    assert "map: nothing new since it was last tried: Passed" in again
    assert len(all_rounds(settings.runs_folder)) == 2
    back = said(settings.home, "rollback")
    assert "documents: 0 added, 0 changed, 0 removed" in back
    assert f"base serves as retriever again, in place of {run.id}" in back
    assert serving(settings.runs_folder, "retriever") is None


@pytest.mark.slow
def test_a_log_without_ratings_is_not_enough_yet_and_no_error(tmp_path: Path) -> None:
    done = from_line(said(tmp_path, "learn", "--json"))
    assert [attempt.learner for attempt in done.tries] == [
        "confidence",
        "map",
        "retriever",
        "abstention",
    ]
    assert {(attempt.state, attempt.missing == attempt.needed) for attempt in done.tries} == {
        ("too_few", True)
    }
    assert (tmp_path / "dataset" / done.dataset / "card.md").is_file()


def test_a_learner_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path) -> None:
    environment = {"WHIMBREL_HOME": str(tmp_path)}
    result = CliRunner().invoke(whimbrel, ["learn", "--learner", "mapp"], env=environment)
    assert result.exit_code == 2
    assert "there are: confidence, map" in result.stderr


def test_every_learner_is_a_sub_command_of_train() -> None:
    assert [learner.name for learner in LEARNERS if learner.command[0] not in train.commands] == []

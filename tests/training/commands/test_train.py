from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from training.commands.train import train


def test_votes_teach_a_generator_only_when_somebody_insists(tmp_path: Path) -> None:
    done = CliRunner().invoke(train, ["generator", str(tmp_path), "--method", "kto"])
    assert done.exit_code == 2
    assert "--even-if-it-learns-to-refuse" in done.output


def test_learning_together_needs_to_know_whom_to_trust(tmp_path: Path) -> None:
    command = ["abstention", str(tmp_path), "--federated", "localhost:9092"]
    done = CliRunner().invoke(train, command)
    assert done.exit_code == 2
    assert "--authority and --token-file" in done.output
    alone = CliRunner().invoke(train, ["abstention", str(tmp_path), "--secret"])
    assert alone.exit_code == 2
    assert "go with --federated" in alone.output


def test_an_epsilon_that_promises_nothing_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(train, ["generator", str(tmp_path), "--dp", "100"])
    assert done.exit_code == 2
    assert "0<x<=20" in done.output


def test_the_confidence_refuses_twins_whose_answers_nobody_rated(tmp_path: Path) -> None:
    done = CliRunner().invoke(train, ["confidence", str(tmp_path), "--augment"])
    assert done.exit_code == 2
    assert "train abstention --augment" in done.output

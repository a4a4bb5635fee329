from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from retrieval.commands import rollback
from retrieval.registry.runs import Facts, write_run
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings
from tests.training import jargon
from training.commands.runs import models, publish
from training.commands.train import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model() -> Embedder:
    return Embedder.load(Settings(embedder="all-minilm-l6-v2"))


@pytest.fixture
def dataset(tmp_path: Path, model: Embedder, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings = jargon.build(tmp_path, model)
    monkeypatch.setenv("WHIMBREL_HOME", str(settings.home))
    monkeypatch.setenv("WHIMBREL_EMBEDDER", settings.embedder)
    return jargon.write_dataset(tmp_path / "dataset", settings, model)


def said(*arguments: str) -> str:
    commands = {"train": train, "publish": publish, "models": models, "rollback": rollback}
    command = commands[arguments[0]]
    result = CliRunner().invoke(command, arguments[1:], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_a_map_is_trained_published_listed_and_taken_back(dataset: Path) -> None:
    trained = said("train", "map", str(dataset))
    assert "Passed: better on held-out questions" in trained
    run = trained.rsplit("whimbrel publish ", 1)[1].strip()
    assert run in said("publish", run, "--reason", "the gate passed it")
    assert f"* retriever {run}" in said("models")
    said("publish", "base")
    assert f"{run} is on trial as retriever beside base" in said("publish", run, "--shadow")
    assert f"  retriever {run}" in said("models")
    listed = said("models")
    assert f"  retriever {run}" in listed
    assert f"base -> {run}: the gate passed it" in listed
    assert "as configured" in listed


def test_a_run_of_another_kind_is_published_and_withdrawn(dataset: Path) -> None:
    home = Settings(home=dataset.parent / "home").runs_folder
    facts = Facts("tiny", "0123", 0, "1")
    run = write_run(home, "generator", facts, lambda to: to.joinpath("a.json").touch())
    assert f"{run.id} serves as generator, in place of base" in said("publish", run.id, "--force")
    assert f"* generator {run.id}" in said("models")
    assert "base serves as generator again" in said("rollback", "--kind", "generator")
    said("publish", run.id, "--force")
    assert "base serves as generator" in said("publish", "base", "--kind", "generator")
    assert f"  generator {run.id}" in said("models")

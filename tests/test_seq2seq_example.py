"""The commands of examples/seq2seq/README.md, with a model so small that it learns nothing."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from examples.seq2seq import attention, train
from retrieval.cli import whimbrel
from retrieval.registry.runs import all_runs, pointed
from retrieval.settings import Settings, load_settings
from tests.retrieval.llm.tiny_models import save_seq2seq

ROOT = Path(__file__).parent.parent
README = (ROOT / "examples/seq2seq/README.md").read_text(encoding="utf-8")
ASKED = 6
PROGRAMS: dict[str, click.Command] = {
    "whimbrel": whimbrel,
    "examples.seq2seq.train": train.main,
    "examples.seq2seq.attention": attention.main,
}


def walk() -> list[list[str]]:
    """The commands of the page, as a shell would split them."""
    block = re.search(r"```sh\n(.*?)```", README, re.DOTALL)
    assert block is not None
    return [shlex.split(line, comments=True) for line in block[1].splitlines()]


@pytest.fixture
def run(
    tmp_path: Path, models_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[str]], Result]:
    """Runs a command of the page beside the embedder that is unpacked, in tiny settings."""
    monkeypatch.chdir(ROOT)
    (tmp_path / "models").mkdir()
    for model in (models_home / "models").iterdir():
        (tmp_path / "models" / model.name).symlink_to(model)
    settings = {
        "WHIMBREL_HOME": str(tmp_path),
        "WHIMBREL_GENERATOR": str(save_seq2seq(tmp_path / "generator")),
        "WHIMBREL_ANSWER_TOKENS": "8",
        "WHIMBREL_DEVICE": "cpu",
        "WHIMBREL_THREADS": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    def call(words: list[str]) -> Result:
        if words[0] == "export":
            monkeypatch.setenv(*words[1].split("="))
            words = ["whimbrel", "--version"]
        if words[0] == "python":
            words = words[2:]
        name, *rest = (filled(word, tmp_path, load_settings()) for word in words)
        if name == "examples.seq2seq.train":
            rest = [*rest[:1], "--epochs", "0.05", "--width", "16"]
        done = CliRunner().invoke(PROGRAMS[name], rest)
        if rest[:1] == ["export"]:
            shorten(tmp_path / "dataset")
        return done

    return call


def shorten(datasets: Path) -> None:
    """Leave a few questions to be asked: a hundred take minutes."""
    for path in (*datasets.glob("*/held-out.jsonl"), datasets / "regression.jsonl"):
        rows = [row for row in path.read_text("utf-8").splitlines() if '"answer"' in row]
        path.write_text("\n".join(rows[:ASKED]) + "\n", encoding="utf-8")


def filled(word: str, home: Path, settings: Settings) -> str:
    """A word of a command with this test's names in the place of those of the page."""
    if word.endswith("/HASH"):
        (dataset,) = (path for path in settings.dataset_folder.iterdir() if path.is_dir())
        return str(dataset)
    if word == "RUN":
        return all_runs(settings.runs_folder)[-1].id
    return str(home / word) if word.endswith(".png") else word


@pytest.mark.slow
def test_every_command_of_the_page_does_what_it_says(
    run: Callable[[list[str]], Result], tmp_path: Path
) -> None:
    home = tmp_path / "models" / "runs"
    refused = []
    for words in walk():
        done = run(words)
        if done.exit_code:
            assert "the gate has not passed" in str(done.exception)
            refused.append(words)
        if words[-1] == "--force":
            assert pointed(home, "generator") == all_runs(home)[-1].id
    assert refused == [["whimbrel", "publish", "RUN"]]
    assert pointed(home, "generator") == "base"
    assert (tmp_path / "attention.png").stat().st_size > 1_000

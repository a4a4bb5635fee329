"""Tests of what the sub-commands share."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from retrieval.cli import whimbrel
from retrieval.commands import stopped_by_ctrl_c
from retrieval.errors import SettingsError
from retrieval.index.building import update_index
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings
from tests.endpoint_server import EndpointServer
from tests.retrieval.llm import tiny_models
from tests.retrieval.word_embedder import WordEmbedder


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """A shell lets what it starts in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_ctrl_c_stops_the_answer_and_only_then_the_program() -> None:
    with stopped_by_ctrl_c() as is_stopped:
        assert not is_stopped()
        signal.raise_signal(signal.SIGINT)
        assert is_stopped()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_after_an_answer_ctrl_c_ends_the_program_as_ever() -> None:
    with stopped_by_ctrl_c():
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("command", [["search", "leave"], ["ask", "leave"], ["chat"]])
def test_an_audience_that_no_document_has_is_refused_with_the_one_that_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "bands.md").write_text("---\naudience: people-team\n---\nSalary bands.\n")
    update_index([docs], Settings(home=tmp_path / "home"), WordEmbedder())
    monkeypatch.setenv("WHIMBREL_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(whimbrel, [*command, "--audience", "People_team"])
    assert isinstance(done.exception, SettingsError)
    assert str(done.exception) == (
        "no document has the audience label 'People_team'; did you mean people-team?"
    )


def test_a_sync_without_sources_deletes_what_was_read_of_those_that_were_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, docs = tmp_path / "home", tmp_path / "docs"
    docs.mkdir()
    (docs / "leave.md").write_text("27 days")
    monkeypatch.setenv("WHIMBREL_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    with EndpointServer() as server:
        server.dimension = 8
        monkeypatch.setenv("WHIMBREL_EMBEDDER", f"{server.url}/v1#big")
        Path("whimbrel.toml").write_text(f'[sources.a]\nkind = "folder"\npath = "{docs}"\n')
        assert "1 new" in CliRunner().invoke(whimbrel, ["sync"], catch_exceptions=False).output
        assert (home / "sources" / "a").exists()
        Path("whimbrel.toml").write_text("")
        done = CliRunner().invoke(whimbrel, ["sync"], catch_exceptions=False)
    assert not (home / "sources" / "a").exists()
    assert "1 removed" in done.output
    again = CliRunner().invoke(whimbrel, ["sync"])
    assert "names no source" in str(again.exception)


RUN = """
import json, sys
from retrieval.cli import whimbrel
whimbrel(sys.argv[1:], standalone_mode=False)
print(json.dumps([*sys.modules]))
"""
# What takes long to import: what any model may need, what that drags in, and what reads files.
SLOW_TO_IMPORT = {"transformers", "sentence_transformers", "sklearn", "pandas", "datasets", "peft"}
SLOW_TO_IMPORT |= {
    "accelerate",
    "scipy.optimize",
    "sympy",
    "torch._dynamo",
    "slack_sdk",
    "retrieval.documents.loaders",
}


@pytest.fixture(scope="module")
def home(models_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the default embedder, one document and a generator that knows nothing."""
    home = tmp_path_factory.mktemp("home")
    (home / "models").symlink_to(models_home / "models")
    (home / "docs").mkdir()
    (home / "docs/leave.md").write_text("# Leave\n\nA keeper has 27 days of paid leave a year.\n")
    tiny_models.save_causal(home / "generator")
    settings = Settings(home=home)
    update_index([home / "docs"], settings, Embedder.load(settings))
    return home


def run(home: Path, command: str, tier: str) -> subprocess.CompletedProcess[str]:
    """What a command says in a process of its own, and at last what that has imported."""
    environment = {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "WHIMBREL_HOME": str(home),
        "WHIMBREL_GENERATOR": str(home / "generator"),
        "WHIMBREL_TIER": tier,
        "WHIMBREL_ANSWER_TOKENS": "8",
        "WHIMBREL_THRESHOLD": "0",
    }
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-P", "-c", RUN, command, "How many days of paid leave?"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    assert "27 days" in done.stdout
    return done


@pytest.mark.slow
@pytest.mark.parametrize("command", ["search", "ask"])
def test_to_search_and_to_quote_nothing_is_imported_that_runs_any_model_or_reads_files(
    home: Path, command: str
) -> None:
    done = run(home, command, "quotes")
    assert SLOW_TO_IMPORT.isdisjoint(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.slow
def test_loading_what_writes_says_nothing(home: Path) -> None:
    done = run(home, "ask", "capable")
    assert "retrieval.llm.batching" in json.loads(done.stdout.splitlines()[-1])
    assert not done.stderr

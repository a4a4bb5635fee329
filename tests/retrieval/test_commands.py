"""Tests of what the sub-commands share."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from retrieval.cli import whimbrel
from retrieval.commands import stopped_by_ctrl_c
from retrieval.errors import SettingsError
from retrieval.index.building import update_index
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder


def test_ctrl_c_stops_the_answer_and_only_then_the_program() -> None:
    with stopped_by_ctrl_c() as is_stopped:
        assert not is_stopped()
        signal.raise_signal(signal.SIGINT)
        assert is_stopped()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


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

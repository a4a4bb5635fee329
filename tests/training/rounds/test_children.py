from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.settings import Settings
from training.rounds.children import Children, CommandFailedError, TimeUpError


def test_a_child_says_what_the_program_says() -> None:
    (line,) = Children(Settings(), seconds=60).run("--version")
    assert line.startswith("whimbrel, version")


def test_a_child_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHIMBREL_HOME", str(tmp_path))
    with pytest.raises(CommandFailedError, match="no single run 'x'"):
        Children(Settings(), seconds=60).run("publish", "x")


def test_a_child_that_outlives_its_time_is_ended() -> None:
    with pytest.raises(TimeUpError, match="`whimbrel --version` was not done in time"):
        Children(Settings(), seconds=0).run("--version")


@pytest.mark.usefixtures("hostile_folder")
def test_a_child_imports_nothing_from_the_working_folder() -> None:
    said = Children(Settings(), seconds=60).run("--help")
    assert any(line.split()[:1] == ["train"] for line in said)

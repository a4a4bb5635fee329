from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.export.commands import export, import_ratings, summary
from tests.bot.export.test_building import busy_log, frozen
from tests.bot.export.test_rating_folder import ROW, folder_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHIMBREL_HOME", str(tmp_path / "home"))


def test_ratings_are_imported_and_counted(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ROW)
    first = CliRunner().invoke(import_ratings, [str(folder), "--consented"])
    assert "1 answered questions with 1 ratings on 1 passages; 0 were there" in first.output
    again = CliRunner().invoke(import_ratings, [str(folder), "--consented"])
    assert "0 answered questions with 0 ratings on 1 passages; 1 were there" in again.output


def test_ratings_without_consent_are_said_to_teach_nothing(tmp_path: Path) -> None:
    result = CliRunner().invoke(import_ratings, [str(folder_of(tmp_path, ROW))])
    assert "--consented" in result.output


def test_the_help_shows_the_format_line_by_line() -> None:
    lines = CliRunner().invoke(import_ratings, ["--help"]).output.splitlines()
    assert any(line.strip().startswith('{"question": "..."') for line in lines)
    assert "dataset/HASH" in CliRunner().invoke(export, ["--help"]).output


def test_the_summary_counts_what_is_in_and_what_is_out() -> None:
    text = summary(frozen(busy_log()))
    assert "train: " in text
    assert "people, or experts, do not agree on it" in text

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.replay.commands import replay
from bot.store.database import Database
from bot.store.log import ConversationLog
from retrieval.errors import DataError
from retrieval.index.building import update_index
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings
from tests.bot.replay.test_logged import turn

LEAVE = "How many days of paid leave does a keeper have?"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHIMBREL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WHIMBREL_EMBEDDER", "all-minilm-l6-v2")
    monkeypatch.setenv("WHIMBREL_GENERATOR", "none")
    return tmp_path


def documents(folder: Path, days: int) -> Path:
    folder.mkdir()
    text = f"# Leave\n\nA keeper has {days} days of paid leave a year.\n"
    (folder / "leave.md").write_text(text)
    return folder


@pytest.mark.slow
def test_other_documents_are_asked_what_people_asked(home: Path) -> None:
    settings = Settings()
    update_index([documents(home / "docs", 27)], settings, Embedder.load(settings))
    database = Database(settings.database_file)
    ConversationLog(database).add(turn(LEAVE, 1))
    database.close()
    folder = documents(home / "new", 30)
    done = CliRunner().invoke(replay, ["--documents", str(folder)], catch_exceptions=False)
    assert "| an answer from other passages | 1 | 100% |" in done.stdout
    text = (home / "replay" / "replay.md").read_text()
    assert "- now: A keeper has 27 days" in text
    assert "- then: A keeper has 30 days" in text


def test_either_a_run_or_documents_are_named(home: Path) -> None:
    assert "name a RUN" in CliRunner().invoke(replay).stderr
    both = ["some-run", "--documents", str(home)]
    assert "and not both" in CliRunner().invoke(replay, both).stderr


def test_without_a_log_there_is_nothing_to_ask_again(home: Path) -> None:
    done = CliRunner().invoke(replay, ["--documents", str(home)])
    assert isinstance(done.exception, DataError)
    assert "whimbrel serve" in str(done.exception)

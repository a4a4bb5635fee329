from __future__ import annotations

from pathlib import Path

import pytest

from bot.settings import SlackSettings
from retrieval.errors import SettingsError
from retrieval.settings import load_settings, read


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_environment_wins_over_the_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "whimbrel.toml").write_text('hits = 3\nthreshold = 0.6\n[audiences]\n"hr/*" = "hr"\n')
    monkeypatch.setenv("WHIMBREL_HITS", "7")
    settings = load_settings()
    assert (settings.hits, settings.threshold) == (7, 0.6)
    assert settings.audiences == {"hr/*": "hr"}


def test_a_misspelt_setting_is_refused_rather_than_left_out(here: Path) -> None:
    (here / "whimbrel.toml").write_text('[audience]\n"hr/*" = "hr"\n')
    with pytest.raises(SettingsError, match="WHIMBREL_AUDIENCE: there is no such setting"):
        load_settings()


def test_the_bots_table_is_the_bots_alone(here: Path) -> None:
    (here / "whimbrel.toml").write_text("hits = 3\n[slack]\nworkers = 2\n")
    assert load_settings().hits == 3
    assert read(SlackSettings, prefix="SLACK_").workers == 2
    (here / "whimbrel.toml").write_text("[slack]\nadmin = []\n")
    with pytest.raises(SettingsError, match="SLACK_ADMIN: there is no such setting"):
        read(SlackSettings, prefix="SLACK_")

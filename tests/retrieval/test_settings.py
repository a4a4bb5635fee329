from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from bot.settings import SlackSettings
from retrieval.errors import SettingsError
from retrieval.settings import CONFIG_FILE, FileSettings, Settings, load_settings, read
from training.settings import load_learn_settings


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


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("WHIMBREL_AUDIENCE", "; did you mean WHIMBREL_AUDIENCES[?]"),
        ("WHIMBREL_FAVOURITE_COLOUR", ""),
    ],
)
def test_so_is_one_in_the_environment_with_what_may_be_meant(
    monkeypatch: pytest.MonkeyPatch, name: str, hint: str
) -> None:
    monkeypatch.setenv(name, "{}")
    with pytest.raises(SettingsError, match=f"^{name}: there is no such setting{hint}$"):
        load_settings()


@pytest.mark.parametrize(
    "name", ["DOCUMENTS", "LEARN_SHARE", "SERVICE_HOST", "PORT", "PORT_8080_TCP_ADDR"]
)
def test_names_in_the_environment_that_others_read_are_let_be(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"WHIMBREL_{name}", "20")
    assert load_settings() == Settings()


def test_a_misspelt_setting_of_learning_is_refused_by_what_learns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WHIMBREL_LEARN_MINUTE", "20")
    load_settings()
    with pytest.raises(SettingsError, match="did you mean WHIMBREL_LEARN_MINUTES"):
        load_learn_settings()


def test_the_bots_table_is_the_bots_alone(here: Path) -> None:
    (here / "whimbrel.toml").write_text("hits = 3\n[slack]\nworkers = 2\n")
    assert load_settings().hits == 3
    assert read(SlackSettings, prefix="SLACK_").workers == 2
    (here / "whimbrel.toml").write_text("[slack]\nadmin = []\n")
    with pytest.raises(SettingsError, match="SLACK_ADMIN: there is no such setting"):
        read(SlackSettings, prefix="SLACK_")


@pytest.mark.parametrize("label", ['""', '" "', '"Public"', '"hr, board"', "7", "true", '["hr"]'])
def test_a_rule_whose_label_is_not_sure_is_refused(here: Path, label: str) -> None:
    (here / "whimbrel.toml").write_text(f'[audiences]\n"hr/*" = {label}\n')
    with pytest.raises(SettingsError, match="WHIMBREL_AUDIENCES"):
        load_settings()


@pytest.mark.parametrize("name", ["database", "index"])
@pytest.mark.parametrize("address", ["a:sesame@h/d", "h/d?password=sesame", "a:ses[ame@h/d"])
def test_a_password_of_postgres_does_not_stand_in_the_file(
    here: Path, name: str, address: str
) -> None:
    (here / "whimbrel.toml").write_text(f'{name} = "postgresql://{address}"\n')
    with pytest.raises(SettingsError, match="no place for a password") as caught:
        load_settings()
    assert address not in str(caught.value)


@pytest.mark.parametrize("given", ["*", "a, b", '["a"'])
def test_a_list_in_the_environment_that_is_no_json_is_told_by_the_settings_name(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("WHIMBREL_LINK_HOSTS", given)
    with pytest.raises(SettingsError, match=r'WHIMBREL_LINK_HOSTS: this is no JSON.*\["a", "b"\]'):
        load_settings()


@pytest.mark.parametrize("name", ["index", "database"])
@pytest.mark.parametrize("address", ["bot:secret@db.example/w", "db.example/w?password=secret"])
def test_the_file_is_no_place_for_the_password_of_a_postgres(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    CONFIG_FILE.write_text(f'{name} = "postgresql://{address}"\n')
    with pytest.raises(SettingsError, match=f"{name}: this file is no place") as told:
        load_settings()
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("name", ["INDEX", "DATABASE"])
def test_an_address_of_a_postgres_that_is_set_is_not_empty(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"WHIMBREL_{name}", "")
    with pytest.raises(SettingsError, match=rf"WHIMBREL_{name}: .*wanted .*postgresql://"):
        load_settings()


class OldSettings(FileSettings):
    model_config = SettingsConfigDict(env_prefix="OLD_", toml_file=CONFIG_FILE, extra="forbid")
    pages: int = Field(3, json_schema_extra={"instead": "set OLD_PASSAGES"})
    passages: int = 3

    @staticmethod
    def own_part(values: dict[str, Any]) -> dict[str, Any]:
        table: dict[str, Any] = values.get("old", {})
        return table


def test_a_deprecated_setting_is_told_in_one_line_once_it_is_set(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OLD_PASSAGES", "4")
    read(OldSettings, prefix="OLD_")
    assert caplog.messages == []
    monkeypatch.setenv("OLD_PAGES", "4")
    assert [read(OldSettings, prefix="OLD_").pages for _ in range(2)] == [4, 4]
    assert caplog.messages == ["OLD_PAGES will go in a later release: set OLD_PASSAGES"]

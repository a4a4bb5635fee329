from __future__ import annotations

from pathlib import Path

import pytest

from bot.settings import read_slack_settings
from bot.workspaces.places import Place, shared_environment
from retrieval.errors import SettingsError
from retrieval.settings import load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLACK_CLIENT_ID", "1.2")


def environment(team: str = "T1") -> dict[str, str]:
    settings = load_settings()
    return Place(settings.home, team).environment(
        shared_environment(settings, read_slack_settings())
    )


def test_what_is_set_for_all_is_passed_on_and_what_is_the_doors_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "whimbrel.toml").write_text(
        'generator = "none"\nhits = 7\n[slack]\nprompts = ["a", "b"]\nclient_secret = "x"\n'
    )
    for name in ("SLACK_APP_TOKEN", "SLACK_CLIENT_SECRET", "WHIMBREL_SOURCE_WIKI_TOKEN"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("SLACK_REDACT", "secrets")
    passed = environment()
    wanted = {
        "WHIMBREL_GENERATOR": "none",
        "WHIMBREL_HITS": "7",
        "SLACK_PROMPTS": '["a", "b"]',
        "SLACK_REDACT": "secrets",
        "WHIMBREL_HOME": str(tmp_path / ".whimbrel/workspaces/T1"),
        "SLACK_BOT_TOKEN": f"@{tmp_path / '.whimbrel/workspaces/T1/slack-token'}",
        "SLACK_ONLY_TEAM": "T1",
        "SLACK_HEALTH_PORT": "0",
    }
    assert passed.items() >= wanted.items()
    assert "secret" not in passed.values()
    assert not {"SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"} & passed.keys()
    for name, value in passed.items():
        monkeypatch.setenv(name, value)
    assert (load_settings().hits, read_slack_settings().prompts) == (7, ("a", "b"))


@pytest.mark.parametrize(
    "name", ["SLACK_ADMINS", "SLACK_USER_AUDIENCES", "SLACK_BOT_TOKEN", "WHIMBREL_SOURCES"]
)
def test_what_means_somebody_else_elsewhere_is_not_set_for_all(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = {"SLACK_ADMINS": '["U1"]', "SLACK_BOT_TOKEN": "xoxb-1"}.get(name, "{}")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name} is about one workspace"):
        environment()


@pytest.mark.parametrize("name", ["DATABASE", "INDEX"])
def test_a_postgres_is_not_shared(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for shared in (
        "postgresql://{team}@db/all",
        "postgresql://whimbrel:{team}@db",
        "postgresql://db/all?application_name={team}",
        "postgresql://db/whimbrel_{team}?dbname=all",
        "postgresql://db/whimbrel_{team}?dbname={team}&%64bname=all",
        "postgresql://db/whimbrel_{team}?dbname=",
    ):
        monkeypatch.setenv(f"WHIMBREL_{name}", shared)
        with pytest.raises(SettingsError, match=f"WHIMBREL_{name}: all workspaces would share it"):
            environment()
    for apart in (
        "postgresql://whimbrel@db/whimbrel_{team}",
        "postgresql://whimbrel:p?w@db/whimbrel_{team}?connect_timeout=3",
        "postgresql://db/all?application_name=one&dbname=whimbrel_{team}",
        "postgresql:///?dbname=whimbrel_{team}",
    ):
        monkeypatch.setenv(f"WHIMBREL_{name}", apart)
        assert environment("T2")[f"WHIMBREL_{name}"] == apart.replace("{team}", "T2")


@pytest.mark.parametrize("name", ["whimbrel_database", "Whimbrel_Index"])
def test_a_postgres_is_not_shared_however_its_setting_is_written(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "postgresql://db/whimbrel_{team}")
    monkeypatch.setenv("slack_app_token", "xapp-1")
    passed = environment("T2")
    assert passed[name.upper()] == "postgresql://db/whimbrel_T2"
    assert not {name, "slack_app_token", "SLACK_APP_TOKEN"} & passed.keys()


def test_a_file_with_the_address_is_one_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHIMBREL_DATABASE", "@/etc/whimbrel/{team}")
    assert environment("T2")["WHIMBREL_DATABASE"] == "@/etc/whimbrel/T2"
    monkeypatch.setenv("WHIMBREL_DATABASE", "@/etc/{team}/../database")
    with pytest.raises(SettingsError, match="all workspaces would share it"):
        environment()


@pytest.mark.parametrize(
    "text",
    [
        'home = "../T2"',
        'database = "@/etc/database"',
        'index = "postgresql://db/one"',
        '[slack]\napp_token = "xapp-1"',
        "[slack",
        "slack = 1",
        "api = 3",
    ],
)
def test_a_workspaces_own_settings_bring_nothing_of_another_one_in(
    text: str, tmp_path: Path
) -> None:
    place = Place(tmp_path, "T1")
    place.write_token("xoxb-1")
    (place.folder / "whimbrel.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"T1/whimbrel\.toml"):
        place.own_settings()


def test_a_workspace_may_have_ports_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_HEALTH_PORT", "8080")
    monkeypatch.setenv("WHIMBREL_API_LISTEN_PORT", "8090")
    place = Place(tmp_path / ".whimbrel", "T1")
    place.write_token("xoxb-1")
    ports = "[slack]\nhealth_port = 8081\n[api]\nlisten_port = 8091\n"
    (place.folder / "whimbrel.toml").write_text(ports)
    names = {"SLACK_HEALTH_PORT", "WHIMBREL_API_LISTEN_PORT", "WHIMBREL_API_SERVE"}
    assert not names & environment().keys()
    assert (
        environment("T2").items()
        >= {"SLACK_HEALTH_PORT": "0", "WHIMBREL_API_SERVE": "false"}.items()
    )


@pytest.mark.parametrize("team", ["", "..", "T1/../T2", "E1", "t1", "T1\n"])
def test_what_is_no_workspaces_id_is_no_folder(team: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="wanted a workspace's id"):
        Place(tmp_path, team)

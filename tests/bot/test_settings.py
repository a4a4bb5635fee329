from __future__ import annotations

from pathlib import Path

import pytest

from bot.settings import load_api_settings, load_slack_settings, read_slack_settings
from retrieval.errors import SettingsError
from retrieval.private import write_private
from retrieval.settings import load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("BOT_TOKEN", "APP_TOKEN", "SIGNING_SECRET", "WORKERS", "ADMINS"):
        monkeypatch.delenv(f"SLACK_{name}", raising=False)


def test_a_missing_bot_token_is_named_with_the_place_to_find_it() -> None:
    with pytest.raises(SettingsError, match=r"SLACK_BOT_TOKEN is not set.*OAuth & Permissions"):
        load_slack_settings()


def test_a_token_of_the_wrong_kind_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xapp-secret")
    with pytest.raises(SettingsError, match="does not start with xoxb-") as raised:
        load_slack_settings()
    assert "xapp-secret" not in str(raised.value)


def test_one_of_the_two_ways_to_be_reached_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    with pytest.raises(SettingsError, match=r"SLACK_APP_TOKEN is not set.*SLACK_SIGNING_SECRET"):
        load_slack_settings(with_door=True)
    assert load_slack_settings().token == "xoxb-1"  # a dashboard looks people up, and no more
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "s")
    assert load_slack_settings(with_door=True).mode == "http"
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-1")
    assert load_slack_settings(with_door=True).mode == "socket"


def test_the_table_slack_of_the_file_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "whimbrel.toml").write_text(
        'hits = 3\n[slack]\nbot_token = "xoxb-1"\nsigning_secret = "s"\nworkers = 2\n'
        'admins = ["U1"]\n[slack.channel_audiences]\nC1 = ["hr"]\n'
    )
    monkeypatch.setenv("SLACK_WORKERS", "3")
    settings = load_slack_settings()
    assert (settings.workers, settings.admins) == (3, ("U1",))
    assert settings.channel_audiences == {"C1": ("hr",)}


def test_a_token_may_stand_in_a_file_and_be_rotated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_private(tmp_path / "token", "xoxe.xoxb-1")
    monkeypatch.setenv("SLACK_BOT_TOKEN", f"@{tmp_path / 'token'}")
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "s")
    settings = load_slack_settings()
    write_private(tmp_path / "token", "xoxe.xoxb-2")
    assert settings.token == "xoxe.xoxb-2"
    (tmp_path / "token").chmod(0o644)
    with pytest.raises(SettingsError, match=r"SLACK_BOT_TOKEN: .* can be read by others"):
        load_slack_settings()


def test_a_file_without_the_table_is_fine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "whimbrel.toml").write_text("hits = 3\n")
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "s")
    assert load_slack_settings().workers == 8


def test_a_value_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_WORKERS", "0")
    with pytest.raises(SettingsError, match="SLACK_WORKERS"):
        load_slack_settings()


@pytest.mark.parametrize("address", ["http://bot.example/slack/oauth_redirect", "https:///slack"])
def test_slack_leads_back_to_nothing_but_a_host_over_tls(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("SLACK_REDIRECT_URI", address)
    with pytest.raises(SettingsError, match=r"SLACK_REDIRECT_URI: .*wanted https://HOST"):
        read_slack_settings()
    monkeypatch.setenv("SLACK_REDIRECT_URI", "https://bot.example/slack/oauth_redirect")
    assert read_slack_settings().redirect_uri == "https://bot.example/slack/oauth_redirect"


def test_no_token_is_ever_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-secret")
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-secret")
    assert "secret" not in repr(load_slack_settings()).replace("signing_secret", "")


def test_a_name_like_that_of_a_setting_is_warned_of_and_one_of_other_tools_is_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in {"BOT_TOKEN": "xoxb-1", "APP_TOKEN": "xapp-1", "ADMIN": '["U1"]'}.items():
        monkeypatch.setenv(f"SLACK_{name}", value)
    monkeypatch.setenv("SLACK_API_TOKEN", "xoxp-1")
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "https://example.com")
    load_slack_settings()
    assert caplog.messages == ["SLACK_ADMIN: there is no such setting; did you mean SLACK_ADMINS?"]


@pytest.mark.parametrize(
    "line",
    [
        'channel_audiences."#hr" = ["hr"]',
        "user_audiences.u1 = ['hr']",
        "user_audiences.U1 = ['']",
        "group_audiences.'People team' = ['hr']",
        "guest_audiences = ['Public']",
    ],
)
def test_who_reads_what_is_granted_by_ids_and_labels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    (tmp_path / "whimbrel.toml").write_text(f"[slack]\n{line}\n")
    with pytest.raises(SettingsError, match=r"_AUDIENCES: .*(wanted the id|audience is)"):
        load_slack_settings()


def test_what_kubernetes_says_of_a_service_of_that_name_is_no_setting_of_the_api(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WHIMBREL_API_PORT", "tcp://10.0.0.1:80")
    monkeypatch.setenv("WHIMBREL_API_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("WHIMBREL_API_LISTEN_PORT", "8091")
    assert load_api_settings().listen_port == 8091
    load_settings()

from __future__ import annotations

from pathlib import Path

import pytest

from bot.app.doctor import checks as checks_of_one
from bot.settings import read_slack_settings
from bot.workspaces.doctor import checks
from bot.workspaces.installed import FILE, Installed
from bot.workspaces.places import Place
from retrieval.doctor import Finding
from retrieval.errors import DataError
from retrieval.settings import load_settings
from tests.bot.workspaces.conftest import Company
from tests.slack_installs import CLIENT_ID, CLIENT_SECRET
from tests.slack_server import SECRET


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHIMBREL_HOME", str(tmp_path / "home"))


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("SLACK_CLIENT_SECRET", CLIENT_SECRET)
    monkeypatch.setenv("SLACK_SIGNING_SECRET", SECRET)


def told() -> dict[str, Finding]:
    return {finding.found: finding for finding in checks()}


def test_where_the_app_is_for_one_workspace_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert told() == {}
    assert not (tmp_path / "home").exists()


@pytest.mark.usefixtures("app")
def test_what_is_missing_to_serve_several_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHIMBREL_DATABASE", "postgresql://db/whimbrel_{team}")
    assert list(told()) == ["no workspace has the app yet"]
    assert list(checks_of_one()) == []
    assert not (tmp_path / "home").exists()
    monkeypatch.setenv("SLACK_ADMINS", '["U1"]')
    assert "SLACK_ADMINS is about one workspace" in told()["not served"].mend
    monkeypatch.delenv("SLACK_CLIENT_SECRET")
    assert told()["not served"].mend.startswith("SLACK_CLIENT_SECRET is not set")


@pytest.mark.usefixtures("app")
def test_a_damaged_list_of_workspaces_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / FILE).write_text("no database at all, but a text\n" * 99)
    with pytest.raises(DataError, match=r"installations\.db is damaged"):
        told()


def test_one_of_several_workspaces_needs_no_way_in_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path / "home", "T1")
    place.write_token("xoxb-1")
    for name, value in place.environment({}).items():
        monkeypatch.setenv(name, value)
    (slack,) = [finding for finding in checks_of_one() if finding.name == "slack"]
    assert (slack.state, slack.mend) == ("ok", "")
    monkeypatch.setenv("SLACK_ONLY_TEAM", "T2")
    (slack,) = [finding for finding in checks_of_one() if finding.name == "slack"]
    assert "SLACK_APP_TOKEN is not set" in slack.mend


@pytest.mark.slow
@pytest.mark.usefixtures("app")
async def test_what_is_wrong_with_a_workspace_is_told_and_what_can_be_is_mended(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.slack.expires_in = 0
    await company.open()
    for team in ("T1", "T2"):
        await company.install(team)
    installed = Installed(load_settings(), read_slack_settings())
    installed.file.chmod(0o644)
    (installed.place("T2").folder / "whimbrel.toml").write_text('home = "/"')
    monkeypatch.setenv("SLACK_ALLOWED_TEAMS", '["T2"]')
    found = told()
    (readable,) = [finding for finding in found.values() if finding.fix]
    assert readable.fix is not None
    readable.fix()
    assert installed.file.stat().st_mode & 0o777 == 0o600
    assert "T1 has the app and is not served" in found
    assert "T2: its token was not renewed in time" in found
    assert "not for one workspace alone to say" in found["T2 is not served"].mend

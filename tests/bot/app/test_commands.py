from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.app.commands import audience, report, serve
from retrieval.errors import DataError, SettingsError
from retrieval.sources.connector import Remote
from retrieval.sources.mirror import Mirror, label_of
from tests.slack_server import APP_TOKEN, BOT_TOKEN, Fault, SlackServer


def test_serve_without_a_token_says_which_and_where(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLACK_BOT_TOKEN", raising=False)
    result = CliRunner().invoke(serve)
    assert isinstance(result.exception, SettingsError)
    assert "SLACK_BOT_TOKEN is not set" in str(result.exception)


def test_a_report_needs_a_bot_that_was_asked_something(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WHIMBREL_HOME", str(tmp_path / "home"))
    result = CliRunner().invoke(report)
    assert isinstance(result.exception, DataError)
    assert "whimbrel serve" in str(result.exception)
    assert not (tmp_path / "home").exists()


def test_the_help_of_serve_waits_for_no_library() -> None:
    code = (
        "import sys, bot.app.commands; "
        "print(sorted({'slack_bolt', 'aiohttp', 'torch', 'pydantic'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert said.stdout.strip() == "[]"


def keep_for(email: str, folder: Path) -> str:
    """Keep a document of a source for one reader; its label."""
    readers = frozenset({email})
    with closing(Mirror(folder, folder.name)) as mirror:
        body = mirror.write("Page.md", b"text")
        mirror.keep(Remote("1", "1", "Page.md", "Page", "", readers=readers), body, 1)
    return label_of(folder.name, readers)


@pytest.mark.slow
async def test_a_terminal_tells_what_somebody_may_read_and_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "whimbrel.toml").write_text("[slack.group_audiences]\nS1 = ['hr']\n")
    async with SlackServer() as slack:
        slack.groups["S1"] = {"handle": "people-team", "users": ["U1"]}
        slack.users["U1"]["profile"] = {"email": "ada@example.com"}
        label = keep_for("ada@example.com", tmp_path / ".whimbrel" / "sources" / "wiki")
        monkeypatch.setenv("SLACK_BOT_TOKEN", BOT_TOKEN)
        monkeypatch.setenv("SLACK_APP_TOKEN", APP_TOKEN)
        monkeypatch.setenv("SLACK_API_URL", slack.api_url)
        said = await asyncio.to_thread(CliRunner().invoke, audience, ["U1"])
        assert "`U1`, a full member, may read" in said.output
        assert "`hr`: in the user group `S1`" in said.output
        assert f"`{label}`: by their e-mail address at the source `wiki`" in said.output
        slack.fail("users.info", *[Fault("throttled")] * 6)
        said = await asyncio.to_thread(CliRunner().invoke, audience, ["U1"])
        assert isinstance(said.exception, DataError)

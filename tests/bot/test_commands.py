from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.commands import serve
from retrieval.errors import SettingsError

def test_serve_without_a_token_says_which_and_where(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLACK_BOT_TOKEN", raising=False)
    result = CliRunner().invoke(serve)
    assert isinstance(result.exception, SettingsError)
    assert "SLACK_BOT_TOKEN is not set" in str(result.exception)


def test_the_help_of_serve_waits_for_no_library() -> None:
    code = (
        "import sys, bot.commands; "
        "print(sorted({'slack_bolt', 'aiohttp', 'torch', 'pydantic'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert said.stdout.strip() == "[]"

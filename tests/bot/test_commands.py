from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.commands import serve, summary
from retrieval.documents import Failure
from retrieval.errors import SettingsError
from retrieval.indexing import IndexReport

REPORT = IndexReport(
    added=3,
    changed=1,
    removed=0,
    unchanged=40,
    passages=812,
    embedded=30,
    failures=tuple(Failure(f"docs/{n}.pdf", "is empty") for n in range(12)),
    seconds=12.4,
    generation="g1",
)


def test_serve_without_a_token_says_which_and_where(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLACK_BOT_TOKEN", raising=False)
    result = CliRunner().invoke(serve)
    assert isinstance(result.exception, SettingsError)
    assert "SLACK_BOT_TOKEN is not set" in str(result.exception)


def test_a_summary_counts_documents_and_names_the_first_failures() -> None:
    lines = summary(REPORT).splitlines()
    assert lines[0] == "3 added, 1 changed, 0 removed, 40 unchanged; 812 passages, 12 s."
    assert lines[1] == "Not read: docs/0.pdf (is empty)"
    assert lines[-1] == "and 2 more"


def test_the_help_of_serve_waits_for_no_library() -> None:
    code = (
        "import sys, bot.commands; "
        "print(sorted({'slack_bolt', 'aiohttp', 'torch', 'pydantic'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert said.stdout.strip() == "[]"

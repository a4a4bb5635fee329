"""`whimbrel keys`, as somebody types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.store.audit import AuditLog
from bot.store.database import Database
from retrieval.cli import whimbrel


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHIMBREL_HOME", str(tmp_path))
    return tmp_path


def keys(*arguments: str) -> Result:
    return CliRunner().invoke(whimbrel, ["keys", *arguments])


def test_a_key_is_shown_once_and_listed_without_its_secret() -> None:
    limits = ("--per-minute", "60", "--per-month", "9000", "--expires", "2099-12-31", "--expert")
    made = keys("create", "web", "--audience", "hr", *limits)
    secret = made.stdout.strip()
    assert secret.startswith("whimbrel_")
    assert "no document has the audience label 'hr' yet" in made.stderr
    listed = keys("list").stdout
    assert "web: valid; sees hr, public; 60 a minute; 9000 a month; decides as an expert" in listed
    assert "until 2099-12-31" in listed
    assert secret not in listed


def test_what_is_done_with_keys_is_audited(home: Path) -> None:
    keys("create", "web", "--audience", "hr")
    keys("revoke", "web")
    keys("revoke", "web")
    database = Database(home / "whimbrel.db")
    rows = list(AuditLog(database).rows())[1:]
    database.close()
    assert [(row["act"], row["channel"], row["details"]) for row in rows] == [
        ("key", "api:web", '{"audience": ["hr", "public"], "deed": "created"}'),
        ("key", "api:web", '{"audience": ["hr", "public"], "deed": "revoked"}'),
    ]
    assert "web: revoked" in keys("list").stdout


def test_a_key_that_there_is_not_cannot_be_revoked() -> None:
    keys("create", "intranet")
    failed = keys("revoke", "intrnet")
    assert "did you mean intranet?" in str(failed.exception)


def test_the_usage_is_a_table_even_if_nothing_was_used() -> None:
    assert keys("usage").stdout.split("\t")[:3] == ["name", "month", "questions"]


def test_a_day_that_is_over_and_a_month_that_is_none_are_refused() -> None:
    late = keys("create", "web", "--expires", "2020-01-31")
    assert late.exit_code == 2
    assert "that day is over" in late.stderr
    assert keys("list").stdout == ""
    assert keys("usage", "--month", "2026-13").exit_code == 2
    assert keys("usage", "--month", "2026-1").exit_code == 0

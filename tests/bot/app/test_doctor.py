"""Tests of what `whimbrel doctor` finds of the bot's database, and mends."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from bot.app.doctor import LOG_MB, checks
from bot.store.database import Database
from retrieval.commands import doctor
from retrieval.doctor import Finding

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A database in a home; it is open, as by a bot that serves."""
    monkeypatch.setenv("WHIMBREL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WHIMBREL_GENERATOR", "none")
    path = tmp_path / "home" / "whimbrel.db"
    opened = Database(path)
    yield path
    opened.close()


def findings() -> list[Finding]:
    return [finding for finding in checks() if finding.name == "database" and finding.fix]


def test_a_database_that_others_can_read_is_closed(database: Path) -> None:
    database.chmod(0o644)
    (found,) = findings()
    assert found.fix is not None
    found.fix()
    assert database.stat().st_mode & 0o777 == 0o600
    assert findings() == []


@pytest.fixture
def long_log(database: Path) -> Path:
    """What was written last, and is not in the database itself; a reader has kept it from that."""
    with closing(sqlite3.connect(database)) as reader, closing(sqlite3.connect(database)) as writer:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM inbox").fetchone()
        writer.execute("CREATE TABLE filling (body BLOB)")
        for _ in range(LOG_MB + 8):
            writer.execute("INSERT INTO filling VALUES (zeroblob(1000000))")
            writer.commit()
        (busy,) = findings()
        assert busy.fix is not None
        with pytest.raises(Exception, match="somebody reads"):
            busy.fix()
    return database.with_name("whimbrel.db-wal")


@pytest.mark.slow
def test_a_long_log_is_brought_in_once_nobody_reads(long_log: Path) -> None:
    assert long_log.stat().st_size > LOG_MB * 1e6
    (found,) = findings()
    assert found.fix is not None
    found.fix()
    assert long_log.stat().st_size == 0


def test_each_thing_that_is_mended_is_told_and_looked_at_without_the_flag(database: Path) -> None:
    database.chmod(0o644)
    told = CliRunner().invoke(doctor).output
    assert "`whimbrel doctor --fix` can mend 1 of these" in told
    assert database.stat().st_mode & 0o777 == 0o644
    assert "mended: " in CliRunner().invoke(doctor, ["--fix"]).output
    assert database.stat().st_mode & 0o777 == 0o600


def test_what_ends_one_look_ends_no_other(database: Path) -> None:
    (database.parent / "models").mkdir()
    (database.parent / "models" / "runs").write_text("a file")
    told = CliRunner().invoke(doctor)
    assert "✗ doctor: training.doctor cannot look further" in told.output
    assert "✓ database: " in told.output
    assert told.exit_code == 1


def test_a_postgres_that_can_only_be_read_is_told(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    def found() -> Finding:
        return next(finding for finding in checks() if finding.name == "database")

    monkeypatch.setenv("WHIMBREL_HOME", str(tmp_path))
    monkeypatch.setenv("WHIMBREL_GENERATOR", "none")
    address = postgres.fresh()
    monkeypatch.setenv("WHIMBREL_DATABASE", address)
    assert found().state == "ok"
    with psycopg.connect(address, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    assert found().state == "missing"
    assert "can only be read" in found().found

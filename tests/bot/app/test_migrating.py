from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from bot.app.backup import back_up, restore
from bot.app.migrating import to_file, to_postgres
from bot.store.audit import AuditLog
from bot.store.database import Database
from bot.store.inbox import Delivery, Inbox
from bot.store.opening import open_database
from retrieval.cli import whimbrel
from retrieval.errors import DataError, SettingsError
from retrieval.settings import Settings
from tests.bot.logged import logged
from tests.bot.store.test_audit import filled

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

DATABASE = "postgres"


@pytest.fixture
def settings(tmp_path: Path, address: str) -> Settings:
    return Settings(home=tmp_path / "home", database=SecretStr(address))


def fill(settings: Settings) -> None:
    """A file with what is hard to carry over."""
    with closing(Database(settings.database_file)) as database:
        for n in range(40):
            logged(database, f"How many days, {n}?")
        filled(database)
        db = database.connection
        db.table("turns").update({"query": "a\0b"}, asker="U1")
        row = {"question": "?", "answer": "!", "audience": "[]", "vector": b"\0\xff\1"}
        db.table("curated").insert(row | {"id": 2**60})
        Inbox(database).accept(Delivery("Ev1", "question", "T", "C", "U", "t", {"text": "年假?"}))


def everything(database: Database) -> dict[str, list[dict[str, Any]]]:
    db = database.connection
    return {t: list(db.table(t).rows) for t in db.columns() if t != "_sqlite_migrations"}


def test_all_goes_to_postgres_and_back_as_it_was(settings: Settings) -> None:
    fill(settings)
    with closing(Database(settings.database_file)) as database:
        before, bytes_before = everything(database), settings.database_file.read_bytes()
    counts = to_postgres(settings)
    assert counts["turns"] == 40
    assert settings.database_file.read_bytes() == bytes_before
    with closing(open_database(settings)) as database:
        logged(database, "And afterwards?")  # numbered behind what was copied
        assert Inbox(database).accept(Delivery("Ev2", "question", "T", "C", "U", "t", {}))
        assert AuditLog(database).verify().rows == len(before["audit"])
    settings.database_file.rename(settings.home / "before.db")
    to_file(settings)
    with closing(Database(settings.database_file)) as database:
        after = everything(database)
    assert [row["event_id"] for row in after["inbox"]] == ["Ev1", "Ev2"]
    assert len(after["turns"]) == 41
    for table in before.keys() - {"inbox", "turns", "hits", "replies", "cards"}:
        assert after[table] == before[table]
    texts = [{k: v for k, v in row.items() if k != "query"} for row in before["turns"]]
    assert [{k: v for k, v in row.items() if k != "query"} for row in after["turns"][:40]] == texts
    assert {row["query"] for row in after["turns"][:40]} == {"a\ufffdb"}


def test_what_holds_something_else_is_refused(settings: Settings) -> None:
    fill(settings)
    with closing(open_database(settings)) as database:
        logged(database, "Whose is this?")
    with pytest.raises(DataError, match="holds something already"):
        to_postgres(settings)
    with pytest.raises(DataError, match="is there already"):
        to_file(settings)
    with pytest.raises(SettingsError, match="WHIMBREL_DATABASE is not set"):
        to_postgres(Settings(home=settings.home))


KILLED = """
import os, signal, sys
from pathlib import Path
from pydantic import SecretStr
from bot.app.migrating import to_postgres
from bot.store import copying
from retrieval.settings import Settings
copying.AT_ONCE = 7
left = int(sys.argv[3])
def on_progress(*_):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
settings = Settings(home=Path(sys.argv[1]), database=SecretStr(sys.argv[2]))
to_postgres(settings, on_progress=on_progress)
"""


@pytest.mark.slow
def test_a_copy_that_was_killed_serves_nobody_and_is_gone_on_with(
    settings: Settings, address: str
) -> None:
    fill(settings)
    for left in (2, 5):
        killed = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", KILLED, settings.home, address, str(left)],
            env={**os.environ},
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL
    with pytest.raises(DataError, match="half of a copy"):
        open_database(settings)
    assert to_postgres(settings)["turns"] == 40
    open_database(settings).close()


def test_a_target_that_was_written_to_meanwhile_is_found_out(
    settings: Settings, address: str
) -> None:
    fill(settings)

    def write(table: str, *_: object) -> None:
        if table == "comparing turns":
            with closing(
                Database(settings.database_file, address=address, may_be_unfinished=True)
            ) as database:
                database.connection.table("turns").update({"answer": "another"}, kind="answer")

    with pytest.raises(DataError, match="turns is not the same on both sides"):
        to_postgres(settings, on_progress=write)


def test_a_backup_of_postgres_is_put_back_into_another(
    settings: Settings, tmp_path: Path, postgres: PostgresServer
) -> None:
    with closing(open_database(settings)) as database:
        logged(database, "How many days?")
        before = everything(database)
    back_up(settings, tmp_path / "b.tar")
    fresh = Settings(home=tmp_path / "fresh", database=SecretStr(postgres.fresh()))
    restore(fresh, tmp_path / "b.tar")
    assert not fresh.database_file.exists()
    with closing(open_database(fresh)) as database:
        assert everything(database) == before
    with pytest.raises(DataError, match="holds something already"):
        restore(fresh, tmp_path / "b.tar", replaces=True)
    restore(Settings(home=tmp_path / "file"), tmp_path / "b.tar")
    with closing(Database(tmp_path / "file" / "whimbrel.db")) as database:
        assert everything(database) == before


def test_the_command_copies_there_and_back(
    settings: Settings, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings)
    monkeypatch.setenv("WHIMBREL_HOME", str(settings.home))
    monkeypatch.setenv("WHIMBREL_DATABASE", address)
    assert CliRunner().invoke(whimbrel, ["migrate", "to-postgres"], catch_exceptions=False).output
    with closing(open_database(settings)) as database:
        before = everything(database)
    settings.database_file.unlink()
    CliRunner().invoke(whimbrel, ["migrate", "to-file"], catch_exceptions=False)
    with closing(Database(settings.database_file)) as database:
        assert everything(database) == before

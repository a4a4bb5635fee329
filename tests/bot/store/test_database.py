from __future__ import annotations

import asyncio
import queue
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from bot.store.connection import StoreError
from bot.store.database import Database
from retrieval.errors import DataError
from tests.slack_server import WAIT_S


async def test_closing_waits_for_what_has_begun_even_if_nobody_else_does(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    database.connection.execute("CREATE TABLE rows (n INTEGER)")
    begun, gate = threading.Event(), threading.Event()

    def write() -> None:
        begun.set()
        gate.wait(WAIT_S)
        with database.transaction() as db:
            db.execute("INSERT INTO rows VALUES (1)")

    writing = asyncio.create_task(database.run(write))
    await asyncio.to_thread(begun.wait, WAIT_S)
    writing.cancel()
    closing = asyncio.create_task(asyncio.to_thread(database.close))
    gate.set()
    await closing
    reader = sqlite3.connect(database.path)
    assert reader.execute("SELECT n FROM rows").fetchall() == [(1,)]
    reader.close()


COUNTING = (
    "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)"
    " SELECT count(*) FROM numbers"
)


def test_a_thread_that_goes_on_while_it_is_closed_is_refused(tmp_path: Path) -> None:
    for _ in range(5):  # SQLite crashes, mostly, where one is closed under a statement
        database = Database(tmp_path / "a.db")
        begun, refused = threading.Event(), queue.Queue[str]()
        thread = threading.Thread(target=count_again_and_again, args=(database, begun, refused))
        thread.start()
        begun.wait(WAIT_S)
        database.close()
        thread.join(WAIT_S)
        assert refused.get_nowait() == "the database is closed"
        with pytest.raises(StoreError, match="the database is closed"):
            database.connection.execute(COUNTING)


def count_again_and_again(
    database: Database, begun: threading.Event, refused: queue.Queue[str]
) -> None:
    try:
        while True:
            database.connection.execute(COUNTING)
            begun.set()
    except StoreError as error:
        refused.put(str(error))


def test_writers_on_many_threads_wait_for_each_other(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    database.connection.execute("CREATE TABLE rows (n INTEGER)")
    database.connection.execute("INSERT INTO rows VALUES (0)")

    def count() -> None:
        for _ in range(25):
            with database.transaction() as db:
                (n,) = db.execute("SELECT n FROM rows").fetchone()
                db.execute("UPDATE rows SET n = ?", (n + 1,))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.connection.execute("SELECT n FROM rows").fetchone() == (100,)
    database.close()


def test_what_people_asked_is_readable_for_the_owner_alone(tmp_path: Path) -> None:
    database = Database(tmp_path / "deep" / "a.db")
    assert stat.S_IMODE(database.path.stat().st_mode) == 0o600
    database.close()


def test_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    connection = database.connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    database.close()


def files(database: Database) -> bytes:
    """Every byte that is kept of the database, in whatever file."""
    paths = database.home.glob(f"{database.path.name}*")
    return b"".join(path.read_bytes() for path in paths)


def test_what_is_erased_is_in_no_file_any_more_with_the_commit(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    database.connection.execute("CREATE TABLE rows (word TEXT)")
    for length in (10, 700, 9_000):
        with database.transaction() as db:
            db.execute("INSERT INTO rows VALUES (?)", ("canary" + "x" * length,))
    assert b"canary" in files(database)
    with database.transaction() as db:
        db.execute("DELETE FROM rows")
        database.erase()
    assert b"canary" not in files(database)
    database.close()


def test_a_reader_only_delays_that(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    database.connection.execute("CREATE TABLE rows (word TEXT)")
    database.connection.execute("INSERT INTO rows VALUES ('canary')")
    reader = sqlite3.connect(database.path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT word FROM rows").fetchone() == ("canary",)
    with database.transaction() as db:
        db.execute("DELETE FROM rows")
        database.erase()
    assert b"canary" in files(database)
    reader.close()
    database.engine.purge_due = 0.0  # type: ignore[attr-defined]  # the time has come
    with database.transaction():
        pass
    assert b"canary" not in files(database)
    database.close()


def test_what_a_killed_process_has_left_goes_at_the_next_start(tmp_path: Path) -> None:
    killed = Database(tmp_path / "a.db")
    killed.connection.execute("CREATE TABLE rows (word TEXT)")
    killed.connection.execute("INSERT INTO rows VALUES ('canary')")
    killed.connection.execute("DELETE FROM rows")
    assert b"canary" in files(killed)
    Database(tmp_path / "a.db").close()
    assert b"canary" not in files(killed)
    killed.close()


def test_one_that_is_only_read_cannot_be_written_to(tmp_path: Path) -> None:
    path = tmp_path / "whimbrel.db"
    with pytest.raises(DataError, match="there is no"):
        Database(path, is_read_only=True)
    assert not path.exists()
    Database(path).close()
    database = Database(path, is_read_only=True)
    with pytest.raises(StoreError, match="readonly"):
        database.connection.execute("DELETE FROM turns")
    database.close()
    with closing(sqlite3.connect(path)) as old:
        old.execute("DROP TABLE audit")
    with pytest.raises(DataError, match="older release"):
        Database(path, is_read_only=True)

"""The database as one SQLite file beside the index."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlite_utils

from bot.store.connection import Connection, Result, StoreError, StoreUnavailableError, Values
from bot.store.migrations import migrations
from bot.store.soundness import check_after, check_before, check_read_only, columns_of, mark
from retrieval.private import make_private

BUSY_S = 30
"""How long a writer waits for another one."""

PURGE_BUSY_MS = 100
"""How long readers are waited for before what was deleted leaves the files; writers wait too."""

PURGE_AGAIN_S = 1.0
"""How long readers that stood in the way are left in peace."""


class SqliteConnection(Connection):
    """A connection that one thread uses, and another one may close."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw
        self._statement = threading.Lock()
        self._is_closed = False

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        with _told():
            return not self._is_closed and self.raw.in_transaction

    def execute(self, sql: str, values: Values = ()) -> Result:
        """As `Connection.execute`."""
        with self._running():
            cursor = self.raw.execute(sql, values)
            rows = cursor.fetchall()
        return Result(rows, cursor.rowcount)

    def execute_many(self, sql: str, rows: Iterable[Values]) -> None:
        """As `Connection.execute_many`."""
        with self._running():
            self.raw.executemany(sql, rows)

    def query(self, sql: str, values: Values = ()) -> Iterator[dict[str, Any]]:
        """As `Connection.query`."""
        with self._running():
            cursor = self.raw.execute(sql, values)
        names = [column[0] for column in cursor.description]
        while True:
            with self._running():
                row = cursor.fetchone()
            if row is None:
                return
            yield dict(zip(names, row, strict=True))

    def lock(self, *names: str) -> None:
        """Nothing: one transaction writes at a time."""

    def skipping_locked(self, alias: str) -> str:  # noqa: ARG002 - as everywhere
        """Nothing, likewise."""
        return ""

    def announce(self, kind: str) -> None:
        """Nothing: the other bots look for themselves."""

    def columns(self) -> dict[str, dict[str, str]]:
        """As `Connection.columns`."""
        with self._running():
            return columns_of(self.raw)

    def close(self) -> None:
        """Wait for the statement that runs, and refuse those that come after it."""
        self._is_closed = True
        with self._statement:
            self.raw.close()

    @contextmanager
    def _running(self) -> Iterator[None]:
        """A statement runs inside: to close under it would crash the process."""
        with self._statement, _told():
            if self._is_closed:
                raise StoreError("the database is closed")
            yield


class SqliteEngine:
    """One file. Each thread has its own connection; all of them are closed together.

    One that is `is_read_only` must be there, and refuses to be written to.

    Raises:
        DataError: If the file was emptied, is damaged, or is of a newer release.
    """

    def __init__(self, path: Path, *, is_read_only: bool = False) -> None:
        self.address: str | None = None
        self._path = path
        self._is_read_only = is_read_only
        self._local = threading.local()
        self.takes_writes = True
        self._connections: list[SqliteConnection] = []
        self._opening = threading.Lock()
        self._is_closed = False
        self._turn = threading.Lock()
        self.purge_due: float | None = None
        """When to try again to purge, by the monotonic clock."""
        if is_read_only:
            with _told(path):
                check_read_only(path)
            return
        make_private(path.parent)
        with _told(path):
            check_before(path)
        path.touch(mode=0o600)  # it holds what people asked
        with self.transaction() as db:
            migrations.apply(sqlite_utils.Database(db.raw))
            check_after(path, db.raw)
        mark(path)
        self.purge()  # a process that was killed may not have come to it

    @property
    def connection(self) -> SqliteConnection:
        """This thread's connection.

        Raises:
            StoreError: If they have been closed.
        """
        if not hasattr(self._local, "connection"):
            self._local.connection = self._connect()
        connection: SqliteConnection = self._local.connection
        return connection

    @contextmanager
    def transaction(self, *, alone: bool = False) -> Iterator[SqliteConnection]:  # noqa: ARG002
        """Everything inside is written together or not at all, and always alone.

        BEGIN IMMEDIATE takes the write lock at once: with a deferred one, two writers that both
        read first fail with "database is locked" whatever the timeout.
        """
        with self._taking_turns(), self._between("BEGIN IMMEDIATE", "COMMIT") as db:
            yield db

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Nothing that is read inside changes meanwhile, and nobody waits."""
        with self._between("BEGIN", "COMMIT"):
            yield

    @contextmanager
    def _between(self, begin: str, end: str) -> Iterator[SqliteConnection]:
        db = self.connection
        db.execute(begin)
        try:
            yield db
            db.execute(end)
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    @contextmanager
    def _taking_turns(self) -> Iterator[None]:
        """Let one of our threads write at a time: SQLite itself looks for its turn too rarely."""
        until = getattr(self._local, "until", None)
        left_s = BUSY_S if until is None else max(0.0, until - time.monotonic())
        if not self._turn.acquire(timeout=left_s):
            raise StoreUnavailableError("database is locked")
        try:
            yield
        finally:
            self._turn.release()

    def hurry(self, until: float) -> None:
        """Let this thread wait for others no longer than until then, by the monotonic clock."""
        left_ms = max(0, round((until - time.monotonic()) * 1000))
        self.connection.execute(f"PRAGMA busy_timeout = {left_ms}")
        self._local.until = until

    def tidy(self, *, has_erased: bool) -> None:
        """A transaction has ended; one that has erased, or what one before could not, is purged."""
        due = self.purge_due
        if has_erased or (due is not None and time.monotonic() >= due):
            self.purge()

    def purge(self) -> bool:
        """Let no file hold what was deleted or replaced; False while readers stand in the way.

        Then it is tried again after later transactions.
        """
        connection = self.connection
        connection.execute(f"PRAGMA busy_timeout = {PURGE_BUSY_MS}")
        try:
            is_busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except StoreUnavailableError:  # this very thread is reading
            is_busy = 1
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_S * 1_000}")
        self.purge_due = time.monotonic() + PURGE_AGAIN_S if is_busy else None
        return not is_busy

    def rewrite(self) -> bool:
        """Write the file anew, without the room that deleted rows have left; as `purge`."""
        self.connection.execute("VACUUM")
        return self.purge()

    def renumber(self) -> None:
        """Nothing: SQLite looks for the last number itself."""

    def close(self) -> None:
        """Close every thread's connection; a thread that goes on is refused."""
        with self._opening:
            self._is_closed = True
        while self._connections:
            self._connections.pop().close()

    def _connect(self) -> SqliteConnection:
        with self._opening, _told():
            if self._is_closed:
                raise StoreError("the database is closed")
            # Only `close` crosses threads; sqlite3 would otherwise refuse it.
            raw = sqlite3.connect(
                self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._connections.append(connection := SqliteConnection(raw))
        # What somebody has damaged is read all the same, and then is no JSON.
        raw.text_factory = lambda text: text.decode(errors="replace")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # an acked question survives a power cut
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten
        connection.execute("PRAGMA temp_store=MEMORY")  # and is in no file beside
        if self._is_read_only:
            connection.execute("PRAGMA query_only=ON")
        return connection


@contextmanager
def _told(opened: Path | None = None) -> Iterator[None]:
    """Errors of SQLite as ours; those of a file that is `opened` name it."""
    where = f"{opened}: " if opened else ""
    try:
        yield
    except sqlite3.OperationalError as error:
        is_busy = (error.sqlite_errorcode or 0) & 0xFF in (
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
        )
        raise (StoreUnavailableError if is_busy else StoreError)(f"{where}{error}") from error
    except sqlite3.Error as error:
        raise StoreError(f"{where}{error}") from error

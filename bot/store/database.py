"""The database of the inbox and the conversation log: its connections and transactions."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import sqlite_utils

from bot.redaction import Redactor
from bot.store.migrations import migrations
from bot.store.soundness import check_after, check_before
from retrieval.private import make_private

BUSY_S = 30
"""How long a writer waits for another one."""

PURGE_BUSY_MS = 100
"""How long readers are waited for before what was deleted leaves the files; writers wait too."""

PURGE_AGAIN_S = 1.0
"""How long readers that stood in the way are left in peace."""

THREADS = 4

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """One SQLite file. Each thread has its own connection; all of them are closed together.

    What people say goes through the `redactor` before it is stored for longer than it waits.

    Raises:
        DataError: If the file was emptied, is damaged, or is of a newer release.
    """

    def __init__(self, path: Path, *, redactor: Redactor | None = None) -> None:
        self.path = path
        self.redactor = redactor or Redactor()
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._purge_due: float | None = None
        self._turn = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="database")
        self._hasty = ThreadPoolExecutor(THREADS, thread_name_prefix="database-hasty")
        make_private(path.parent)
        check_before(path)
        path.touch(mode=0o600)  # it holds what people asked
        with self.transaction() as db:
            migrations.apply(db)
            check_after(path, db)
        self.purge()  # a process that was killed may not have come to it

    @property
    def connection(self) -> sqlite_utils.Database:
        """This thread's connection."""
        if not hasattr(self._local, "db"):
            self._local.db = self._connect()
        db: sqlite_utils.Database = self._local.db
        return db

    @contextmanager
    def transaction(self) -> Iterator[sqlite_utils.Database]:
        """Everything inside is written together or not at all; an open transaction is joined.

        BEGIN IMMEDIATE takes the write lock at once: with a deferred one, two writers that both
        read first fail with "database is locked" whatever the timeout.
        """
        db = self.connection
        if db.conn.in_transaction:
            yield db
            return
        with self._taking_turns():
            db.conn.execute("BEGIN IMMEDIATE")
            self._local.erases = False
            try:
                yield db
                db.conn.execute("COMMIT")
            except BaseException:
                if db.conn.in_transaction:
                    db.conn.execute("ROLLBACK")
                raise
        due = self._purge_due
        if self._local.erases or (due is not None and time.monotonic() >= due):
            self.purge()

    @contextmanager
    def erasing(self) -> Iterator[sqlite_utils.Database]:
        """As `transaction`; what it deletes or replaces leaves the files with its commit."""
        with self.transaction() as db:
            self.erase()
            yield db

    @contextmanager
    def _taking_turns(self) -> Iterator[None]:
        """Let one of our threads write at a time: SQLite itself looks for its turn too rarely."""
        until = getattr(self._local, "until", None)
        left_s = BUSY_S if until is None else max(0.0, until - time.monotonic())
        if not self._turn.acquire(timeout=left_s):
            raise sqlite3.OperationalError("database is locked")
        try:
            yield
        finally:
            self._turn.release()

    def erase(self) -> None:
        """What the open transaction deletes or replaces is to leave the files with its commit."""
        self._local.erases = True

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function returns; it uses the database on a thread of ours, not on the loop.

        Once begun it is carried through, even if nobody waits for it any more.
        """
        call = partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def run_within(
        self, seconds: float, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What the function returns; it neither waits behind others nor long for another writer.

        Raises:
            sqlite3.OperationalError: If the database is locked for so long. Nothing is written.
        """
        until = time.monotonic() + seconds

        def call() -> T:
            left_ms = max(0, round((until - time.monotonic()) * 1000))
            self.connection.conn.execute(f"PRAGMA busy_timeout = {left_ms}")
            self._local.until = until
            return function(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._hasty, call)

    def purge(self) -> bool:
        """Let no file hold what was deleted or replaced; False while readers stand in the way.

        Then it is tried again after later transactions.
        """
        connection = self.connection.conn
        connection.execute(f"PRAGMA busy_timeout = {PURGE_BUSY_MS}")
        try:
            is_busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.OperationalError:  # this very thread is reading
            is_busy = 1
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_S * 1_000}")
        self._purge_due = time.monotonic() + PURGE_AGAIN_S if is_busy else None
        return not is_busy

    def rewrite(self) -> bool:
        """Write the file anew, without the room that deleted rows have left; as `purge`."""
        self.connection.conn.execute("VACUUM")
        return self.purge()

    def close(self) -> None:
        """Wait for what `run` has begun, then close every thread's connection.

        SQLite crashes the process when a connection is closed under a running statement.
        """
        self._threads.shutdown()
        self._hasty.shutdown()
        while self._connections:
            self._connections.pop().close()
        self._local = threading.local()

    def _connect(self) -> sqlite_utils.Database:
        # Only `close` crosses threads; sqlite3 would otherwise refuse it.
        connection = sqlite3.connect(
            self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # an acked question survives a power cut
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten
        connection.execute("PRAGMA temp_store=MEMORY")  # and is in no file beside
        self._connections.append(connection)
        return sqlite_utils.Database(connection)

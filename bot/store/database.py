"""The database of the inbox and the conversation log: its connections and transactions."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import sqlite_utils

from bot.store.migrations import migrations
from bot.store.soundness import check_after, check_before
from retrieval.private import make_private

BUSY_S = 30
"""How long a writer waits for another one."""

THREADS = 4

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """One SQLite file. Each thread has its own connection; all of them are closed together.

    Raises:
        DataError: If the file was emptied, is damaged, or is of a newer release.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="database")
        make_private(path.parent)
        check_before(path)
        path.touch(mode=0o600)  # it holds what people asked
        with self.transaction() as db:
            migrations.apply(db)
            check_after(path, db)

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
        db.conn.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.conn.execute("COMMIT")
        except BaseException:
            if db.conn.in_transaction:
                db.conn.execute("ROLLBACK")
            raise

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function returns; it uses the database on a thread of ours, not on the loop.

        Once begun it is carried through, even if nobody waits for it any more.
        """
        call = partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def purge(self) -> None:
        """Let no file hold what was deleted or replaced, as far as readers allow it now."""
        self.connection.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Wait for what `run` has begun, then close every thread's connection.

        SQLite crashes the process when a connection is closed under a running statement.
        """
        self._threads.shutdown()
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
        self._connections.append(connection)
        return sqlite_utils.Database(connection)

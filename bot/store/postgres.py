"""The database as a PostgreSQL server, for several bots on one; it needs psycopg."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any, cast

import psycopg
import sqlite_utils
from psycopg import sql as literals
from psycopg.adapt import Dumper
from psycopg_pool import ConnectionPool, PoolTimeout

from bot.store.connection import Connection, Result, StoreError, StoreUnavailableError, Values
from bot.store.migrations import migrations
from bot.store.postgres_schema import TO_SQLITE, PostgresSchema
from bot.store.soundness import newer_than_this, wanted
from retrieval.errors import BusyError, DataError, SettingsError
from retrieval.postgres_address import ENCODING, other_encoding, parts_of

logger = logging.getLogger(__name__)

BUSY_S = 30
"""How long a statement waits for what somebody else has locked."""

IDLE_S = 120
"""A transaction in which nothing happens for so long is its worker's end: others wait for it."""

CONNECTIONS = 12
"""So many statements and transactions of one process go on at once."""

VACUUM_S = 60.0
"""How often the room of what was erased is given to what comes."""

CHANNEL = "whimbrel"
"""What LISTEN and NOTIFY call the news that there is something to do."""

COPYING = "whimbrel_copying"
"""A table that is there as long as a copy is not finished."""

_OURS = 0x57_48_49_4D
"""The first half of our advisory locks, so that others on the server have others."""

WRITING, LEADING = 1, 2
"""Second halves: who writes holds the one, together with others or alone; one process the other."""

SESSION = (
    f"SET lock_timeout = '{BUSY_S}s'; SET idle_in_transaction_session_timeout = '{IDLE_S}s';"
    " SET client_min_messages = warning;"
    # The server, too, notices a host that is gone without a word, and frees what it had locked.
    " SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
)

LEAD = f"SELECT pg_try_advisory_lock({_OURS}, {LEADING})"
"""Whether this connection leads from now on, for as long as it is there."""

_CONNECTING: dict[str, str | int] = {
    "connect_timeout": 5,
    # A host that is gone without a word is noticed.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "whimbrel",
    # Whatever the environment or the role has: what people write is sent as it is.
    "client_encoding": ENCODING,
}

_TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|\?|%|(?<!:):([a-z_]\w*)|\buser\b")


class _Bool(Dumper):
    """Flags are 0 and 1 in every table, as in SQLite."""

    oid = psycopg.adapters.types["int8"].oid

    def dump(self, obj: bool) -> bytes:
        return b"1" if obj else b"0"


class _Text(psycopg.types.string.StrDumperUnknown):
    """Postgres keeps no NUL in a text."""

    def dump(self, obj: str) -> Any:  # noqa: ANN401 - as psycopg has it
        return super().dump(obj.replace("\0", "\N{REPLACEMENT CHARACTER}"))


class PostgresConnection(Connection):
    """One thread's way in: in a transaction always the same connection, else any that is free."""

    def __init__(self, engine: PostgresEngine) -> None:
        self._engine = engine
        self.held: psycopg.Connection | None = None

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.held is not None

    @contextmanager
    def _cursor(self) -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
        with _told():
            if self.held is not None:
                with self.held.cursor() as cursor:
                    yield cursor
            else:
                with self._engine.borrowed() as raw, raw.cursor() as cursor:
                    yield cursor

    def execute(self, sql: str, values: Values = ()) -> Result:
        """As `Connection.execute`."""
        with self._cursor() as cursor:
            cursor.execute(translated(sql), cast("Any", values))
            rows = cursor.fetchall() if cursor.description else []
            return Result(rows, cursor.rowcount)

    def execute_many(self, sql: str, rows: Iterable[Values]) -> None:
        """As `Connection.execute_many`."""
        with self._cursor() as cursor:
            cursor.executemany(translated(sql), cast("Any", rows))

    def query(self, sql: str, values: Values = ()) -> Iterator[dict[str, Any]]:
        """As `Connection.query`; `*` stands for all but the rowid, as in SQLite."""
        with self._cursor() as cursor:
            cursor.execute(translated(sql), cast("Any", values))
            names = [column.name for column in cursor.description or ()]
            rows = cursor.fetchall()
        for row in rows:
            found = dict(zip(names, row, strict=True))
            found.pop("rowid", None)
            yield found

    def lock(self, *names: str) -> None:
        """As `Connection.lock`."""
        self.execute("SELECT pg_advisory_xact_lock(hashtextextended(?, ?))", (repr(names), _OURS))

    def skipping_locked(self, alias: str) -> str:
        """As `Connection.skipping_locked`."""
        return f"FOR UPDATE OF {alias} SKIP LOCKED"

    def announce(self, kind: str) -> None:
        """As `Connection.announce`."""
        self.execute("SELECT pg_notify(?, ?)", (CHANNEL, kind))

    def columns(self) -> dict[str, dict[str, str]]:
        """As `Connection.columns`."""
        rows = self.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND column_name != 'rowid'"
            " ORDER BY table_name, ordinal_position"
        )
        tables: dict[str, dict[str, str]] = {}
        for table, column, type_ in rows:
            if table in _ours():  # others may have tables there, too
                tables.setdefault(table, {})[column] = TO_SQLITE.get(type_, type_)
        return tables


class PostgresEngine:
    """A database of a server, used over a few connections that come back when they are lost.

    Raises:
        SettingsError: If it cannot be reached, lets us not in, is not ours to write to, or
            cannot keep every text.
        DataError: If it is of a newer release or lacks a column.
    """

    def __init__(
        self, address: str, *, is_read_only: bool = False, may_be_unfinished: bool = False
    ) -> None:
        self.name = name_of(address)
        self.address: str | None = psycopg.conninfo.make_conninfo(address, **_CONNECTING)
        self.takes_writes = True
        self._may_be_unfinished = may_be_unfinished
        self._local = threading.local()
        self._vacuum = ThreadPoolExecutor(1, thread_name_prefix="vacuum")
        self._vacuum_at = 0.0
        self._pool = ConnectionPool(
            self.address or "",
            min_size=1,
            max_size=CONNECTIONS,
            timeout=BUSY_S,
            kwargs={"autocommit": True},
            configure=_refusing if is_read_only else _configure,
            check=ConnectionPool.check_connection,
            name="database",
            open=False,
        )
        self._prepare(is_read_only=is_read_only)
        self._pool.open()

    @property
    def connection(self) -> PostgresConnection:
        """This thread's way in."""
        if not hasattr(self._local, "connection"):
            self._local.connection = PostgresConnection(self)
        connection: PostgresConnection = self._local.connection
        return connection

    @contextmanager
    def borrowed(self) -> Iterator[psycopg.Connection]:
        """A connection that nobody else uses meanwhile."""
        with self._pool.connection(timeout=self._left_s()) as raw:
            yield raw

    def _left_s(self) -> float:
        until = getattr(self._local, "until", None)
        return BUSY_S if until is None else max(0.001, until - time.monotonic())

    @contextmanager
    def transaction(self, *, alone: bool = False) -> Iterator[PostgresConnection]:
        """Everything inside is written together or not at all; `alone`, while nobody else writes.

        Who writes holds a lock that all share, and who writes alone has it for itself.
        """
        lock = "pg_advisory_xact_lock" + ("" if alone else "_shared")
        begin = (
            f"BEGIN; SET LOCAL statement_timeout = {round(self._left_s() * 1000)};"
            f" SELECT {lock}({_OURS}, {WRITING})"
        )
        if not hasattr(self._local, "until"):
            begin += "; SET LOCAL statement_timeout = 0"
        with self._between(begin, "COMMIT"):
            yield self.connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Nothing that is read inside changes meanwhile, and nobody waits."""
        with self._between("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "COMMIT"):
            yield

    @contextmanager
    def _between(self, begin: str, end: str) -> Iterator[None]:
        connection = self.connection
        with _told(), self.borrowed() as raw:
            connection.held = raw
            try:
                raw.execute(begin)
                yield
                raw.execute(end)
            except BaseException:
                if not raw.closed:
                    raw.rollback()
                raise
            finally:
                connection.held = None

    def hurry(self, until: float) -> None:
        """Let this thread wait for others no longer than until then, by the monotonic clock."""
        self._local.until = until

    def tidy(self, *, has_erased: bool) -> None:
        """A transaction has ended; the room of what it erased is soon given to what comes."""
        now = time.monotonic()
        if has_erased and now >= self._vacuum_at:
            self._vacuum_at = now + VACUUM_S
            self._vacuum.submit(self._vacuum_now)

    def _vacuum_now(self) -> None:
        try:
            self._each_table("VACUUM (SKIP_LOCKED)")
        except StoreError:
            logger.warning("what was erased is yet to be vacuumed", exc_info=True)

    def purge(self) -> bool:
        """Give the room of what was deleted or replaced to what comes; `rewrite` empties it."""
        self._each_table("VACUUM")
        return True

    def rewrite(self) -> bool:
        """Write the tables anew, without what deleted rows have left; others wait meanwhile."""
        self._each_table("VACUUM FULL")
        try:
            self.connection.execute("CHECKPOINT")
        except StoreError as error:  # it takes a role that not everybody has
            logger.info("the server will remove the old files at its next checkpoint: %s", error)
        return True

    def _each_table(self, command: str) -> None:
        for table in self.connection.columns():
            self.connection.execute(f'{command} "{table}"')

    def is_copying(self) -> bool:
        """Whether it is half of a copy."""
        (row,) = self.connection.execute(f"SELECT to_regclass('{COPYING}')")
        return row[0] is not None

    def mark_copying(self, *, is_on: bool) -> None:
        """Let nobody serve from what is half a copy; or from now on, as it is a whole one."""
        sql = f"CREATE TABLE IF NOT EXISTS {COPYING} ()" if is_on else f"DROP TABLE {COPYING}"
        self.connection.execute(sql)

    def renumber(self) -> None:
        """Let the next rows be numbered behind those that were copied."""
        for table, columns in self.connection.columns().items():
            number = "id" if columns.get("id") == "INTEGER" else "rowid"
            self.connection.execute(
                f"SELECT setval(pg_get_serial_sequence('\"{table}\"', '{number}'),"  # noqa: S608 - our names
                f' (SELECT coalesce(max({number}), 0) + 1 FROM "{table}"), false)'
            )

    def close(self) -> None:
        """Close every connection."""
        self._vacuum.shutdown(cancel_futures=True)
        self._pool.close()

    def _prepare(self, *, is_read_only: bool) -> None:
        """Bring the tables forward, one process at a time, and look whether all is there."""
        connection = self.connection
        try:
            raw = psycopg.connect(self.address or "", autocommit=True)
        except psycopg.Error as error:
            raise SettingsError(f"WHIMBREL_DATABASE: {self.name}: {_line(error)}") from error
        with raw:
            if wrong := other_encoding(raw.info.parameter_status("server_encoding")):
                raise SettingsError(f"WHIMBREL_DATABASE: {self.name}: {wrong}")
            row = raw.execute("SELECT current_setting('transaction_read_only')").fetchone()
            self.takes_writes = row == ("off",)
            _configure(raw)
            connection.held = raw
            try:
                with _told():
                    raw.execute(f"BEGIN; SELECT pg_advisory_xact_lock({_OURS}, {WRITING})")
                schema = cast("sqlite_utils.Database", PostgresSchema(connection))
                self._check_before(schema)
                if not is_read_only:
                    migrations.apply(schema)
                self._check_after(connection)
                with _told():
                    raw.execute("COMMIT")
            except StoreUnavailableError as error:
                raise BusyError(f"{self.name}: {error}; try again in a moment") from error
            except StoreError as error:
                raise SettingsError(
                    f"WHIMBREL_DATABASE: {self.name}: {error}; it has to belong to the user in the "
                    "address, and take what is written"
                ) from error
            finally:
                connection.held = None

    def _check_before(self, schema: sqlite_utils.Database) -> None:
        if self.is_copying() and not self._may_be_unfinished:
            raise DataError(
                f"{self.name} is half of a copy: finish it by `whimbrel migrate to-postgres`"
            )
        if newer := newer_than_this(migrations.applied(schema)):
            raise DataError(
                f"{self.name} was written by a newer release ({', '.join(newer)}): install that "
                "one, or put a dump from before the upgrade back with pg_restore"
            )

    def _check_after(self, connection: PostgresConnection) -> None:
        found = {(t, c) for t, columns in connection.columns().items() for c in columns}
        if missing := sorted(wanted() - found):
            table, column = missing[0]
            raise DataError(
                f"{self.name} has no {table}.{column}: is it the right one? `whimbrel serve` makes"
                " the tables of an empty one; pg_restore puts back what was there"
            )


def name_of(address: str) -> str:
    """What to call a database in a message: where it is, without who may open it and how."""
    parts = parts_of(address, "WHIMBREL_DATABASE")
    host = parts.get("host") or parts.get("hostaddr") or "this machine"
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"the Postgres database {parts.get('dbname') or ''} on {host}{port}".replace("  ", " ")


@lru_cache(maxsize=1024)
def translated(sql: str) -> literals.SQL:
    """A statement as psycopg takes it.

    Places for values are `%s`, and `user` is a column and not who is connected.
    """

    def token(match: re.Match[str]) -> str:
        if name := match[1]:
            return f"%({name})s"
        found = match[0]
        return {"?": "%s", "user": '"user"'}.get(found, found.replace("%", "%%"))

    return literals.SQL(cast("Any", _TOKEN.sub(token, sql)))


def _configure(raw: psycopg.Connection) -> None:
    raw.adapters.register_dumper(bool, _Bool)
    raw.adapters.register_dumper(str, _Text)
    raw.execute(SESSION)


def _refusing(raw: psycopg.Connection) -> None:
    _configure(raw)
    raw.execute("SET default_transaction_read_only = on")


@cache
def _ours() -> frozenset[str]:
    return frozenset(table for table, _ in wanted())


@contextmanager
def _told() -> Iterator[None]:
    """Errors of psycopg as ours."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
        raise StoreUnavailableError(_line(error)) from error
    except psycopg.Error as error:
        raise StoreError(_line(error)) from error


def _line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]

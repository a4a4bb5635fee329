"""What everything that is kept asks of a database: statements, rows of tables, and its columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from retrieval.errors import ToldError

Values = Sequence[object] | Mapping[str, object]
"""What stands in a statement for its `?`, or by name for its `:name`."""

Row = Mapping[str, object]


class StoreError(ToldError):
    """The database did not do what it was asked to."""


class StoreUnavailableError(StoreError):
    """The database is busy or cannot be reached: nothing was written, and it can be tried again."""


class Result:
    """The rows that a statement gave, each once, and how many it has changed."""

    def __init__(self, rows: Iterable[tuple[Any, ...]], rowcount: int) -> None:
        self.rowcount = rowcount
        self._rows = iter(rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def fetchone(self) -> Any:  # noqa: ANN401 - a row, which has what was asked for, or None
        """The next row; None if there is none any more."""
        return next(self._rows, None)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows that are left."""
        return list(self._rows)


class Connection(ABC):
    """One way in to the database.

    Statements are in the SQL that SQLite and Postgres share. `?` stands for the next value and
    `:name` for one by name; every table has a `rowid`, in the order in which rows were added.
    """

    @property
    @abstractmethod
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""

    @abstractmethod
    def execute(self, sql: str, values: Values = ()) -> Result:
        """Carry a statement out.

        Raises:
            StoreError: If the database cannot.
        """

    @abstractmethod
    def execute_many(self, sql: str, rows: Iterable[Values]) -> None:
        """Carry a statement out for each of these values."""

    @abstractmethod
    def query(self, sql: str, values: Values = ()) -> Iterator[dict[str, Any]]:
        """The rows of a statement, by the names of their columns."""

    @abstractmethod
    def lock(self, *names: str) -> None:
        """Let no other transaction past a lock of these names until the open one ends."""

    @abstractmethod
    def skipping_locked(self, alias: str) -> str:
        """Ends a SELECT that leaves out what others are changing, and keeps the rest for itself."""

    @abstractmethod
    def announce(self, kind: str) -> None:
        """Let every bot on this database know, with the commit, that there is such a job to do."""

    @abstractmethod
    def columns(self) -> dict[str, dict[str, str]]:
        """The columns of each table, with the types that they have in SQLite."""

    def table(self, name: str) -> Table:
        """A table, whether or not there is one of this name."""
        return Table(self, name)


class Engine(Protocol):
    """SQLite or Postgres: opens connections for threads, and closes them all together."""

    address: str | None
    """Where a further connection to Postgres can be opened; None for SQLite."""

    takes_writes: bool
    """Whether what is written is kept: a standby, and a Postgres that is told so, only read."""

    @property
    def connection(self) -> Connection:
        """This thread's connection."""

    def transaction(self, *, alone: bool = False) -> AbstractContextManager[Connection]:
        """Everything inside is written together or not at all; `alone`, while nobody else does."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Nothing that is read inside changes meanwhile, and nobody waits."""

    def hurry(self, until: float) -> None:
        """Let this thread wait for others no longer than until then, by the monotonic clock."""

    def tidy(self, *, has_erased: bool) -> None:
        """See to it that what a transaction that has ended erased is gone, now or soon."""

    def purge(self) -> bool:
        """Let go of what was deleted or replaced; False while readers stand in the way."""

    def rewrite(self) -> bool:
        """Write all anew, without the room that deleted rows have left; as `purge`."""

    def renumber(self) -> None:
        """Let the next rows be numbered behind those that were copied."""

    def close(self) -> None:
        """Close every connection."""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a table, written and read by the names of its columns."""

    connection: Connection
    name: str

    def insert(self, row: Row, *, ignore: bool = False) -> bool:
        """Add a row; with `ignore`, False if there is one like it."""
        sql = self._inserting(row) + (" ON CONFLICT DO NOTHING" if ignore else "")
        return self.connection.execute(sql, tuple(row.values())).rowcount == 1

    def insert_all(self, rows: Iterable[Row], *, ignore: bool = False) -> None:
        """Add rows that all have the same columns."""
        self._write(rows, " ON CONFLICT DO NOTHING" if ignore else "")

    def upsert(self, row: Row, pk: str | Collection[str]) -> None:
        """Add a row, or change the one that has the same key."""
        self.upsert_all([row], pk)

    def upsert_all(self, rows: Iterable[Row], pk: str | Collection[str]) -> None:
        """As `upsert`, of rows that all have the same columns."""
        rows = list(rows)
        keys = (pk,) if isinstance(pk, str) else tuple(pk)
        changes = [
            f'"{name}" = excluded."{name}"' for name in (rows or [{}])[0] if name not in keys
        ]
        self._write(rows, f" ON CONFLICT ({quoted_names(keys)}) DO UPDATE SET {', '.join(changes)}")

    def update(self, changes: Row, **key: object) -> None:
        """Change the row that has this key."""
        values = (*changes.values(), *key.values())
        self.connection.execute(
            f'UPDATE "{self.name}" SET {_are(changes, ", ")} WHERE {_are(key, " AND ")}',  # noqa: S608 - names of columns
            values,
        )

    def delete(self, **key: object) -> int:
        """Delete the rows that have these values; how many those were."""
        return self.delete_where(_are(key, " AND "), tuple(key.values()))

    def delete_where(self, where: str, values: Values = ()) -> int:
        """Delete the rows of which this holds; how many those were."""
        sql = f'DELETE FROM "{self.name}" WHERE {where}'  # noqa: S608 - written by who calls this
        return self.connection.execute(sql, values).rowcount

    @property
    def count(self) -> int:
        """How many rows there are."""
        (row,) = self.connection.execute(f'SELECT count(*) FROM "{self.name}"')  # noqa: S608 - a name
        return int(row[0])

    @property
    def rows(self) -> Iterator[dict[str, Any]]:
        """Every row, in the order in which they were added."""
        return self.connection.query(f'SELECT * FROM "{self.name}" ORDER BY rowid')  # noqa: S608 - a name

    def _write(self, rows: Iterable[Row], ending: str) -> None:
        rows = list(rows)
        if rows:
            values = [tuple(row.values()) for row in rows]
            self.connection.execute_many(self._inserting(rows[0]) + ending, values)

    def _inserting(self, row: Row) -> str:
        return f'INSERT INTO "{self.name}" ({quoted_names(row)}) VALUES {marks(row)}'  # noqa: S608 - names of columns


def marks(values: Collection[object]) -> str:
    """What stands in a statement for these values, behind `IN` or `VALUES`."""
    return f"({', '.join('?' * len(values))})"


def quoted_names(names: Iterable[str]) -> str:
    """Names of columns as they stand in a statement."""
    return ", ".join(f'"{name}"' for name in names)


def _are(row: Row, joiner: str) -> str:
    return joiner.join(f'"{name}" = ?' for name in row)

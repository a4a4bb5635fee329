"""Whether a database is whole, is one that this release knows, and was not emptied."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import cache
from pathlib import Path

import sqlite_utils
from sqlite_utils import Migrations

from bot.store.migrations import migrations
from retrieval.errors import DataError

_HEADER_BYTES = 100
_RESTORE = "put a copy back with `whimbrel restore BACKUP --replace`"


def mark_of(path: Path) -> Path:
    """The file beside a database that says that it had tables once."""
    return path.with_name(f".{path.name}-kept")


def check_before(path: Path) -> None:
    """Look at a database that is to be opened, before anything is written to it.

    Raises:
        DataError: If it was emptied or removed, is damaged, or is of a newer release; the message
            says how to mend it.
    """
    if not path.is_file() or path.stat().st_size < _HEADER_BYTES:
        if mark_of(path).exists():
            raise DataError(
                f"{path} is empty or gone, and was there before: {_RESTORE}; or delete "
                f"{mark_of(path)} to begin anew, without what people asked"
            )
        return
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        try:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            applied = migrations.applied(sqlite_utils.Database(connection))
        except sqlite3.OperationalError:  # locked, or a disk that fails: it may be sound
            raise
        except sqlite3.DatabaseError as error:
            raise DataError(f"{path} is damaged ({error}): {_RESTORE}") from error
    if found != "ok":
        raise DataError(f"{path} is damaged ({found.splitlines()[-1]}): {_RESTORE}")
    if not applied and mark_of(path).exists():
        raise DataError(
            f"{path} has no tables any more: {_RESTORE}; or delete it and {mark_of(path)} to begin "
            "anew, without what people asked"
        )
    if newer := newer_than_this(applied):
        raise DataError(
            f"{path} was written by a newer release ({', '.join(newer)}): install that "
            "one, or put a copy from before the upgrade back: `whimbrel restore BACKUP --replace`"
        )


def check_after(path: Path, connection: sqlite3.Connection) -> None:
    """Look for every table and column that this release uses.

    Raises:
        DataError: If one is missing.
    """
    if missing := sorted(wanted() - _pairs(columns_of(connection))):
        table, column = missing[0]
        raise DataError(f"{path} has no {table}.{column} any more: {_RESTORE}")


def mark(path: Path) -> None:
    """Mark that a database has its tables, once they are on the disk for good."""
    if not mark_of(path).exists():
        mark_of(path).touch(mode=0o600)


def check_read_only(path: Path) -> None:
    """Look whether there is a database, which is only to be read, with all that is read of it.

    Raises:
        DataError: If there is none, it is damaged, or an older release has written it.
    """
    if not path.is_file():
        raise DataError(f"there is no {path}; `whimbrel serve` makes it")
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        try:
            found = columns_of(connection)
        except sqlite3.OperationalError:  # as in `check_before`
            raise
        except sqlite3.DatabaseError as error:
            raise DataError(f"{path} is damaged ({error}): {_RESTORE}") from error
    if wanted() - _pairs(found):
        raise DataError(f"{path} is of an older release; `whimbrel serve` brings it up to date")


@cache
def wanted() -> frozenset[tuple[str, str]]:
    """The columns that every step together makes, each as its table and its name."""
    with closing(sqlite3.connect(":memory:")) as empty:
        migrations.apply(sqlite_utils.Database(empty))
        return _pairs(columns_of(empty))


def columns_of(connection: sqlite3.Connection) -> dict[str, dict[str, str]]:
    """The columns of all tables of SQLite, and their types."""
    rows = connection.execute(
        "SELECT tables.name, columns.name, columns.type"
        " FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns"
        " WHERE tables.type = 'table'"
    )
    tables: dict[str, dict[str, str]] = {}
    for table, column, type_ in rows:
        tables.setdefault(table, {})[column] = type_
    return tables


def _pairs(tables: dict[str, dict[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset((table, column) for table, columns in tables.items() for column in columns)


def newer_than_this(applied: Iterable[Migrations._AppliedMigration]) -> list[str]:
    """The steps that were taken and that this release does not know."""
    with closing(sqlite_utils.Database(memory=True)) as empty:
        known = {step.name for step in migrations.pending(empty)}
    return sorted({step.name for step in applied} - known)

"""Copies all that a database holds into an empty one, of whichever kind, and compares both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from graphlib import TopologicalSorter
from typing import Any

import sqlite_utils

from bot.store.connection import Connection, StoreError, quoted_names
from bot.store.database import Database
from bot.store.migrations import migrations
from retrieval.errors import DataError
from retrieval.progress import Progress

STEPS = migrations.migrations_table
"""Of each database its own."""

AT_ONCE = 1_000
"""So many rows are written in one transaction; what is broken off goes on behind them."""


def copy_all(
    source: Database,
    target: Database,
    *,
    on_progress: Progress = lambda *_: None,
) -> dict[str, int]:
    """Copy every table, and compare each row by its checksum; how many rows each table has.

    What another copy has left in the target is gone on with. The source is only read, as it is at
    one moment.

    Raises:
        DataError: If a row cannot be kept there, or what is there is not what was copied.
    """
    with source.snapshot():
        tables = _tables(source.connection)
        for table in tables:
            _copy(source.connection, target, table, on_progress)
        target.engine.renumber()
        counts = {}
        for table in tables:
            on_progress(f"comparing {table}", 0, 1)
            counts[table], wanted = _checksum(source.connection, table)
            if (counts[table], wanted) != _checksum(target.connection, table):
                raise DataError(
                    f"{table} is not the same on both sides: the target held something else, or "
                    "was written to meanwhile; begin again with an empty one"
                )
    return counts


def is_empty(database: Database) -> bool:
    """Whether a database holds no rows."""
    db = database.connection
    return not any(db.table(table).count for table in _tables(db) if table != "audit_anchor")


def _tables(db: Connection) -> list[str]:
    """The tables, those first that others refer to."""
    with closing(sqlite_utils.Database(memory=True)) as empty:
        migrations.apply(empty)
        order = TopologicalSorter(
            {t.name: {key.other_table for key in t.foreign_keys} for t in empty.tables}
        ).static_order()
        return [table for table in order if table in db.columns().keys() - {STEPS}]


def _copy(
    source: Connection,
    target: Database,
    table: str,
    on_progress: Progress,
) -> None:
    db = target.connection
    if table == "audit_anchor":
        db.table(table).delete_where("1 = 1")  # a new database has one, too
    count, done = source.table(table).count, db.table(table).count
    names = _names(source, table)
    (row,) = db.execute(f'SELECT coalesce(max(rowid), -1) FROM "{table}"')  # noqa: S608 - our names
    for rows in _batches(source, table, names, after=row[0]):
        try:
            with target.transaction():
                db.table(table).insert_all([dict(zip(names, row, strict=True)) for row in rows])
        except StoreError as error:
            raise DataError(f"{table}: a row cannot be kept there: {error}") from error
        done += len(rows)
        on_progress(table, done, count)


def _names(db: Connection, table: str) -> list[str]:
    """The columns; the rowid, too, where it is not the id."""
    columns = db.columns()[table]
    return [*columns] if columns.get("id") == "INTEGER" else ["rowid", *columns]


def _batches(
    db: Connection, table: str, names: list[str], *, after: int = -1
) -> Iterator[list[tuple[Any, ...]]]:
    listed = quoted_names(names)
    sql = f'SELECT rowid, {listed} FROM "{table}" WHERE rowid > ? ORDER BY rowid LIMIT {AT_ONCE}'  # noqa: S608 - our names
    while rows := db.execute(sql, (after,)).fetchall():
        after = rows[-1][0]
        yield [tuple(map(_kept, row[1:])) for row in rows]


def _kept(value: object) -> object:
    """A value as every database keeps it: Postgres has no NUL in texts."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value


def _checksum(db: Connection, table: str) -> tuple[int, str]:
    """How many rows a table has, and the SHA-256 of all of them in their order."""
    digest, count = hashlib.sha256(), 0
    for rows in _batches(db, table, sorted(_names(db, table))):
        count += len(rows)
        for row in rows:
            digest.update(repr(row).encode(errors="replace"))
    return count, digest.hexdigest()

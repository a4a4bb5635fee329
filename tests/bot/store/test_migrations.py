from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlite_utils
from sqlite_utils import Migrations

from bot.store.database import Database
from bot.store.migrations import migrations


def test_the_steps_are_taken_in_the_order_of_their_numbers() -> None:
    database = sqlite_utils.Database(memory=True)
    numbers = [int(step.name[1:4]) for step in migrations.pending(database)]
    database.close()
    assert numbers == [*range(1, len(numbers) + 1)]


def test_a_database_that_took_the_steps_in_another_order_stays_as_it_is(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    steps = migrations.pending(sqlite_utils.Database(connection))
    steps[7:9] = reversed(steps[7:9])
    earlier = Migrations("whimbrel")
    for step in steps:
        earlier(name=step.name)(step.fn)
    earlier.apply(sqlite_utils.Database(connection))
    before = [*connection.iterdump()]
    Database(tmp_path / "a.db").close()
    assert [*connection.iterdump()] == before
    connection.close()

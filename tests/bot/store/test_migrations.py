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


def test_what_earlier_releases_heard_in_private_gets_the_label_of_its_place(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    earlier = Migrations("whimbrel")
    for step in migrations.pending(sqlite_utils.Database(connection))[:13]:
        earlier(name=step.name)(step.fn)
    db = sqlite_utils.Database(connection)
    earlier.apply(db)
    places = {"dm": ("D1", 1, "1.0"), "ask": ("C1", 1, None), "team": ("G1", 1, "1.0")}
    for id_, (channel, is_private, reply_ts) in (places | {"all": ("C1", 0, "1.0")}).items():
        row = {"id": id_, "channel": channel, "is_private": is_private, "reply_ts": reply_ts}
        db.table("turns").insert(row | {"asker": "U1", "audience": '["public"]'})
        row = {"question": "?", "answer": "!", "audience": '["public"]', "turn_id": id_}
        db.table("curated").insert(row)
    connection.close()
    database = Database(tmp_path / "a.db")
    turns = dict(database.connection.conn.execute("SELECT id, audience FROM turns"))
    curated = dict(database.connection.conn.execute("SELECT turn_id, audience FROM curated"))
    database.close()
    labels = {"dm": "in:U1", "ask": "in:U1", "team": "in:G1"}
    wanted = {id_: f'["public","{label}"]' for id_, label in labels.items()}
    assert turns == curated == wanted | {"all": '["public"]'}

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils
from sqlite_utils import Migrations

from bot.app.backup import back_up, restore
from bot.export.log_reader import read_log
from bot.store.cards import Cards
from bot.store.database import Database
from bot.store.log import ConversationLog
from bot.store.migrations import migrations
from bot.store.turns import Turns
from retrieval.settings import Settings
from tests.bot.conftest import House
from tests.bot.story import story
from tests.slack_server import event, mention

RELEASES = sorted((Path(__file__).parent / "releases").glob("*.sql"))
"""What a bot of each release has left, written down by `sqlite3 whimbrel.db .dump`."""

STEPS = [step.name for step in migrations.pending(sqlite_utils.Database(memory=True))]

RELABELLED = ("turns", "reviews", "curated")
"""Tables whose `audience` is changed on the way."""


def of_release(dump: Path, path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
    return path


def rows_of(path: Path, like: dict[str, list[dict[str, Any]]] | None = None) -> dict[str, Any]:
    """The rows of every table but that of the steps, of the columns that other rows have."""
    with closing(sqlite_utils.Database(path)) as db:
        found = {
            table.name: list(table.rows)
            for table in db.tables
            if table.name != "_sqlite_migrations" and (like is None or table.name in like)
        }
    for name, rows in found.items():
        for row in rows:
            for column in list(row):
                is_new = like is not None and like[name] and column not in like[name][0]
                if is_new or (column == "audience" and name in RELABELLED):
                    del row[column]
    return found


def test_the_steps_are_taken_in_the_order_of_their_numbers() -> None:
    database = sqlite_utils.Database(memory=True)
    numbers = [int(step.name[1:4]) for step in migrations.pending(database)]
    database.close()
    assert numbers == sorted(set(numbers))


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
    turns = dict[Any, Any](database.connection.execute("SELECT id, audience FROM turns"))
    curated = dict[Any, Any](database.connection.execute("SELECT turn_id, audience FROM curated"))
    database.close()
    labels = {"dm": "in:U1", "ask": "in:U1", "team": "in:G1"}
    wanted = {id_: f'["public","{label}"]' for id_, label in labels.items()}
    assert turns == curated == wanted | {"all": '["public"]'}


@pytest.mark.parametrize("dump", RELEASES, ids=lambda dump: dump.stem)
def test_a_database_of_every_release_keeps_all_that_it_holds(dump: Path, tmp_path: Path) -> None:
    path = of_release(dump, tmp_path / "whimbrel.db")
    before = rows_of(path)
    database = Database(path)
    with closing(sqlite_utils.Database(path)) as opened:
        assert migrations.pending(opened) == []
    log, turns = read_log(database), Turns(database)
    ids = [row["id"] for row in before["turns"]]
    assert [turns.get(id_) is not None for id_ in ids] == len(ids) * [True]
    assert [Cards(database).turn(id_) is not None for id_ in ids] == len(ids) * [True]
    assert {turn.id for turn in log.turns} <= set(ids)
    assert ConversationLog(database).count() == len(ids)
    database.close()
    assert rows_of(path, before) == before
    assert len(before["turns"]) >= 3


@pytest.mark.parametrize("dump", RELEASES, ids=lambda dump: dump.stem)
async def test_a_bot_goes_on_from_a_database_of_every_release(dump: Path, house: House) -> None:
    of_release(dump, house.folder / "whimbrel.db")
    told = await story(house)
    told.done = told.bot.inbox.counts()["done"]
    again = "How many days of paid leave do I have, now?"
    ts = "99.1"
    await told.send(event(mention(again, ts=ts, channel="C5"), "EvAfter"))
    assert told.slack.posted("C5")[-1]["thread_ts"] == ts


@pytest.mark.parametrize("dump", RELEASES, ids=lambda dump: dump.stem)
def test_a_backup_is_put_back_for_the_release_that_wrote_it(dump: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    settings.home.mkdir()
    of_release(dump, settings.database_file)
    before = _schema(settings.database_file)
    back_up(settings, tmp_path / "before-upgrade.tar")
    Database(settings.database_file).close()
    assert _schema(settings.database_file) != before
    restore(settings, tmp_path / "before-upgrade.tar", replaces=True)
    assert _schema(settings.database_file) == before


@pytest.mark.parametrize("count", range(1, len(STEPS)))
def test_a_database_that_took_only_the_first_steps_keeps_its_rows(
    tmp_path: Path, count: int
) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        db = sqlite_utils.Database(connection)
        earlier = Migrations("whimbrel")
        for step in migrations.pending(db)[:count]:
            earlier(name=step.name)(step.fn)
        earlier.apply(db)
        connection.execute("PRAGMA foreign_keys=OFF")
        for table in [t for t in db.tables if t.name not in ("_sqlite_migrations", "audit_anchor")]:
            table.insert({c.name: _value(c.type, c.name) for c in table.columns})
    before = rows_of(path)
    Database(path).close()
    assert rows_of(path, before) == before


def _value(kind: str, name: str) -> object:
    if name in ("citations", "hits", "audience"):
        return "[]"
    return {"INTEGER": 1, "FLOAT": 1.5, "REAL": 1.5, "BLOB": b"x"}.get(kind, f"a {name}")


def _schema(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [*map(str, connection.execute("SELECT name, sql FROM sqlite_master ORDER BY 1"))]

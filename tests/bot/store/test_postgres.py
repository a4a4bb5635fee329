"""What only Postgres does: a server that fails, several who lead, addresses, copies."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.privacy.forgetting import Forgetting
from bot.store.connection import StoreError, StoreUnavailableError
from bot.store.database import Database
from bot.store.inbox import Delivery, Inbox
from bot.store.leadership import Leadership
from retrieval.errors import DataError, SettingsError
from tests.bot.logged import logged
from tests.slack_server import WAIT_S

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

DATABASE = "postgres"


@pytest.fixture
def other(tmp_path: Path, address: str) -> Iterator[Database]:
    """Another bot's way to the same database."""
    with closing(Database(tmp_path / "other.db", address=address)) as database:
        yield database


def delivery(event_id: str, thread: str = "") -> Delivery:
    return Delivery(event_id, "question", "T1", "C1", "U1", thread or event_id, {"n": 1})


@pytest.mark.slow
async def test_a_server_that_comes_back_is_used_again(
    postgres: PostgresServer, database: Database
) -> None:
    inbox = Inbox(database)
    inbox.accept(delivery("Ev1"))
    postgres.kill()
    with pytest.raises(StoreUnavailableError):
        await database.run_within(0.5, inbox.accept, delivery("Ev2"))
    postgres.start()
    assert inbox.accept(delivery("Ev2"))
    assert inbox.counts() == {"todo": 2}


def test_two_workers_never_claim_the_same_nor_wait_for_each_other(
    database: Database, other: Database
) -> None:
    mine, theirs = Inbox(database), Inbox(other)
    for n in range(4):
        mine.accept(delivery(f"Ev{n}", thread=f"t{n % 2}"))
    with database.transaction():
        first = mine.claim("w1", ("question",))
        second = theirs.claim("w2", ("question",))
        assert first is not None
        assert second is not None
        assert {first.event_id, second.event_id} == {"Ev0", "Ev1"}
        assert theirs.claim("w2", ("question",)) is None  # the others come after these
    mine.finish(first)
    third = theirs.claim("w2", ("question",))
    assert third is not None
    assert third.event_id == "Ev2"


def test_deliveries_have_the_order_in_which_they_are_there_for_all(
    database: Database, other: Database
) -> None:
    """An id that is lower and comes later would let a thread's second question go first."""
    begun, done = threading.Event(), threading.Event()

    def accept() -> None:
        begun.set()
        Inbox(other).accept(delivery("Ev2", thread="t"))
        done.set()

    with database.transaction():
        Inbox(database).accept(delivery("Ev1", thread="t"))
        thread = threading.Thread(target=accept)
        thread.start()
        begun.wait()
        assert not done.wait(0.2)
    thread.join()
    claimed = Inbox(other).claim("w", ("question",))
    assert claimed is not None
    assert claimed.event_id == "Ev1"


def test_who_is_forgotten_is_forgotten_before_anything_else_is_written(
    database: Database, other: Database
) -> None:
    logged(database, "How many days?", asker="U0GRACE1")
    forgetting = threading.Thread(
        target=lambda: Forgetting(Inbox(database)).forget_person("U0GRACE1")
    )
    with other.transaction() as db:
        turn = logged(other, "How many weeks?", asker="U0GRACE1")
        forgetting.start()
        forgetting.join(0.3)
        assert forgetting.is_alive()  # it waits for us
        assert db.table("turns").count == 2
    forgetting.join()
    assert turn
    assert database.connection.table("turns").count == 0


async def test_one_leads_at_a_time_and_another_when_it_ends(
    database: Database, other: Database
) -> None:
    began: asyncio.Queue[str] = asyncio.Queue()

    def leading(name: str, of: Database) -> asyncio.Task[None]:
        async def work() -> None:
            await began.put(name)
            await asyncio.Event().wait()

        leadership = Leadership(of, look_s=0.05)
        return asyncio.create_task(leadership.run(work))

    first = leading("first", database)
    assert await asyncio.wait_for(began.get(), WAIT_S) == "first"
    second = leading("second", other)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(began.get(), 0.3)
    first.cancel()
    assert await asyncio.wait_for(began.get(), WAIT_S) == "second"
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)


async def test_what_one_accepts_wakes_the_others(database: Database, other: Database) -> None:
    news: asyncio.Queue[str] = asyncio.Queue()
    hearing = asyncio.create_task(Leadership(database, on_news=news.put_nowait, look_s=30).run())
    assert await asyncio.wait_for(news.get(), WAIT_S) == ""  # it listens, and anything may be there
    await other.run(Inbox(other).accept, delivery("Ev1"))
    assert await asyncio.wait_for(news.get(), WAIT_S) == "question"
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)


def test_a_text_with_what_postgres_does_not_keep_is_kept_without_it(database: Database) -> None:
    row = {"channel": "C1", "thread_ts": "a\0b"}
    database.connection.table("stops").insert(row)
    assert list(database.connection.table("stops").rows) == [row | {"thread_ts": "a\ufffdb"}]


def test_flags_large_numbers_and_bytes_are_kept_as_they_are(database: Database) -> None:
    db = database.connection
    review = {"event_id": "E", "question": "?", "answer": "100 %", "audience": "[]", "state": "o"}
    db.table("curated").insert(
        {"id": 2**62, "question": "?", "answer": "!", "audience": "[]", "vector": b"\0\xff%"}
    )
    db.table("reviews").insert(review)
    (row,) = db.execute("SELECT id, vector FROM curated")
    assert row == (2**62, b"\0\xff%")
    found = db.execute("SELECT answer FROM reviews WHERE answer LIKE '1%'")
    assert found.fetchall() == [("100 %",)]
    db.table("people").insert({"person": "U1", "may_learn": True})
    assert db.execute("SELECT may_learn FROM people").fetchone() == (1,)


def test_what_is_purged_is_in_no_table_file_any_more(
    database: Database, postgres: PostgresServer
) -> None:
    with database.transaction() as db:
        for n in range(200):
            db.table("held_out").insert({"key": f"{n}", "question": f"canary{n}" * 20, "at": ""})
    with database.erasing() as db:
        db.table("held_out").delete_where("1 = 1")
    assert database.rewrite()
    tables = (postgres.folder / "data" / "base").rglob("*")
    assert not any(b"canary1" in path.read_bytes() for path in tables if path.is_file())


def test_one_that_is_only_read_refuses_to_be_written_to(tmp_path: Path, address: str) -> None:
    with closing(Database(tmp_path / "a.db", address=address, is_read_only=True)) as database:
        assert database.connection.table("turns").count == 0
        with pytest.raises(StoreError, match="read-only"):
            database.connection.table("stops").insert({"channel": "C1", "thread_ts": "1"})


def test_tables_of_a_newer_release_are_refused(
    tmp_path: Path, address: str, database: Database
) -> None:
    step = {"migration_set": "whimbrel", "name": "m999_later", "applied_at": "now"}
    database.connection.table("_sqlite_migrations").insert(step)
    with pytest.raises(DataError, match=r"newer release \(m999_later\)"):
        Database(tmp_path / "a.db", address=address)


def test_a_column_that_is_gone_is_named(tmp_path: Path, address: str, database: Database) -> None:
    database.connection.execute("ALTER TABLE votes DROP COLUMN value")
    with pytest.raises(DataError, match=r"has no votes\.value"):
        Database(tmp_path / "a.db", address=address)


def test_two_that_start_at_once_make_the_tables_once(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    address = postgres.empty("at_once")
    opened: list[Database] = []

    def start(n: int) -> None:
        opened.append(Database(tmp_path / f"{n}.db", address=address))

    threads = [threading.Thread(target=start, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 3
    for database in opened:
        database.close()
    postgres.drop(address)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("postgresql://bot:secret@127.0.0.1:1/whimbrel", "whimbrel on 127.0.0.1:1: "),
        ("postgresql://bot:secret@h/whimbrel?such=none", "no address of Postgres"),
        ("postgresql://bot:%secret@h/whimbrel", "no address of Postgres"),
        ("postgresql://bot:12/secret@h/whimbrel", "%2F"),
        ("postgresql://bot:12@secret@h/whimbrel", "%40"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_without_its_password(
    tmp_path: Path, address: str, told: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        Database(tmp_path / "a.db", address=address)
    assert told in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_keep_every_text_is_refused(
    postgres: PostgresServer, tmp_path: Path, encoding: str
) -> None:
    address = postgres.empty(f"in_{encoding.lower()}", encoding=encoding)
    with pytest.raises(SettingsError, match=f"as {encoding}, .* --encoding UTF8"):
        Database(tmp_path / "a.db", address=address)


def test_texts_are_sent_as_they_are_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with closing(Database(tmp_path / "a.db", address=address)) as database:
        (row,) = database.connection.execute("SELECT CAST(? AS TEXT)", ("年假",))
    assert row == ("年假",)


def test_a_database_of_somebody_else_is_told_with_its_name(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    import psycopg  # an extra

    address = postgres.empty("of_others")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN")
    with pytest.raises(SettingsError, match=r"of_others .* belong to the user in the address"):
        Database(tmp_path / "a.db", address=address.replace("postgres:@", "guest@"))

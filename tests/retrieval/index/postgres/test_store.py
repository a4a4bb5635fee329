"""Tests of an index that workers share in Postgres."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import sql
from psycopg.rows import namedtuple_row
from pydantic import SecretStr

from retrieval.doctor import Finding, checks
from retrieval.errors import (
    BusyError,
    IndexCorruptError,
    IndexNotFoundError,
    IndexUnreachableError,
    SettingsError,
)
from retrieval.index.building import update_index
from retrieval.index.content import read_content
from retrieval.index.generation import current, rollback, verify
from retrieval.index.library import Library
from retrieval.index.postgres.pulling import read_sources
from retrieval.index.postgres.server import Server
from retrieval.index.postgres.store import PostgresStore
from retrieval.index.scope import Scope
from retrieval.index.store import index_store, is_indexed
from retrieval.records import PUBLIC, Hit
from retrieval.registry.folders import drop_kept
from retrieval.settings import Settings
from tests.postgres_server import PostgresServer
from tests.retrieval.word_embedder import WordEmbedder

LEAVE = "# Leave\n\nEvery employee has thirty days of paid leave a year.\n"
PAY = "# Pay\n\nSalary bands are secret, zebra.\n"
EVERYBODY = frozenset({PUBLIC})
HR = frozenset({PUBLIC, "hr"})


class Worker:
    """A worker with a home of its own, that shares an index with others."""

    def __init__(self, home: Path, address: str, docs: Path) -> None:
        self.docs = docs
        self.settings = Settings(
            home=home, index=SecretStr(address), audiences={"docs/pay.md": "hr"}, parse_seconds=20
        )
        self.library = Library(self.settings, WordEmbedder())

    @property
    def store(self) -> PostgresStore:
        store = index_store(self.settings)
        assert isinstance(store, PostgresStore)
        return store

    def index(self) -> int:
        """How many texts were embedded."""
        return update_index([self.docs], self.settings, WordEmbedder()).embedded

    def texts(self, query: str, labels: frozenset[str] = EVERYBODY, k: int = 8) -> list[str]:
        return texts_of(self.library.searcher().search(query, audience=labels, k=k))


def texts_of(hits: list[Hit]) -> list[str]:
    return [hit.passage.text.split("\n")[-1] for hit in hits]


def rows_of(connection: psycopg.Connection[Any], table: str) -> list[Any]:
    cursor = connection.cursor(row_factory=namedtuple_row)
    return cursor.execute(sql.SQL("select * from {}").format(sql.Identifier(table))).fetchall()


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "leave.md").write_text(LEAVE)
    (folder / "pay.md").write_text(PAY)
    return folder


@pytest.fixture
def builder(tmp_path: Path, index_address: str, docs: Path) -> Worker:
    return Worker(tmp_path / "builder", index_address, docs)


@pytest.fixture
def other(tmp_path: Path, index_address: str, docs: Path) -> Worker:
    return Worker(tmp_path / "other", index_address, docs)


@pytest.fixture
def owner(index_address: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(index_address, autocommit=True) as connection:
        connection.execute("set search_path to whimbrel_index, public")
        yield connection


def test_a_worker_with_an_empty_home_searches_what_another_one_indexed(
    builder: Worker, other: Worker
) -> None:
    builder.index()
    assert other.texts("paid leave")[0].startswith("Every employee has thirty")
    assert not other.settings.index_folder.exists()
    assert [source.id for source in other.store.sources()] == ["docs/leave.md", "docs/pay.md"]
    assert other.store.account().read == 2


def test_an_outdated_document_stands_lower_until_it_changes(builder: Worker) -> None:
    (builder.docs / "holidays.md").write_text("# Holidays\n\nTwelve days are paid holidays.\n")
    builder.index()
    (leave,) = (s for s in builder.store.sources() if s.id == "docs/leave.md")
    outdated = {leave.id: leave.sha256}

    def first() -> str:
        hits = builder.library.searcher().search("paid leave", outdated=outdated)
        assert PAY.split("\n")[-2] not in texts_of(hits)
        return hits[0].passage.source.id

    assert builder.texts("paid leave")[0].startswith("Every employee")
    assert first() == "docs/holidays.md"
    (builder.docs / "leave.md").write_text(LEAVE.replace("thirty", "31"))
    builder.index()
    assert first() == leave.id


def test_before_anything_is_indexed_that_is_said(other: Worker) -> None:
    assert not is_indexed(other.settings)
    with pytest.raises(IndexNotFoundError, match="run `whimbrel index FOLDER`"):
        other.texts("leave")


def test_another_worker_builds_on_what_is_served_and_embeds_what_is_new(
    builder: Worker, other: Worker
) -> None:
    assert builder.index() == 2
    (other.docs / "travel.md").write_text("# Travel\n\nBook trains early.\n")
    assert other.index() == 1
    assert builder.texts("trains")[0] == "Book trains early."
    first, second = builder.settings.index_folder, other.settings.index_folder
    assert builder.index() == 0
    assert current(first).name == current(second).name
    assert read_content(current(first)).is_same(read_content(current(second)))


def test_an_embedded_index_is_taken_over_and_back_without_embedding(
    builder: Worker, other: Worker
) -> None:
    update_index([builder.docs], builder.settings.apart(builder.settings.home), WordEmbedder())
    embedded = read_content(current(builder.settings.index_folder))
    assert builder.index() == 0
    assert other.index() == 0
    apart = other.settings.apart(other.settings.home)
    assert update_index([], apart, WordEmbedder()).embedded == 0
    back = read_content(current(apart.index_folder))
    assert back.is_same(embedded)
    assert (back.vectors == embedded.vectors).all()


def test_a_label_that_becomes_stricter_holds_at_once_for_who_searches_already(
    builder: Worker,
) -> None:
    builder.index()
    searcher = builder.library.searcher()
    assert searcher.search("leave")
    stricter = {"docs/pay.md": "hr", "docs/leave.md": "hr"}
    settings = builder.settings.model_copy(update={"audiences": stricter})
    assert update_index([], settings, WordEmbedder()).embedded == 0
    assert searcher.search("leave") == []
    assert builder.texts("leave") == []
    assert builder.texts("leave", HR)


def test_without_our_filter_nothing_is_seen_that_the_labels_do_not_let(
    builder: Worker, owner: psycopg.Connection
) -> None:
    builder.index()
    tables = ("passages", "documents", "postings")
    assert owner.execute("show is_superuser").fetchone() == ("off",)
    for table in tables:
        assert rows_of(owner, table) == []
    with owner.transaction():
        owner.execute("set local role whimbrel_reader")
        for table in tables:
            assert rows_of(owner, table) == []
    for labels, told in ((EVERYBODY, {PUBLIC}), (HR, HR), (frozenset(), set())):
        with Server(builder.store.server.address).reading(labels) as connection:
            for table in tables:
                assert {row.label for row in rows_of(connection, table)} == told
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute("select * from terms")
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute("select * from lists")


def test_what_a_transaction_could_read_ends_with_it(builder: Worker) -> None:
    builder.index()
    server = builder.store.server
    with server.reading(HR) as connection:
        assert connection.execute("select from passages").fetchall()
    with server.plain() as connection:
        assert connection.execute("select from passages").fetchall() == []


def test_rolling_back_serves_what_was_before_with_the_labels_of_now(builder: Worker) -> None:
    builder.index()
    (builder.docs / "leave.md").write_text(LEAVE.replace("thirty", "forty"))
    builder.index()
    before, after = builder.store.served(), builder.store.kept()
    with builder.store.building():
        rollback(builder.settings.index_folder)
    assert (builder.store.served(), builder.store.kept()) == (after, before)
    assert "thirty" in builder.texts("leave")[0]
    with builder.store.building():
        rollback(builder.settings.index_folder)
    assert "forty" in builder.texts("leave")[0]
    stricter = builder.settings.model_copy(update={"audiences": {"docs/*": "hr"}})
    update_index([], stricter, WordEmbedder())
    with builder.store.building():
        assert rollback(builder.settings.index_folder).relabelled == 1
    assert builder.texts("leave") == []
    assert "forty" in builder.texts("leave", HR)[0]


@pytest.mark.parametrize(("before", "after"), [("hr", PUBLIC), (PUBLIC, "hr")])
def test_going_back_shows_each_audience_what_an_index_of_its_own_would(
    builder: Worker, tmp_path: Path, before: str, after: str
) -> None:
    shared, alone = builder.settings, builder.settings.apart(tmp_path / "alone")
    seen = []
    for settings in (shared, alone):
        for label, days in ((before, "thirty"), (after, "forty")):
            (builder.docs / "leave.md").write_text(LEAVE.replace("thirty", days))
            own = settings.model_copy(update={"audiences": {"docs/leave.md": label}})
            update_index([builder.docs], own, WordEmbedder())
        with index_store(settings).building():
            rollback(settings.index_folder)
        searcher = Library(settings, WordEmbedder()).searcher()
        seen.append([texts_of(searcher.search("days", audience=who)) for who in (EVERYBODY, HR)])
    assert seen[0] == seen[1]


def test_after_going_back_the_next_build_goes_on_from_there(builder: Worker) -> None:
    builder.index()
    (builder.docs / "leave.md").unlink()
    builder.index()
    with builder.store.building():
        rollback(builder.settings.index_folder)
    (builder.docs / "leave.md").write_text(LEAVE)
    (builder.docs / "travel.md").write_text("# Travel\n\nBook trains early.\n")
    assert builder.index() == 1
    assert "thirty" in builder.texts("leave")[0]
    assert builder.texts("trains")[0] == "Book trains early."


def test_what_is_purged_is_gone_from_every_table(builder: Worker) -> None:
    (builder.docs / "gone.md").write_text("# Gone\n\nThe canary quetzalcoatl sings.\n")
    builder.index()
    (builder.docs / "gone.md").unlink()
    builder.index()
    assert builder.texts("quetzalcoatl") == builder.texts("nothing")
    with builder.store.building():
        assert len(drop_kept(builder.settings.index_folder)) == 1
    assert builder.store.kept() is None
    for table in ("passages", "documents", "postings", "terms", "lists", "generations"):
        with Server(builder.store.server.address).owning() as connection:
            rows = list(map(str, rows_of(connection, table)))
        assert rows
        assert not [row for row in rows if "quetzalcoatl" in row or "gone.md" in row]


def test_what_is_read_at_once_is_of_one_generation_also_when_that_goes(builder: Worker) -> None:
    builder.index()
    index = builder.library.searcher().index
    with builder.store.server.plain() as connection:
        served = "select number from generations join served on generation = number"
        number = connection.execute(served).fetchone()
        assert number is not None
        for word in ("forty", "fifty"):
            (builder.docs / "leave.md").write_text(LEAVE.replace("thirty", word))
            builder.index()
        assert connection.execute(served).fetchone() == number
        assert len(read_sources(connection, number[0])) == 2
    reading: list[Callable[[], object]] = [
        lambda: index.sources,
        lambda: index.vectors,
        lambda: [*index.passages],
        lambda: index.passages[0],
        index.in_memory,
    ]
    for read in reading:
        with pytest.raises(BusyError, match="try again"):
            read()
    assert index.find("pay", WordEmbedder().embed_query("pay"), Scope(HR), 5).rows.size


def test_words_weigh_as_in_memory_after_many_builds(builder: Worker, tmp_path: Path) -> None:
    for n in range(4):
        for file in range(6):
            text = f"Number {n * file} of printers {'leave ' * (n % 3)} room{file * n}.\n"
            (builder.docs / f"{file}.md").write_text(f"# File {file}\n\n{text}")
        if n == 2:
            (builder.docs / "2.md").unlink()
        builder.index()
    alone = builder.settings.apart(tmp_path / "alone")
    update_index([builder.docs], alone, WordEmbedder())
    in_memory = Library(alone, WordEmbedder()).searcher()
    for query in ("printers leave", "room5 number", "员工 salary zebra", "the"):
        for labels in (EVERYBODY, HR):
            shared = builder.library.searcher().search(query, k=20, audience=labels)
            embedded = in_memory.search(query, k=20, audience=labels)
            assert {hit.passage.id for hit in shared} == {hit.passage.id for hit in embedded}
            scores = {hit.passage.id: hit for hit in embedded}
            for hit in shared:
                like = scores[hit.passage.id]
                assert hit.score == pytest.approx(like.score, abs=1e-3)
                assert hit.dense == pytest.approx(like.dense, abs=1e-5)
                assert hit.lexical == pytest.approx(like.lexical, abs=1e-5)
    assert builder.library.searcher().count_documents(sources=["docs/1"]) == 1
    hits = builder.library.searcher().search("number", sources=["docs/1", "docs/3"])
    assert {hit.passage.source.id for hit in hits} == {"docs/1.md", "docs/3.md"}


@pytest.mark.parametrize("sources", [(), ("docs/b",), ("docs/b1",), ("docs/b17",)])
def test_the_best_of_many_are_those_of_the_index_in_memory(
    builder: Worker, sources: tuple[str, ...]
) -> None:
    for n in range(60):
        # By words all of the first kind are better, by vectors the last ones of the second.
        better = f"# A\n\n{'printer ' * 3}{'room ' * n}\n"
        far = f"# B\n\nprinter {'paper ' * (70 + n)}{'and ' * n}\n"
        (builder.docs / f"a{n}.md").write_text(better)
        (builder.docs / f"b{n}.md").write_text(far)
    alone = builder.settings.apart(builder.settings.home)
    update_index([builder.docs], alone, WordEmbedder())
    address, folder = builder.store.server.address, builder.settings.index_folder
    store = PostgresStore(address, folder, exact_limit=50)  # more are walked
    with store.building(), store.server.owning() as connection:
        assert connection.execute("select from pg_indexes where indexdef ~ 'hnsw'").fetchall()
    shared = store.load(WordEmbedder())
    asked = ("printer and", WordEmbedder().embed_query("printer and"), Scope(EVERYBODY, sources), 5)
    found, wanted = (
        [sorted(scores.tolist())[-5:] for scores in (of.bm25, of.cosines)]
        for of in (index.find(*asked) for index in (shared, shared.in_memory()))
    )
    assert found == [pytest.approx(scores, abs=1e-5) for scores in wanted]
    assert wanted[0][-1] > 0


def test_words_that_may_be_seen_are_counted_as_in_memory(builder: Worker) -> None:
    builder.index()
    index = builder.library.searcher().index
    for labels in (EVERYBODY, HR, frozenset({"hr"})):
        asked, scope = ["leav", "secret", "zebra", "nothing"], Scope(labels)
        assert index.frequencies(asked, scope) == index.in_memory().frequencies(asked, scope)
    assert index.frequencies(["zebra"], Scope(EVERYBODY)) == {}


def test_words_of_what_is_for_others_by_now_count_no_more(builder: Worker) -> None:
    (builder.docs / "pay.md").write_text("# Pay\n\nAll may know of the okapi.\n")
    builder.settings = builder.settings.model_copy(update={"audiences": {}})
    builder.index()
    builder.settings = builder.settings.model_copy(update={"audiences": {"docs/pay.md": "hr"}})
    builder.index()
    index = builder.library.searcher().index
    told = [index.frequencies(["okapi"], Scope(labels)) for labels in (EVERYBODY, HR)]
    assert told == [{}, {"okapi": 1}]


def test_a_word_longer_than_postgres_indexes_keeps_no_document_out(builder: Worker) -> None:
    word = random.Random(0).randbytes(5_000).hex()
    (builder.docs / "key.md").write_text(f"# Key\n\n{word}\n")
    builder.index()
    part = next(p.text for p in builder.store.passages() if p.source.id.endswith("key.md"))
    longest = max(part.split(), key=len)
    (best, *_) = builder.library.searcher().search(longest, audience=EVERYBODY)
    assert best.passage.source.id == "docs/key.md"
    assert best.lexical


@pytest.mark.parametrize("odd", ["docs/\0", "\ud800"], ids=["NUL", "surrogate"])
def test_what_postgres_cannot_keep_finds_nothing(builder: Worker, odd: str) -> None:
    builder.index()
    searcher = builder.library.searcher()
    assert searcher.search(odd, audience=EVERYBODY)
    assert not searcher.search("leave", audience=EVERYBODY, sources=[odd])
    assert searcher.count_documents(audience=EVERYBODY, sources=[odd]) == 0
    assert not searcher.search("leave", audience=frozenset({odd}))
    assert searcher.search("leave", audience=EVERYBODY | {odd})
    assert searcher.index.passage(odd, odd) is None


def test_a_file_whose_name_is_no_text_is_published_also_when_it_is_there_before(
    builder: Worker, other: Worker
) -> None:
    (builder.docs / os.fsdecode(b"caf\xe9.md")).write_text("# Menu\n\nThe quokka eats here.\n")
    for worker in (builder, builder, other):
        worker.index()
    assert other.texts("quokka", k=1) == ["The quokka eats here."]


def test_a_document_far_down_is_kept(builder: Worker) -> None:
    parts = [random.Random(n).randbytes(100).hex() for n in range(15)]
    folder = builder.docs
    for part in parts:
        folder /= part
    folder.mkdir(parents=True)
    (folder / "deep.md").write_text("# Deep\n\nThe quokka lives here.\n")
    builder.index()
    assert builder.texts("quokka", k=1) == ["The quokka lives here."]


def test_neighbours_of_a_passage_are_those_of_the_index_in_memory(
    builder: Worker, tmp_path: Path
) -> None:
    parts = [f"## Part {n // 3}\n\n" + f"word{n} and more of it. " * 30 for n in range(9)]
    (builder.docs / "long.md").write_text("# Long\n\n" + "\n\n".join(parts))
    settings = builder.settings.model_copy(update={"passage_tokens": 32})
    update_index([builder.docs], settings, WordEmbedder())
    alone = settings.apart(tmp_path / "alone")
    update_index([builder.docs], alone, WordEmbedder())
    shared = builder.library.searcher()
    in_memory = Library(alone, WordEmbedder()).searcher()
    passages = in_memory.index.passages
    assert list(shared.index.passages) == list(passages)
    assert (shared.index.vectors == in_memory.index.vectors).all()
    for passage in passages[::5]:
        for most in (1, 3, 50):
            assert shared.around(passage, most=most) == in_memory.around(passage, most=most)
        assert shared.under(passage, 1) == in_memory.under(passage, 1)
    stranger = replace(passages[0], id="?", source=replace(passages[0].source, id="?"))
    assert shared.around(stranger, most=3) == shared.under(stranger, 1) == [stranger]


def test_two_do_not_build_at_once(builder: Worker, other: Worker) -> None:
    builder.index()
    with builder.store.building(), pytest.raises(BusyError, match="being built already"):
        other.index()
    assert other.index() == 0


def test_a_generation_that_arrives_otherwise_than_it_was_sent_is_not_published(
    builder: Worker, owner: psycopg.Connection
) -> None:
    builder.index()
    owner.execute(
        "create function spoil() returns trigger language plpgsql as"
        " $$ begin new.body := replace(new.body, 'forty', 'fifty'); return new; end $$"
    )
    owner.execute(
        "create trigger spoil before insert on passages for each row execute function spoil()"
    )
    (builder.docs / "leave.md").write_text(LEAVE.replace("thirty", "forty"))
    served = builder.store.served()
    with pytest.raises(IndexCorruptError, match="is not published"):
        builder.index()
    assert builder.store.served() == served
    assert "thirty" in builder.texts("leave")[0]
    owner.execute("drop trigger spoil on passages")
    assert builder.index() == 0
    assert "forty" in builder.texts("leave")[0]


def test_what_cannot_be_published_is_left_behind_once_it_is_mended(
    builder: Worker, owner: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    builder.index()
    owner.execute(
        "create function refuse() returns trigger language plpgsql as $$ begin"
        " if new.body ~ 'forty' then raise data_exception; end if; return new; end $$"
    )
    owner.execute(
        "create trigger refuse before insert on passages for each row execute function refuse()"
    )
    (builder.docs / "leave.md").write_text(LEAVE.replace("thirty", "forty"))
    for _ in range(2):
        with pytest.raises(psycopg.Error):
            builder.index()
    (builder.docs / "leave.md").write_text(LEAVE.replace("thirty", "fifty"))
    builder.index()
    assert "what was built before is not served" in caplog.text
    assert "fifty" in builder.texts("leave")[0]
    assert builder.index() == 0


def test_a_damaged_generation_is_not_taken_over(
    builder: Worker, other: Worker, owner: psycopg.Connection
) -> None:
    builder.index()
    with owner.transaction():
        owner.execute("select set_config('whimbrel.builds', 'on', true)")
        owner.execute("update passages set body = replace(body, 'thirty', 'ninety')")
    with pytest.raises(IndexCorruptError, match="is not what was written"):
        other.index()


def test_a_damaged_workbench_is_mended_by_the_server(builder: Worker) -> None:
    builder.index()
    served = current(builder.settings.index_folder)
    (served / "vectors.npy").write_bytes(b"?")
    assert builder.index() == 0
    verify(current(builder.settings.index_folder))


def test_passages_that_are_read_one_by_one_are_those_of_the_index_in_memory(
    builder: Worker,
) -> None:
    for name in ("a", "b"):
        pages = "\n".join(f"# Page {n}\n\n{name} says {n}.\n" for n in range(9))
        (builder.docs / f"{name}.md").write_text(pages)
    builder.index()
    index = builder.store.load(WordEmbedder())
    held = [*index.in_memory().passages]
    assert [*index.passages] == [*builder.store.passages()] == held
    assert len(index.passages) == len(held) > 8
    assert [index.passages[row] for row in range(len(held))] == held
    assert (index.passages[-1], index.passages[2:4]) == (held[-1], held[2:4])
    assert np.array_equal(index.vectors, index.in_memory().vectors)


@pytest.mark.slow
def test_what_is_read_of_the_server_is_never_held_as_a_whole(builder: Worker) -> None:
    for n in range(20):
        pages = "\n".join(f"# Page {m}\n\n{n} says {m}: {'words ' * 60}\n" for m in range(100))
        (builder.docs / f"{n}.md").write_text(pages)
    builder.index()
    index = builder.store.load(WordEmbedder())
    size = sum(len(passage.text) for passage in index.passages)
    assert size > 700_000
    tracemalloc.start()
    try:
        assert sum(len(passage.text) for passage in index.passages) == size
        assert tracemalloc.get_traced_memory()[1] < size / 2
    finally:
        tracemalloc.stop()


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    store = PostgresStore("postgresql://ann:sesame@127.0.0.1:1/whimbrel", tmp_path / "index")
    with (
        pytest.raises(IndexUnreachableError, match=r"127\.0\.0\.1/whimbrel") as caught,
        store.building(),
    ):
        pass
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("password", ["%sesame", "1/sesame", "1@sesame", "se same"])
def test_a_password_that_is_written_wrongly_is_not_told(tmp_path: Path, password: str) -> None:
    with pytest.raises(SettingsError, match="WHIMBREL_INDEX: no address of") as caught:
        PostgresStore(f"postgresql://ann:{password}@127.0.0.1:1/whimbrel", tmp_path)
    assert "same" not in str(caught.value)


def test_why_a_server_lets_nobody_in_is_told_at_once(index_address: str, other: Worker) -> None:
    store = PostgresStore(index_address.replace("/index", "/nothing"), other.settings.index_folder)
    with pytest.raises(IndexUnreachableError, match=r'database "nothing\d+" does not exist'):
        store.served()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_keep_every_text_is_told(
    postgres: PostgresServer, builder: Worker, encoding: str
) -> None:
    address = SecretStr(postgres.empty(f"index_in_{encoding.lower()}", encoding=encoding))
    builder.settings = builder.settings.model_copy(update={"index": address})
    with pytest.raises(IndexUnreachableError, match=f"as {encoding}, .* --encoding UTF8"):
        builder.index()


def test_texts_are_sent_as_they_are_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, builder: Worker
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    (builder.docs / "leave.md").write_text("# 年假\n\n员工每年有三十天年假。\n", encoding="utf-8")
    builder.index()
    assert builder.texts("员工年假")


def test_a_server_that_may_only_be_read_is_told(builder: Worker, index_address: str) -> None:
    builder.index()
    (builder.docs / "leave.md").unlink()
    read_only = SecretStr(f"{index_address}&options=-cdefault_transaction_read_only%3Don")
    builder.settings = builder.settings.model_copy(update={"index": read_only})
    with pytest.raises(IndexUnreachableError, match="read-only transaction"):
        builder.index()
    assert builder.texts("paid leave")
    builder.store.server.close()


def test_no_limit_of_the_server_ends_a_build_that_takes_long(
    builder: Worker, owner: psycopg.Connection
) -> None:
    names = ("idle_session_timeout", "idle_in_transaction_session_timeout", "statement_timeout")
    for name in names:
        limit = sql.SQL("alter role current_user in database {} set {} = '1h'")
        owner.execute(limit.format(sql.Identifier(owner.info.dbname), sql.Identifier(name)))
    limits = "select setting from pg_settings where name = any(%s)"
    with builder.store.server.connected() as connection:
        assert connection.execute(limits, ([*names],)).fetchall() == [("0",)] * 3
    with builder.store.server.plain() as connection:
        assert ("3600000",) in connection.execute(limits, ([*names],)).fetchall()


def test_a_transaction_that_the_server_ends_is_told(builder: Worker) -> None:
    ended = psycopg.errors.IdleInTransactionSessionTimeout("idle-in-transaction timeout")
    with (
        pytest.raises(IndexUnreachableError, match="idle-in-transaction timeout"),
        builder.store.server.telling(),
    ):
        raise ended


CHILD = """
import sys
from pathlib import Path
from pydantic import SecretStr
from retrieval.index.building import update_index
from retrieval.settings import Settings
from tests.postgres_server import PostgresServer
from tests.retrieval.word_embedder import WordEmbedder
home, address, docs = sys.argv[1:]
settings = Settings(home=Path(home), index=SecretStr(address), parse_seconds=20)
print("begins", flush=True)
update_index([Path(docs)], settings, WordEmbedder())
print("done", flush=True)
"""


@pytest.mark.slow
def test_builds_that_are_killed_leave_what_is_served_whole_and_the_next_one_goes_on(
    builder: Worker, other: Worker
) -> None:
    for n in range(40):
        (builder.docs / f"{n}.md").write_text(f"# Page {n}\n\nversion0 of page{n}.\n")
    builder.settings = builder.settings.model_copy(update={"audiences": {}})
    builder.index()
    args = [str(builder.settings.home), builder.store.server.address, str(builder.docs)]
    version = 0
    for attempt in range(5):
        version += 1
        for n in range(40):
            (builder.docs / f"{n}.md").write_text(f"# Page {n}\n\nversion{version} of page{n}.\n")
        command = [sys.executable, "-W", "ignore", "-c", CHILD, *args]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[4])}
        with subprocess.Popen(  # noqa: S603
            command, env=environment, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "begins\n"
            with suppress(subprocess.TimeoutExpired):
                child.wait(0.1 + 0.2 * attempt)
            child.kill()
        seen = {text.split()[0] for text in other.texts("page of", k=99) if "version" in text}
        assert len(seen) == 1
    builder.index()
    assert f"version{version} of page7." in other.texts("page7")


@pytest.mark.parametrize("is_back", [False, True], ids=["gone", "gone and back, empty"])
def test_an_extension_that_was_dropped_is_told_with_what_mends_it(
    builder: Worker, owner: psycopg.Connection, is_back: bool
) -> None:
    builder.index()
    searcher, told = builder.library.searcher(), r"whimbrel_index there and run `whimbrel index`"
    with psycopg.connect(owner.info.dsn, user="postgres", autocommit=True) as administrator:
        administrator.execute("drop extension vector cascade")
        if is_back:
            administrator.execute("create extension vector")
    (builder.docs / "travel.md").write_text("# Travel\n\nBook trains early.\n")
    for attempt in (
        lambda: searcher.search("leave", audience=EVERYBODY),
        lambda: searcher.index.in_memory(),
        lambda: builder.store.check(),
        lambda: builder.index(),
    ):
        with pytest.raises(IndexCorruptError, match=told):
            attempt()
    owner.execute("drop schema whimbrel_index cascade")
    with psycopg.connect(owner.info.dsn, user="postgres", autocommit=True) as administrator:
        administrator.execute("create extension if not exists vector")
    builder.index()
    assert "Book trains early." in builder.texts("trains")


def test_tables_of_an_older_release_are_told_with_what_mends_them(
    builder: Worker, owner: psycopg.Connection
) -> None:
    builder.index()
    owner.execute("alter table postings drop packed, add numbers int[]")
    for attempt in (lambda: builder.texts("leave"), builder.store.check, builder.index):
        with pytest.raises(
            IndexCorruptError, match=r"whimbrel_index there and run `whimbrel index"
        ):
            attempt()
    owner.execute("drop schema whimbrel_index cascade")
    builder.index()
    assert builder.texts("leave")


def test_doctor_looks_at_the_server_and_at_what_is_served(
    builder: Worker, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> Finding:
        return next(finding for finding in checks() if finding.name == "index")

    monkeypatch.setenv("WHIMBREL_HOME", str(builder.settings.home))
    monkeypatch.setenv("WHIMBREL_INDEX", builder.store.server.address)
    assert (found().state, "whimbrel index FOLDER" in found().mend) == ("missing", True)
    builder.index()
    assert (found().state, "2 documents, 2 passages" in found().found) == ("ok", True)
    with owner.transaction():
        owner.execute("select set_config('whimbrel.builds', 'on', true)")
        owner.execute("delete from passages where label = 'hr'")
    assert "1 of 2 passages" in found().mend
    owner.execute("drop schema whimbrel_index cascade")
    with psycopg.connect(owner.info.dsn, user="postgres", autocommit=True) as administrator:
        administrator.execute("drop extension vector")
    assert "let an administrator run" in found().mend

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
import tarfile
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pyrage
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from bot.app.backup import back_up, restore, verify
from bot.app.commands import backup as backup_command
from bot.app.commands import restore as restore_command
from bot.store.connection import StoreError
from bot.store.database import Database
from bot.store.keys import ApiKeys
from retrieval.errors import BusyError, DataError, SettingsError, explain_system_error
from retrieval.index.building import update_index
from retrieval.index.content import read_sources
from retrieval.index.generation import current
from retrieval.index.searcher import Searcher
from retrieval.index.store import index_store
from retrieval.registry.folders import checksums, new_folder, publish
from retrieval.settings import Settings, SourceTable
from retrieval.sources.syncing import pull, results
from tests.retrieval.word_embedder import WordEmbedder

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

PEOPLE = 3_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home with a database, an index, a run, a data set, and models that are not kept."""
    settings = Settings(home=tmp_path / "home")
    database = Database(settings.database_file)
    write(database, "U", PEOPLE)
    database.close()
    for folder in (settings.index_folder, settings.runs_folder / "retriever"):
        with new_folder(folder) as filled:
            (filled / "content").write_bytes(bytes(range(256)) * 99)
        publish(folder, filled.name[1:])
    for name in ("dataset/ab/train.jsonl", "models/unpacked/weights", "models/reader.safetensors"):
        (settings.home / name).parent.mkdir(parents=True, exist_ok=True)
        (settings.home / name).write_text(name)
    return settings


def write(database: Database, prefix: str, count: int) -> None:
    with database.transaction() as db:
        rows = [{"person": f"{prefix}{n}", "may_learn": 1} for n in range(count)]
        db.table("people").insert_all(rows)


def people(settings: Settings) -> int:
    database = Database(settings.database_file)
    count = database.connection.table("people").count
    database.close()
    return count


def kept(settings: Settings) -> dict[str, str]:
    """All that a backup holds, but for the database's own bytes."""
    sums = checksums(settings.home)
    return {
        name: sum_
        for name, sum_ in sums.items()
        if name.startswith(("index/", "dataset/", "models/r")) and "/." not in name
    }


def key(tmp_path: Path, name: str = "key") -> tuple[str, Path]:
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / name).write_text(f"# created today\n{identity}\n")
    return str(identity.to_public()), tmp_path / name


@pytest.mark.parametrize("is_encrypted", [False, True])
def test_what_is_restored_is_what_was_backed_up(
    settings: Settings, tmp_path: Path, is_encrypted: bool
) -> None:
    recipient, identity = key(tmp_path)
    file = tmp_path / "kept" / "whimbrel.tar"
    back_up(settings, file, recipients=[recipient] if is_encrypted else [])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (b"U2999" in file.read_bytes()) is not is_encrypted
    fresh = Settings(home=tmp_path / "fresh")
    assert restore(fresh, file, identity=identity).aside is None
    assert kept(fresh) == kept(settings)
    assert people(fresh) == PEOPLE
    assert not (fresh.home / "models" / "unpacked").exists()
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_backup_is_made_while_the_bot_writes(settings: Settings, tmp_path: Path) -> None:
    database, stop = Database(settings.database_file), threading.Event()

    def serve() -> None:
        while not stop.is_set():
            write(database, f"V{database.connection.table('people').count}-", 10)

    writing = threading.Thread(target=serve)
    writing.start()
    try:
        back_up(settings, tmp_path / "b.tar")
    finally:
        stop.set()
        writing.join()
        database.close()
    fresh = Settings(home=tmp_path / "fresh")
    restore(fresh, tmp_path / "b.tar")
    assert (people(fresh) - PEOPLE) % 10 == 0
    assert PEOPLE <= people(fresh) <= people(settings)


@pytest.mark.parametrize("at", [0.01, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("is_encrypted", [False, True])
def test_a_damaged_backup_is_told_and_changes_nothing(
    settings: Settings, tmp_path: Path, at: float, is_encrypted: bool
) -> None:
    recipient, identity = key(tmp_path)
    file = tmp_path / "b.tar"
    back_up(settings, file, recipients=[recipient] if is_encrypted else [])
    damaged = bytearray(file.read_bytes())
    damaged[int(at * len(damaged))] ^= 1
    file.write_bytes(damaged)
    before = kept(settings)
    for attempt in (verify, lambda *a, **k: restore(settings, *a, replaces=True, **k)):
        with pytest.raises(DataError, match="damaged"):
            attempt(file, identity=identity)
    assert kept(settings) == before
    assert people(settings) == PEOPLE


def test_a_backup_that_was_cut_off_is_told(settings: Settings, tmp_path: Path) -> None:
    back_up(settings, tmp_path / "b.tar")
    whole = (tmp_path / "b.tar").read_bytes()
    for length in (0, 100, len(whole) // 2):
        (tmp_path / "cut.tar").write_bytes(whole[:length])
        with pytest.raises(DataError, match="damaged"):
            verify(tmp_path / "cut.tar")


def test_an_archive_cannot_write_outside_of_the_home(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "evil").write_text("x")
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.add(tmp_path / "evil", "../../evil")
    with pytest.raises(DataError, match="no backup"):
        restore(settings, tmp_path / "evil.tar", replaces=True)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_an_archive_holds_files_and_nothing_else(
    settings: Settings, tmp_path: Path, kind: bytes
) -> None:
    odd = tarfile.TarInfo("learned")
    odd.type, odd.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.addfile(odd)
    with pytest.raises(DataError, match="no backup"):
        restore(settings, tmp_path / "evil.tar", replaces=True)


def test_the_key_of_somebody_else_opens_nothing(settings: Settings, tmp_path: Path) -> None:
    (recipient, _), (_, other) = key(tmp_path), key(tmp_path, "other")
    back_up(settings, tmp_path / "b.age", recipients=[recipient])
    with pytest.raises(DataError, match="other does not open"):
        verify(tmp_path / "b.age", identity=other)
    with pytest.raises(DataError, match="--identity"):
        verify(tmp_path / "b.age")
    with pytest.raises(SettingsError, match="wanted public keys"):
        back_up(settings, tmp_path / "c.age", recipients=["ssh-rsa no"])
    assert not (tmp_path / "c.age").exists()


def test_what_is_there_is_moved_aside_and_only_on_request(
    settings: Settings, tmp_path: Path
) -> None:
    back_up(settings, tmp_path / "b.tar")
    with pytest.raises(DataError, match="already"):
        back_up(settings, tmp_path / "b.tar")
    database = Database(settings.database_file)
    write(database, "later", 5)
    with pytest.raises(DataError, match="--replace"):
        restore(settings, tmp_path / "b.tar")
    with pytest.raises(BusyError, match="stop the bot"):
        restore(settings, tmp_path / "b.tar", replaces=True)
    database.close()
    aside = restore(settings, tmp_path / "b.tar", replaces=True).aside
    assert people(settings) == PEOPLE
    assert aside is not None
    assert people(Settings(home=aside)) == PEOPLE + 5


def test_a_key_that_was_revoked_since_opens_nothing_when_a_backup_is_restored(
    settings: Settings, tmp_path: Path
) -> None:
    with closing(Database(settings.database_file)) as database:
        secrets = [ApiKeys(database).create(name)[1] for name in ("kept", "revoked")]
    back_up(settings, tmp_path / "b.tar")
    with closing(Database(settings.database_file)) as database:
        ApiKeys(database).revoke("revoked")
    restore(settings, tmp_path / "b.tar", replaces=True)
    with closing(Database(settings.database_file)) as database:
        found = [ApiKeys(database).find(secret) is not None for secret in secrets]
    assert found == [True, False]


def test_a_database_that_was_lost_comes_back(settings: Settings, tmp_path: Path) -> None:
    back_up(settings, tmp_path / "b.tar")
    settings.database_file.write_bytes(b"\0" * 5_000)
    with pytest.raises(DataError, match="whimbrel restore"):
        Database(settings.database_file)
    restore(settings, tmp_path / "b.tar", replaces=True)
    assert people(settings) == PEOPLE


def test_the_commands_say_what_they_did(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHIMBREL_HOME", str(settings.home))
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(backup_command, [], catch_exceptions=False)
    (file,) = tmp_path.glob("whimbrel-*.tar")
    assert made.output.startswith(f"{file.name}: ")
    (folder := tmp_path / "backups").mkdir()
    CliRunner().invoke(backup_command, [str(folder)], catch_exceptions=False)
    assert len([*folder.glob("whimbrel-*.tar")]) == 1
    told = CliRunner().invoke(restore_command, [file.name, "--verify"], catch_exceptions=False)
    assert "all as they were written" in told.output
    shutil.rmtree(settings.home)
    CliRunner().invoke(restore_command, [file.name], catch_exceptions=False)
    assert people(settings) == PEOPLE


def test_what_was_read_of_sources_is_in_no_backup_and_both_commands_say_so(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("Words.")
    table = SourceTable.model_validate({"kind": "folder", "path": str(tmp_path / "docs")})
    settings = settings.model_copy(update={"sources": {"desk": table}})
    pull(settings)
    sources = {"desk": {"kind": "folder", "path": str(tmp_path / "docs")}}
    monkeypatch.setenv("WHIMBREL_SOURCES", json.dumps(sources))
    monkeypatch.setenv("WHIMBREL_HOME", str(settings.home))
    file = str(tmp_path / "b.tar")
    made = CliRunner().invoke(backup_command, [file], catch_exceptions=False)
    assert "not in it: what was read of the sources desk" in made.output
    shutil.rmtree(settings.home)
    told = CliRunner().invoke(restore_command, [file], catch_exceptions=False)
    assert "run `whimbrel sync`" in told.output
    assert results(settings)[0].ended == ""  # listed whole by the next sync
    assert pull(settings)[0].new == 1


def test_a_document_that_was_restricted_since_stays_restricted_when_a_backup_is_restored(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "docs" / "gate.md"
    gate.parent.mkdir()
    gate.write_text("The gate is shut.")
    update_index([gate.parent], settings, WordEmbedder(), full=True)
    back_up(settings, tmp_path / "b.tar")
    gate.write_text("---\naudience: hr\n---\nThe gate is shut.")
    update_index([], settings, WordEmbedder())
    monkeypatch.setenv("WHIMBREL_HOME", str(settings.home))
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(restore_command, ["b.tar", "--replace"], catch_exceptions=False)
    assert "as they are now: 1" in told.output
    generation = current(settings.index_folder)
    assert [source.audience for source in read_sources(generation)] == ["hr"]
    assert stat.S_IMODE((generation / "vectors.npy").stat().st_mode) == 0o600


@pytest.mark.parametrize("harm", ["emptied", "another's", "tables gone"])
def test_a_database_that_is_none_is_neither_backed_up_nor_restored(
    settings: Settings, tmp_path: Path, harm: str
) -> None:
    good = tmp_path / "good.tar"
    back_up(settings, good)
    if harm == "emptied":
        settings.database_file.write_bytes(b"")
    else:
        settings.database_file.unlink()
        connection = sqlite3.connect(settings.database_file)
        if harm == "another's":
            connection.execute("CREATE TABLE other (n INTEGER)")
        connection.execute("PRAGMA user_version=1")
        connection.commit()
        connection.close()
    with pytest.raises(DataError):
        back_up(settings, tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()
    restore(settings, good, replaces=True)
    assert people(settings) == PEOPLE


def test_a_database_that_cannot_be_opened_is_named(settings: Settings, tmp_path: Path) -> None:
    file = settings.database_file
    file.with_name(f"{file.name}-wal").unlink(missing_ok=True)
    file.with_name(f"{file.name}-wal").mkdir()
    with pytest.raises(DataError, match=f"^{file} cannot be copied: "):
        back_up(settings, tmp_path / "backup.tar")
    with pytest.raises(StoreError, match=f"^{file}: "):
        Database(file)


def test_an_archive_without_a_database_is_no_backup(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"made": "", "release": "", "files": {}}')
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        tar.add(tmp_path / "manifest.json", "manifest.json")
    with pytest.raises(DataError, match="no database"):
        restore(settings, tmp_path / "b.tar", replaces=True)
    assert people(settings) == PEOPLE


def test_what_is_restored_can_be_read_by_its_owner_alone(
    settings: Settings, tmp_path: Path
) -> None:
    back_up(settings, tmp_path / "b.tar")
    fresh = Settings(home=tmp_path / "fresh")
    restore(fresh, tmp_path / "b.tar")
    for path in (fresh.database_file, *fresh.index_folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_what_a_killed_backup_left_goes_with_the_next_one(
    settings: Settings, tmp_path: Path
) -> None:
    left = settings.home / ".backing-up-left"
    left.mkdir()
    (left / "whimbrel.db").write_text("words")
    back_up(settings, tmp_path / "b.tar")
    assert not [path for path in settings.home.iterdir() if "backing-up" in path.name]
    assert [path.name for path in tmp_path.iterdir() if "b.tar" in path.name] == ["b.tar"]


def test_a_home_that_spans_disks_is_refused_before_anything_is_moved(
    settings: Settings, tmp_path: Path
) -> None:
    back_up(settings, tmp_path / "b.tar")
    (settings.home / "dataset").rename(tmp_path / "elsewhere")
    (settings.home / "dataset").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="link or on another disk"):
        restore(settings, tmp_path / "b.tar", replaces=True)
    assert people(settings) == PEOPLE


def test_a_name_that_no_file_can_have_is_refused_before_anything_is_done(
    settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="name too long") as refused:
        back_up(settings, tmp_path / ("b" * 300))
    assert "choose a shorter name" in str(explain_system_error(refused.value))


class SharingWorker:
    """A worker whose index lies in a Postgres."""

    def __init__(self, home: Path, address: str, **audiences: str) -> None:
        rules = {f"*{name}*": label for name, label in audiences.items()}
        self.settings = Settings(home=home, index=SecretStr(address), audiences=rules)
        Database(self.settings.database_file).close()

    def index(self, docs: Path) -> None:
        update_index([docs], self.settings, WordEmbedder())

    def told(self) -> dict[str, str]:
        """The label of each document that is served, and that it is found."""
        index = index_store(self.settings).load(WordEmbedder())
        labels = {source.id: source.audience for source in index.sources}
        searcher = Searcher(index, WordEmbedder())
        hits = searcher.search("leave pay travel", audience=frozenset({"public", "hr"}), k=9)
        assert {hit.passage.source.id for hit in hits} == labels.keys()
        return labels


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in ("leave", "pay"):
        (folder / f"{name}.md").write_text(f"# {name}\n\nAll about {name}.\n")
    return folder


def test_a_shared_index_is_backed_up_by_any_worker_and_restored_to_another_server(
    postgres: PostgresServer, index_address: str, tmp_path: Path, docs: Path
) -> None:
    builder = SharingWorker(tmp_path / "builder", index_address, pay="hr")
    other = SharingWorker(tmp_path / "other", index_address)
    builder.index(docs)
    back_up(other.settings, tmp_path / "b.tar")
    assert not other.settings.index_folder.exists()
    from retrieval.index.postgres.server import Server
    from tests.retrieval.index.postgres.index_server import new_index

    empty = new_index(postgres)
    fresh = Settings(home=tmp_path / "fresh", index=SecretStr(empty))
    restore(fresh, tmp_path / "b.tar")
    restored = SharingWorker(tmp_path / "reader", empty)
    assert restored.told() == builder.told() == {"docs/leave.md": "public", "docs/pay.md": "hr"}
    now, then = (index_store(w.settings).check() for w in (restored, builder))
    assert (now.name, now.files, now.passages) == (then.name, then.files, 2)
    Server(empty).close()


def test_what_a_shared_index_serves_is_replaced_only_if_told_and_for_whom_it_is_now(
    index_address: str, tmp_path: Path, docs: Path
) -> None:
    before = SharingWorker(tmp_path / "home", index_address)
    before.index(docs)
    back_up(before.settings, tmp_path / "b.tar")
    (docs / "travel.md").write_text("# travel\n\nAll about travel.\n")
    now = SharingWorker(tmp_path / "now", index_address, leave="hr")
    now.index(docs)
    before.settings.database_file.unlink()
    with pytest.raises(DataError, match="--replace"):
        restore(before.settings, tmp_path / "b.tar")
    assert set(now.told()) == {"docs/leave.md", "docs/pay.md", "docs/travel.md"}
    restored = restore(before.settings, tmp_path / "b.tar", replaces=True)
    assert now.told() == {"docs/leave.md": "hr", "docs/pay.md": "public"}
    assert restored.relabelled == 1
    assert restored.aside is not None
    assert len(read_sources(current(restored.aside / "index"))) == 3

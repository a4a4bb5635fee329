"""A copy of all that cannot be made anew: what people asked, what was learned, and the index."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pydantic import TypeAdapter, ValidationError

from bot.app.migrating import to_postgres
from bot.privacy.erasing import PUT_ASIDE
from bot.privacy.forgetting import Forgetting, people_in
from bot.privacy.forgotten import FORGOTTEN, ForgottenPeople
from bot.store.copying import copy_all
from bot.store.database import Database
from bot.store.inbox import Inbox
from bot.store.opening import has_database, open_database
from bot.store.soundness import check_before
from bot.store.sqlite import SqliteConnection
from retrieval.errors import BusyError, DataError, SettingsError
from retrieval.index.generation import relabel
from retrieval.index.store import index_store, is_indexed
from retrieval.registry.folders import building, checksums, sha256, telling_full_disk
from retrieval.search.reading import ADAPTER
from retrieval.settings import Settings

MANIFEST = "manifest.json"
DATABASE = "whimbrel.db"
LOCKS = ".backups"
_TRIES = 3
_WORK = ".backing-up-"
_AGE = b"age-encryption.org/"
_INDEX = "index"
_PARTS = (_INDEX, "dataset", "models/runs", f"models/{ADAPTER}")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds: the sha256 of each file by its path, when and by which release."""

    made: str
    release: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Restored:
    """The folder that holds what was there before, if anything was, and how many were forgotten.

    Of the documents, `relabelled` have the label of now and not that of then, and `left_out` may be
    meant for some people alone by now, and are not searched before the next index.
    """

    aside: Path | None
    forgotten: int
    relabelled: int
    left_out: int


_CONTENTS = TypeAdapter(Contents)


def back_up(settings: Settings, to: Path, *, recipients: Sequence[str] = ()) -> Contents:
    """Write a backup to a file, appearing whole and verified; the bot may go on serving.

    Args:
        settings: Whose folders.
        to: The file to write; it must not be there.
        recipients: Public keys (`age1...`) of age; if there are any, only who has the key of one of
            them can read the backup.

    Raises:
        DataError: If there is nothing to keep, if the file is there, or if what was written is
            not what was read.
        SettingsError: If a key is none.
    """
    with suppress(FileNotFoundError):
        to.lstat()  # also finds out what cannot be a name, before anything is done
        raise DataError(f"{to} is there already; name a new file")
    if settings.database is None:
        with _telling(settings.database_file):
            check_before(settings.database_file)
    if not has_database(settings):
        raise DataError(f"there is no {settings.database_file}: nothing to back up yet")
    to.parent.mkdir(parents=True, exist_ok=True)
    # Beside the original: where backups are kept, nothing is ever written that is not encrypted.
    with _workplace(settings.home) as work:
        archive = work / "archive.tar"
        with telling_full_disk(settings.home):
            contents = _archive(settings, work, archive)
            verify(archive, beside=work)
            finished = _encrypted(archive, recipients) if recipients else archive
        with telling_full_disk(to.parent):
            _copy(finished, to)
    return contents


def verify(backup: Path, *, identity: Path | None = None, beside: Path | None = None) -> Contents:
    """Read a whole backup and compare it with what it says of itself.

    Args:
        backup: The file.
        identity: The file with the secret key, for one that is encrypted.
        beside: Where it is unpacked for that; None for the system's place.

    Raises:
        DataError: If it is damaged or no backup, or if its key is missing or another.
    """
    with _unpacked(backup, identity, beside=beside) as (contents, _):
        return contents


def restore(
    settings: Settings, backup: Path, *, identity: Path | None = None, replaces: bool = False
) -> Restored:
    """Put what a backup holds into the home folder, once all of it is verified.

    What is there already is moved aside. Who was forgotten since the backup was made is forgotten
    in it before anything serves from it: what the home has noted of that stays there. Documents are
    for whom they are for now, as far as the index that is there tells, and keys of the API that are
    revoked now stay so. An index that is shared serves to all workers what the backup holds.

    Raises:
        DataError: As `verify`; or if there is a database or a shared index, and it is not to be
            replaced.
        BusyError: If a bot is using the database, or a worker builds the index.
        IndexUnreachableError: If the index is shared, and its server does not answer.
    """
    home = settings.home
    if settings.database_file.exists() and not replaces:
        raise DataError(
            f"{settings.database_file} is there already; with --replace it is moved aside first"
        )
    is_shared = settings.index is not None and is_indexed(settings)
    if is_shared and not replaces:
        raise DataError("the shared index serves already; with --replace it serves the backup's")
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_unused(settings.database_file)
    _check_on_one_disk(home)
    had_something = is_shared or any((home / part).exists() for part in (DATABASE, *_PARTS))
    with (
        _workplace(home) as work,
        _unpacked(backup, identity, beside=work) as (contents, unpacked),
        # Where it is shared, the folder holds what is served now, and then serves to all.
        index_store(settings).building(),
    ):
        _check_unused(settings.database_file)  # a bot may have been started meanwhile
        aside = home / f"{PUT_ASIDE}{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        beside = (f"{DATABASE}-wal", f"{DATABASE}-shm")
        relabelled, left_out = relabel(
            unpacked / _INDEX, settings.index_folder, sources=settings.sources
        )
        _make_private(unpacked)
        forgotten = _forget_again(home, unpacked, since=contents.made)
        _revoke_again(home / DATABASE, unpacked / DATABASE)
        if settings.database is not None:
            _fill_postgres(settings, unpacked / DATABASE)
        for part in (DATABASE, *beside, *_PARTS):
            _move(home / part, aside / part)
        for part in (*_PARTS, DATABASE):  # the database last: without it nothing serves
            _move(unpacked / part, home / part)
    if not had_something:
        shutil.rmtree(aside, ignore_errors=True)
    return Restored(aside if had_something else None, forgotten, relabelled, left_out)


def _fill_postgres(settings: Settings, file: Path) -> None:
    """Copy the database of a backup into the Postgres of the settings, which must be empty."""
    Database(file).close()  # of this release, as those tables are
    to_postgres(settings, file=file)
    file.unlink()


def _forget_again(home: Path, unpacked: Path, *, since: str) -> int:
    """Forget in a backup who was forgotten since it was made; how many of its people that were."""
    noted = ForgottenPeople(home)
    noted.take_over(ForgottenPeople(unpacked).notes())
    # Opened as a database of ours it would be brought forward, and no older release would read it.
    with closing(sqlite3.connect(unpacked / DATABASE)) as connection:
        people = noted.since(since, people_in(SqliteConnection(connection)))
    if people:
        database = Database(unpacked / DATABASE)
        try:
            for person in people:
                Forgetting(Inbox(database)).forget_here(
                    person, and_approved=noted.with_approved(since, person)
                )
        finally:
            database.close()
    return len(people)


def _revoke_again(present: Path, restored: Path) -> None:
    """Let no key of the API open anything again that is revoked now, as far as that can be read."""
    of = "SELECT name, revoked FROM api_keys WHERE revoked IS NOT NULL"
    with suppress(sqlite3.Error):  # none of an older release, or it is damaged: then nobody knows
        with closing(
            sqlite3.connect(f"{present.resolve().as_uri()}?mode=ro", uri=True)
        ) as connection:
            revoked = connection.execute(of).fetchall()
        with closing(sqlite3.connect(restored)) as connection, connection:
            sql = "UPDATE api_keys SET revoked = ? WHERE name = ? AND revoked IS NULL"
            connection.executemany(sql, [(at, name) for name, at in revoked])


def _archive(settings: Settings, work: Path, archive: Path) -> Contents:
    """Write the archive; what changes while it is read is read again."""
    copy = work / DATABASE
    # Before anything is read: whoever is forgotten later is in the backup, and not forgotten in it.
    made = datetime.now(UTC).isoformat(timespec="seconds")
    if settings.database is None:
        with (
            _telling(settings.database_file),
            closing(sqlite3.connect(settings.database_file, timeout=30)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    else:
        with (
            closing(open_database(settings, is_read_only=True)) as served,
            closing(Database(copy)) as kept,
        ):
            copy_all(served, kept)
    with closing(sqlite3.connect(copy)) as target:
        target.execute("PRAGMA journal_mode=DELETE")
    index = settings.index_folder
    if settings.index is not None and is_indexed(settings):
        index = work / _INDEX  # what is in the home is a workbench, and may be of last year
        index_store(settings).copy(index)
    for tries_left in reversed(range(_TRIES)):
        try:
            return _write(archive, {DATABASE: copy, **_files(settings.home, index)}, made=made)
        except FileNotFoundError:  # an older generation was deleted meanwhile
            if not tries_left:
                raise
    raise AssertionError


@contextmanager
def _telling(database: Path) -> Iterator[None]:
    """Say of which database it is what SQLite says: that of a disk that fails, or is read-only."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise DataError(f"{database} cannot be copied: {error}") from error


def _files(home: Path, index: Path) -> dict[str, Path]:
    places = {part: home / part for part in (*_PARTS, FORGOTTEN)} | {_INDEX: index}
    relative = {
        part / path.relative_to(place): path
        for part, place in places.items()
        for path in _below(place)
        if path.is_file()
    }
    hidden = {path for path in relative if any(name.startswith(".") for name in path.parts)}
    return {path.as_posix(): relative[path] for path in sorted(relative.keys() - hidden)}


def _below(path: Path) -> Iterator[Path]:
    yield path
    yield from path.rglob("*")


def _write(archive: Path, files: Mapping[str, Path], *, made: str) -> Contents:
    sums = {name: sha256(path) for name, path in files.items()}
    contents = Contents(made, version("whimbrel"), sums)
    note = archive.with_name(MANIFEST)
    note.write_text(json.dumps(asdict(contents), indent=1), encoding="utf-8")
    with tarfile.open(archive, "w") as tar:
        for name, path in ((MANIFEST, note), *files.items()):
            tar.add(path, name, recursive=False)
    return contents


def _extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Write the files of an archive that `_write` made; Python before 3.11.4 has no safe way.

    Raises:
        tarfile.TarError: If it holds anything else than files below a folder.
    """
    for member in tar:
        path = PurePosixPath(member.name)
        # A link is to a file that came before; what it holds is written once more.
        source = tar.extractfile(member) if member.isreg() or member.islnk() else None
        if source is None or path.is_absolute() or ".." in path.parts:
            raise tarfile.TarError(f"it holds {member.name}, which is no file of a backup")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        target.chmod(0o600)


@contextmanager
def _unpacked(
    backup: Path, identity: Path | None, *, beside: Path | None = None
) -> Iterator[tuple[Contents, Path]]:
    """What a backup holds and a folder with it, all compared; the folder is gone afterwards."""
    if not backup.is_file():
        raise DataError(f"there is no {backup}")
    with tempfile.TemporaryDirectory(dir=beside, prefix=".restoring-") as work:
        folder = Path(work)
        with _plain(backup, identity, folder) as archive, telling_full_disk(folder):
            try:
                with tarfile.open(fileobj=archive, mode="r:") as tar:
                    _extract(tar, folder / "files")
                contents = _CONTENTS.validate_json((folder / "files" / MANIFEST).read_bytes())
            except (tarfile.TarError, OSError, ValidationError, EOFError, KeyError) as error:
                told = str(error).split("\n")[0]
                raise DataError(f"{backup} is damaged, or no backup: {told}") from error
        (folder / "files" / MANIFEST).unlink()
        found = checksums(folder / "files")
        if odd := sorted({*found.items()} ^ {*contents.files.items()}):
            raise DataError(f"{backup} is damaged, at {odd[0][0]}")
        _check_database(backup, folder / "files" / DATABASE)
        yield contents, folder / "files"


def _check_database(backup: Path, copy: Path) -> None:
    if copy.is_symlink() or not copy.is_file():
        raise DataError(f"{backup} is no backup: it has no database")
    try:
        check_before(copy)
        with closing(sqlite3.connect(copy)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    except (DataError, sqlite3.DatabaseError) as error:
        raise DataError(f"the database in {backup} cannot be used: {error}") from error
    if found != "ok":
        raise DataError(f"the database in {backup} is damaged: {found}")
    if not {"inbox", "turns"} <= tables:
        raise DataError(f"{backup} is no backup: its database is not Whimbrel's")


@contextmanager
def _plain(backup: Path, identity: Path | None, work: Path) -> Iterator[IO[bytes]]:
    """The bytes of the archive in a backup."""
    with backup.open("rb") as file:
        is_encrypted = file.read(len(_AGE)) == _AGE
        file.seek(0)
        if not is_encrypted:
            yield file
            return
        if identity is None:
            raise DataError(f"{backup} is encrypted; name the file of its key with --identity")
        with (work / "archive.tar").open("w+b") as plain:
            _decrypt(file, plain, identity)
            plain.seek(0)
            yield plain


def _decrypt(file: IO[bytes], plain: IO[bytes], identity: Path) -> None:
    pyrage = _pyrage()
    lines = identity.read_text(encoding="utf-8", errors="replace").split()
    secrets = [line for line in lines if line.startswith("AGE-SECRET-KEY-")]
    try:
        keys = [pyrage.x25519.Identity.from_str(secret) for secret in secrets]
        pyrage.decrypt_io(file, plain, keys)
    except (pyrage.IdentityError, pyrage.DecryptError, OSError) as error:
        raise DataError(
            f"{identity} does not open {file.name}, or it is damaged: {error}"
        ) from error


def _encrypted(archive: Path, recipients: Sequence[str]) -> Path:
    pyrage = _pyrage()
    try:
        keys = [pyrage.x25519.Recipient.from_str(text) for text in recipients]
    except pyrage.RecipientError as error:
        # What is no name may be the secret key: it is not repeated.
        raise SettingsError(f"--recipient: {error}; wanted public keys, age1...") from error
    encrypted = archive.with_suffix(".age")
    with archive.open("rb") as plain, encrypted.open("wb") as file:
        pyrage.encrypt_io(plain, file, keys)
    return encrypted


def _pyrage() -> Any:  # noqa: ANN401  it has no types
    try:
        import pyrage
    except ImportError as error:
        raise SettingsError("encrypted backups need pyrage: pip install pyrage") from error
    return pyrage


def _copy(source: Path, to: Path) -> None:
    """Copy a file, appearing whole, and compare the copy."""
    descriptor, name = tempfile.mkstemp(dir=to.parent, prefix=".whimbrel-backup-")
    beside = Path(name)
    try:
        with source.open("rb") as original, os.fdopen(descriptor, "wb") as copy:
            shutil.copyfileobj(original, copy)
            copy.flush()
            os.fsync(copy.fileno())
        if sha256(beside) != sha256(source):
            raise DataError(f"the disk of {to.parent} gave back other bytes than were written")
        beside.rename(to)
    finally:
        beside.unlink(missing_ok=True)


def _check_unused(database: Path) -> None:
    """Leaving WAL mode takes that nobody else has the database open.

    Raises:
        BusyError: If somebody does.
    """
    if not database.is_file():
        return
    with closing(sqlite3.connect(database, timeout=0.5)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.OperationalError as error:
            raise BusyError(f"{database} is in use ({error}); stop the bot first") from error
        except sqlite3.DatabaseError:  # damaged, which is why it is replaced
            return


@contextmanager
def _workplace(home: Path) -> Iterator[Path]:
    """A folder in the home for one backup or restore at a time, private and gone afterwards.

    What one that was killed has left goes first.
    """
    with building(home / LOCKS):
        for left in home.glob(f"{_WORK}*"):
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=home, prefix=_WORK) as work:
            yield Path(work)


def _check_on_one_disk(home: Path) -> None:
    """Parts are renamed, which works within a disk alone.

    Raises:
        DataError: If one is on another.
    """
    for part in (*_PARTS, DATABASE):
        path = home / part
        if path.is_symlink() or (path.exists() and path.stat().st_dev != home.stat().st_dev):
            raise DataError(f"{path} is a link or on another disk; restore into a folder without")
        if path.is_mount():
            raise DataError(f"{path} is a mount; restore into a folder without")


def _make_private(folder: Path) -> None:
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)


def _move(path: Path, to: Path) -> bool:
    """Move a file or folder, if it is there; gives whether it was."""
    if not path.exists():
        return False
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.rename(to)
    return True

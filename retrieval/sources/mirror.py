"""What was read of one source: bodies as files, all else in a database that a kill cannot harm."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

from retrieval.documents.finding import Description, SourceFile
from retrieval.documents.loaders.blocks import one_line, storable
from retrieval.errors import DataError
from retrieval.private import make_private
from retrieval.records import PUBLIC, Failure
from retrieval.sources.connector import Omission, Readers, Remote, SourceSettings

DATABASE = "mirror.db"
BODIES = "bodies"
PART_CHARS = 120
"""Longer parts of a document's id are cut."""
LABEL_DIGITS = 20

_SUFFIX = re.compile(r"\.[a-z0-9]{1,10}")
_BUSY_S = 30.0
_ROWS = "SELECT key, id, kept, body, wanted, problem FROM documents"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    key TEXT PRIMARY KEY, id TEXT UNIQUE NOT NULL, round INTEGER NOT NULL,
    kept TEXT, body TEXT, wanted TEXT, problem TEXT, is_sealed INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holders (
    email TEXT NOT NULL, label TEXT NOT NULL, PRIMARY KEY (email, label)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What is kept of a document.

    `kept` is what the source said of it when its `body` was fetched, `wanted` what it says now if
    that is to be fetched yet. One without a body is left out for its `problem`.
    """

    key: str
    id: str
    kept: Remote | None = None
    body: str | None = None
    wanted: Remote | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Where a listing stands. One that `is_whole` names all that there is; see `Connector.pages`.

    `round` is the number of listings that have begun.
    """

    cursor: str | None = None
    round: int = 0
    is_whole: bool = True
    is_open: bool = False


class Mirror:
    """One source as it was read last. Whatever is asked of one that is damaged raises DataError."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.folder = folder
        self._bodies = folder / BODIES
        make_private(self._bodies)
        with self._telling():
            self._database = _opened(folder / DATABASE)
            self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"{self.folder} is damaged ({error}); delete it, and `whimbrel sync` reads anew"
            ) from error

    @contextmanager
    def changing(self) -> Iterator[None]:
        """All that is changed in the block is kept, or none of it."""
        with self._telling():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.rollback()
                raise
            self._database.commit()

    def noted(self, name: str) -> Any:  # noqa: ANN401 - whatever was noted
        """What was noted under a name; None for nothing."""
        with self._telling():
            found = self._database.execute("SELECT value FROM state WHERE name = ?", (name,))
            row = found.fetchone()
        return json.loads(row[0]) if row else None

    def note(self, name: str, value: object) -> None:
        """Keep a value under a name."""
        with self._telling():
            self._database.execute(
                "INSERT OR REPLACE INTO state VALUES (?, ?)", (name, json.dumps(value))
            )

    def listing(self) -> Listing:
        """Where the listing stands that was begun last."""
        return Listing(**(self.noted("listing") or {}))

    def row(self, key: str) -> Mirrored | None:
        """What is kept of a document."""
        with self._telling():
            found = self._database.execute(f"{_ROWS} WHERE key = ?", (key,))
            row = found.fetchone()
        return _row(row) if row else None

    def unfetched(self) -> list[Mirrored]:
        """The documents whose latest body is to be fetched yet."""
        with self._telling():
            found = self._database.execute(f"{_ROWS} WHERE wanted IS NOT NULL ORDER BY key")
            return [_row(row) for row in found]

    def left_out(self) -> list[Omission]:
        """The documents that are there and are not shown, or in an older version only, and why."""
        with self._telling():
            found = self._database.execute(
                "SELECT key, id, problem FROM documents WHERE problem IS NOT NULL ORDER BY id"
            )
            return [Omission(*row) for row in found]

    def count(self) -> int:
        """How many documents are known."""
        with self._telling():
            found = self._database.execute("SELECT count(*) FROM documents")
            return int(found.fetchone()[0])

    def seen(self, key: str, round_: int) -> None:
        """The source has named this document again."""
        self._run("UPDATE documents SET round = ? WHERE key = ?", (round_, key))

    def keep(self, document: Remote, body: str, round_: int) -> None:
        """From now on this is the document, with a body that `write` has written."""
        self._place(document.key, document.name, round_)
        self._run(
            "UPDATE documents SET kept = ?, body = ?, wanted = NULL, problem = NULL,"
            " is_sealed = 0 WHERE key = ?",
            (_remote_json(document), body, document.key),
        )
        if document.readers is not None:
            label = label_of(self.name, document.readers)
            rows = [(email, label) for email in document.readers]
            with self._telling():
                self._database.executemany("INSERT OR IGNORE INTO holders VALUES (?, ?)", rows)

    def want(self, document: Remote, problem: str, round_: int, *, is_sealed: bool = False) -> None:
        """The body could not be had: an older version stays unless it is withdrawn."""
        self._place(document.key, document.name, round_)
        self._run(
            "UPDATE documents SET wanted = ?, problem = ?, is_sealed = ? WHERE key = ?",
            (_remote_json(document), problem, is_sealed, document.key),
        )

    def withdraw(self, key: str) -> None:
        """Show no version of a document any more."""
        self._run("UPDATE documents SET kept = NULL, body = NULL WHERE key = ?", (key,))

    def leave_out(self, left: Omission, round_: int) -> None:
        """Show no version of a document that is there."""
        self._place(left.key, left.name, round_)
        self._run(
            "UPDATE documents SET kept = NULL, body = NULL, wanted = NULL, problem = ?,"
            " is_sealed = 1 WHERE key = ?",
            (left.reason, left.key),
        )

    def remove(self, key: str) -> bool:
        """Forget a document; whether it was shown."""
        row = self.row(key)
        self._run("DELETE FROM documents WHERE key = ?", (key,))
        return row is not None and row.body is not None

    def counts(self, round_: int) -> tuple[int, int]:
        """How many documents were named since this listing began, and how many are known."""
        with self._telling():
            found = self._database.execute(
                "SELECT count(*) FILTER (WHERE round >= ?), count(*) FROM documents", (round_,)
            )
            named, known = found.fetchone()
        return named, known

    def remove_unseen(self, round_: int) -> int:
        """Forget what was named in no listing since; how many of them were shown."""
        with self._telling():
            found = self._database.execute(
                "SELECT count(body) FROM documents WHERE round < ?", (round_,)
            )
            count = int(found.fetchone()[0])
        self._run("DELETE FROM documents WHERE round < ?", (round_,))
        return count

    def distrust(self) -> None:
        """Take no version for known: the source is another one."""
        rows = self._shown()
        with self.changing():
            for row in rows:
                assert row.kept is not None
                stale = _remote_json(replace(row.kept, version=""))
                self._run("UPDATE documents SET kept = ? WHERE key = ?", (stale, row.key))

    def mend(self) -> None:
        """Want again what a failing disk has lost, and delete what a kill has left half-done."""
        there = {path.name for path in self._bodies.iterdir()}
        lost = [row for row in self._shown() if row.body not in there]
        with self.changing():
            for row in lost:
                assert row.kept is not None
                self._run(
                    "UPDATE documents SET wanted = coalesce(wanted, kept), problem = ?,"
                    " kept = NULL, body = NULL WHERE key = ?",
                    ("was lost on this disk", row.key),
                )
        self.sweep()

    def sweep(self) -> None:
        """Delete the bodies of what is not shown any more."""
        wanted = {row.body for row in self._shown()}
        for path in self._bodies.iterdir():
            if path.name not in wanted:
                path.unlink()

    def drop_labels(self) -> None:
        """Take the labels from everybody that no document has any more."""
        with self.changing():
            labels = {
                label_of(self.name, row.kept.readers)
                for row in self._shown()
                if row.kept is not None and row.kept.readers is not None
            }
            known = self._database.execute("SELECT DISTINCT label FROM holders").fetchall()
            for (label,) in known:
                if label not in labels:
                    self._run("DELETE FROM holders WHERE label = ?", (label,))

    def write(self, name: str, data: bytes) -> str:
        """Put a body on the disk under a name of its own; the name, whose suffix is `name`'s."""
        body = f"{hashlib.sha256(data).hexdigest()}{suffix_of(name)}"
        path = self._bodies / body
        if not path.exists():
            beside = path.with_name(f".{body}")
            opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(opened, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        return body

    def files(self, source: SourceSettings) -> tuple[list[SourceFile], list[Failure]]:
        """What can be indexed, and what is left out, as files of a folder of the source's name."""
        with self._telling():
            found = self._database.execute(
                "SELECT id, problem, is_sealed FROM documents WHERE body IS NULL ORDER BY id"
            )
            failures = [Failure(id_, str(problem), bool(sealed)) for id_, problem, sealed in found]
        return [self._file(row, source) for row in self._shown()], failures

    def _file(self, row: Mirrored, source: SourceSettings) -> SourceFile:
        assert row.kept is not None
        assert row.body is not None
        kept, path = row.kept, (self._bodies / row.body).resolve()
        audience = source.audience or PUBLIC
        if kept.readers is not None:
            audience = label_of(self.name, kept.readers)
        return SourceFile(
            path=path,
            target=path,
            own_id=row.id,
            id=row.id,
            size=path.stat().st_size if path.exists() else 0,
            modified=kept.modified,
            description=Description(
                title=one_line(storable(kept.title or "")) or None,
                url=kept.url,
                owner=kept.owner,
                audience=audience,
                sha256=row.body[:64],
            ),
        )

    def _shown(self) -> list[Mirrored]:
        with self._telling():
            found = self._database.execute(f"{_ROWS} WHERE body IS NOT NULL ORDER BY id")
            return [_row(row) for row in found]

    def _place(self, key: str, name: str, round_: int) -> None:
        """Make room for a document under an id of its own, which stays if the name does."""
        ids = _ids(f"{self.name}/{_clean(name) or _clean(key)}", key)
        id_ = next(id_ for id_ in ids if not self._is_taken(id_, key))
        self._run(
            "INSERT INTO documents (key, id, round) VALUES (?, ?, ?)"
            " ON CONFLICT (key) DO UPDATE SET id = excluded.id, round = excluded.round",
            (key, id_, round_),
        )

    def _is_taken(self, id_: str, key: str) -> bool:
        with self._telling():
            found = self._database.execute(
                "SELECT 1 FROM documents WHERE id = ? AND key <> ?", (id_, key)
            )
            return found.fetchone() is not None

    def _run(self, statement: str, values: Sequence[object]) -> None:
        with self._telling():
            self._database.execute(statement, values)


def label_of(source: str, readers: Readers) -> str:
    """The audience label of documents that these people alone may read."""
    said = "\n".join(sorted(readers)).encode()
    return f"{source}:{hashlib.sha256(said).hexdigest()[:LABEL_DIGITS]}"


def labels_held(sources_folder: Path, email: str) -> list[str]:
    """The labels of documents that sources give to the person with this address, in lower case.

    A mirror that cannot be read gives none.
    """
    labels: list[str] = []
    for path in sorted(sources_folder.glob(f"*/{DATABASE}")):
        try:
            database = _opened(path, is_reader=True)
            try:
                found = database.execute(
                    "SELECT label FROM holders WHERE email = ? ORDER BY label", (email,)
                )
                labels += [label for (label,) in found if label.startswith(f"{path.parent.name}:")]
            finally:
                database.close()
        except sqlite3.DatabaseError:
            continue
    return labels


def suffix_of(name: str) -> str:
    """The suffix of a document's name, in lower case; empty where it has none that is plain."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if _SUFFIX.fullmatch(suffix) else ""


def _clean(name: str) -> str:
    """A name as an id can hold it: parts that say something, none of which leads elsewhere."""
    parts = (one_line(unicodedata.normalize("NFC", storable(part))) for part in name.split("/"))
    return "/".join(_cut(part) for part in parts if part.strip(". "))


def _ids(id_: str, key: str) -> Iterator[str]:
    """The id that a name makes, then others for the case that it is another document's."""
    yield id_
    path = PurePosixPath(id_)
    for number in count():
        said = f"{key} {number}" if number else key
        digest = hashlib.sha256(said.encode()).hexdigest()[:8]
        yield str(path.with_name(f"{path.stem} {digest}{path.suffix}"))


def _cut(part: str) -> str:
    suffix = suffix_of(part)
    return part if len(part) <= PART_CHARS else part[: PART_CHARS - len(suffix)] + suffix


def _opened(path: Path, *, is_reader: bool = False) -> sqlite3.Connection:
    mode = "rw" if is_reader else "rwc"
    if not is_reader and not path.exists():
        path.touch(0o600)
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", timeout=_BUSY_S, isolation_level=None, uri=True
    )
    if not is_reader:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
    return database


def _row(row: tuple[Any, ...]) -> Mirrored:
    key, id_, kept, body, wanted, problem = row
    return Mirrored(key, id_, _remote(kept), body, _remote(wanted), problem)


def _remote_json(remote: Remote) -> str:
    fields = asdict(remote)
    if remote.readers is not None:
        fields["readers"] = sorted(remote.readers)
    return json.dumps(fields)


def _remote(text: str | None) -> Remote | None:
    if text is None:
        return None
    fields = json.loads(text)
    if fields["readers"] is not None:
        fields["readers"] = frozenset(fields["readers"])
    return Remote(**fields)

"""The index in a Postgres that workers share; a folder is the workbench of who builds."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from retrieval.errors import IndexCorruptError, IndexNotFoundError, RetrievalError
from retrieval.index.account import Account, account_of
from retrieval.index.content import FAILURES, LEFT_OUT, failure_of, left_out_of
from retrieval.index.generation import check_match, verify
from retrieval.index.manifest import Manifest, manifest_of
from retrieval.index.postgres.index import EXACT_LIMIT, PostgresIndex, Published
from retrieval.index.postgres.pulling import StoredPassages, pull, read_list, read_sources
from retrieval.index.postgres.pushing import prune, push, serve_again
from retrieval.index.postgres.server import (
    MEND,
    Connection,
    Server,
    check_server,
    locked,
    make_tables,
    see_all,
)
from retrieval.records import Passage, Source
from retrieval.registry.folders import building, kept, others, point, replace_text, served
from retrieval.search.embedding import Embedder

logger = logging.getLogger(__name__)

IN_STEP = ".shared"
"""Beside the generations of a workbench: the one that was served there and by the server last."""


class PostgresStore:
    """An index in Postgres. Threads may share one."""

    def __init__(self, address: str, folder: Path, *, exact_limit: int = EXACT_LIMIT) -> None:
        """Where more than `exact_limit` passages may be seen, not all are compared."""
        self.server = Server(address)
        self.folder = folder
        self._exact_limit = exact_limit

    @contextmanager
    def building(self) -> Iterator[None]:
        """The right to build in the folder, with what is served in it, and to publish from it."""
        with (
            building(self.folder),
            self.server.connected() as connection,
            locked(connection, self.server.name),
        ):
            make_tables(connection)
            self._take(connection)
            yield
            self._give(connection)

    def served(self) -> str:
        """The name of the generation that is served."""
        with self.server.plain() as connection:
            return self._served(connection)[1]

    def kept(self) -> str | None:
        """The name of the generation that a rollback would serve, if there is one."""
        with self.server.plain() as connection:
            self._served(connection)
            return next(iter([*_names(connection)][1:]), None)

    def manifest(self) -> Manifest:
        """What is served."""
        with self.server.plain() as connection:
            return _manifest(connection, self._served(connection)[0])

    def check(self) -> Manifest:
        """What is served, after a look at the extension, the role that reads and the numbers."""
        with self.server.connected() as connection:
            check_server(connection)
        with self.server.owning() as connection:
            number, _ = self._served(connection)
            manifest = _manifest(connection, number)
            row = connection.execute(
                "select count(*) from passages where %s between first and last", (number,)
            ).fetchone()
        if row != (manifest.passages,):
            raise IndexCorruptError(
                f"{self.server.name} has {row and row[0]} of {manifest.passages} passages; {MEND}"
            )
        return manifest

    def generations(self) -> tuple[Manifest, Manifest | None]:
        """What is served, and what a rollback would serve."""
        with self.server.plain() as connection:
            self._served(connection)
            manifests = [_manifest(connection, number) for number in _names(connection).values()]
            return manifests[0], manifests[1] if manifests[1:] else None

    def sources(self) -> list[Source]:
        """The documents that are served."""
        with self.server.plain() as connection:
            return read_sources(connection, self._served(connection)[0])

    def passages(self) -> Sequence[Passage]:
        """The passages that are served, in order."""
        with self.server.plain() as connection:
            return StoredPassages(self.server, self._served(connection)[0])

    def account(self) -> Account:
        """What became of every file below the indexed folders."""
        with self.server.plain() as connection:
            number, _ = self._served(connection)
            return account_of(
                read_sources(connection, number),
                read_list(connection, number, FAILURES, failure_of),
                read_list(connection, number, LEFT_OUT, left_out_of),
            )

    def load(self, embedder: Embedder) -> PostgresIndex:
        """What is served, searched where it lies."""
        with self.server.plain() as connection:
            number, _ = self._served(connection)
            manifest = _manifest(connection, number)
            row = connection.execute(
                "select languages from generations where number = %s", (number,)
            ).fetchone()
            sizes = connection.execute(
                "select label, passages, length from sizes where generation = %s", (number,)
            ).fetchall()
        assert row is not None
        check_match(manifest, embedder)
        told = {label: (passages, length) for label, passages, length in sizes}
        published = Published(number, manifest, told, tuple(row[0]))
        return PostgresIndex(self.server, published, exact_limit=self._exact_limit)

    def copy(self, folder: Path) -> None:
        """Let a new folder serve what is served here."""
        with self.server.connected() as connection:
            # What is deleted meanwhile is read all the same.
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with _owning(connection):
                number, name = self._served(connection)
                pull(connection, number, _manifest(connection, number), folder)
        point(folder, name)

    def _served(self, connection: Connection) -> tuple[int, str]:
        row = connection.execute(
            "select number, name from generations join served on generation = number"
        ).fetchone()
        if row is None:
            raise IndexNotFoundError(f"no index in {self.server.name}; run `whimbrel index FOLDER`")
        return row[0], row[1]

    def _take(self, connection: Connection) -> None:
        """Let the folder serve and keep what the server does.

        What is ahead of the server is given on first: something broke off before that was done,
        or the index was not shared yet.
        """
        names = _names(connection)
        theirs, ours = _served_of(names), served(self.folder)
        is_ahead = theirs is None or self._in_step() == theirs
        if ours and is_ahead and ours.name != theirs and _is_whole(ours):
            try:
                self._give(connection)
            except (RetrievalError, psycopg.Error) as error:
                if connection.broken:
                    raise
                logger.warning("what was built before is not served, only what is now: %s", error)
            return
        if theirs is None:
            return
        with _owning(connection):
            for name, number in names.items():
                if not _is_whole(self.folder / name):
                    shutil.rmtree(self.folder / name, ignore_errors=True)
                    pull(connection, number, _manifest(connection, number), self.folder)
        point(self.folder, theirs)
        for other in others(self.folder):
            if other.name not in names:
                shutil.rmtree(other)
        replace_text(self.folder / IN_STEP, theirs)

    def _give(self, connection: Connection) -> None:
        """Let the server serve and keep what the folder does."""
        ours = served(self.folder)
        if ours is None:
            return
        names = _names(connection)
        theirs = _served_of(names)
        is_purged = False
        with _owning(connection):
            if ours.name != theirs and ours.name in names:
                serve_again(connection, names[ours.name])
            elif ours.name != theirs:
                number = names[theirs] if theirs else None
                push(connection, ours, number, exact_limit=self._exact_limit)
            if theirs and kept(self.folder) is None:
                number = _names(connection)[ours.name]
                prune(connection, oldest=number, newest=number, least_alive=1)
                is_purged = True
        replace_text(self.folder / IN_STEP, ours.name)
        if is_purged:
            connection.execute("vacuum documents, passages, postings")

    def _in_step(self) -> str | None:
        path = self.folder / IN_STEP
        return path.read_text(encoding="utf-8") if path.is_file() else None


@contextmanager
def _owning(connection: Connection) -> Iterator[None]:
    """A transaction that sees all rows."""
    with connection.transaction():
        see_all(connection)
        yield


def _names(connection: Connection) -> dict[str, int]:
    """The numbers of the generations, by name, the one that is served first."""
    rows = connection.execute(
        "select name, number from generations left join served on generation = number"
        " order by generation is null"
    ).fetchall()
    return dict(rows)


def _served_of(names: dict[str, int]) -> str | None:
    return next(iter(names), None)


def _manifest(connection: Connection, number: int) -> Manifest:
    row = connection.execute(
        "select manifest from generations where number = %s", (number,)
    ).fetchone()
    assert row is not None
    return manifest_of(row[0].encode(), "the manifest")


def _is_whole(generation: Path) -> bool:
    try:
        verify(generation)
    except RetrievalError:
        return False
    return True

"""A generation from Postgres into a folder, byte for byte as it was written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from retrieval.errors import BusyError, IndexCorruptError
from retrieval.index.content import (
    FAILURES,
    LEFT_OUT,
    SOURCES,
    VECTORS,
    source_of,
)
from retrieval.index.generation import write_as
from retrieval.index.manifest import Manifest
from retrieval.index.passages import PASSAGES, LazyPassages, passage_of
from retrieval.index.postgres.server import MEND, Connection, Server
from retrieval.records import Passage, Source, Vectors

T = TypeVar("T")

LISTS = (SOURCES, FAILURES, LEFT_OUT)
"""The files of a generation that are kept whole."""

GONE = "what was searched is neither served nor kept any more; try again"

BATCH = 200
"""So many passages are read from the server at a time."""

_ORDERED = """
select {column} from passages
join unnest(%s::text[]) with ordinality as listed (id, row) on document = id
where %s between first and last order by row, place
"""
_ONE = """
select body from passages where document = %s and %s between first and last
order by place offset %s limit 1
"""


def pull(connection: Connection, number: int, manifest: Manifest, home: Path) -> None:
    """Write a generation into a folder of its name in `home`; `connection` sees all rows.

    Raises:
        IndexCorruptError: If it is not what was written.
    """
    lists = (name for name in LISTS if name in manifest.files)
    files: dict[str, Iterable[bytes]] = {n: [_body(connection, number, n)] for n in lists}
    sources = [source.id for source in read_sources(connection, number)]
    files[PASSAGES] = (f"{body}\n".encode() for body in _bodies(connection, number, sources))
    files[VECTORS] = _saved(_vectors(connection, number, sources, manifest), manifest)
    try:
        write_as(home, manifest, files)
    except IndexCorruptError as error:
        raise IndexCorruptError(f"{manifest.name} is not what was written; {MEND}") from error


def read_list(
    connection: Connection, number: int, name: str, made: Callable[[Mapping[str, Any]], T]
) -> list[T]:
    """What is made of each row of one of the `LISTS` of a generation, in order."""
    return [made(json.loads(line)) for line in _body(connection, number, name).splitlines()]


def _body(connection: Connection, number: int, name: str) -> bytes:
    row = connection.execute(
        "select body from lists where generation = %s and name = %s", (number, name)
    ).fetchone()
    if row is None:
        raise BusyError(GONE)
    body: bytes = row[0]
    return body


def read_sources(connection: Connection, number: int) -> list[Source]:
    """The documents of a generation, in order."""
    return read_list(connection, number, SOURCES, source_of)


def passage_in(body: str, source: str) -> Passage:
    """The passage of two rows: its own and its document's."""
    return passage_of(json.loads(body), source_of(json.loads(source)))


class StoredPassages(LazyPassages):
    """The passages of a generation, read from the server each time, never all of them at once."""

    def __init__(self, server: Server, number: int) -> None:
        self._server = server
        self._number = number

    def __len__(self) -> int:
        return int(self._places[1][-1])

    def __iter__(self) -> Iterator[Passage]:
        with self._server.owning() as connection:
            sources = {source.id: source for source in read_sources(connection, self._number)}
            for row in map(json.loads, _bodies(connection, self._number, [*sources])):
                yield passage_of(row, sources[row["source"]])

    def at(self, row: int) -> Passage:
        """As `LazyPassages.at`."""
        sources, begins = self._places
        document = int(np.searchsorted(begins, row, side="right")) - 1
        named = (sources[document].id, self._number, row - int(begins[document]))
        with self._server.owning() as connection:
            found = connection.execute(_ONE, named).fetchone()
        if found is None:
            raise BusyError(GONE)
        return passage_of(json.loads(found[0]), sources[document])

    @cached_property
    def _places(self) -> tuple[list[Source], npt.NDArray[np.int64]]:
        """The documents, and the row at which the passages of each begin; the last is the count."""
        with self._server.owning() as connection:
            sources = read_sources(connection, self._number)
            of: dict[str, int] = dict(
                connection.execute(
                    "select id, passages from documents where %s between first and last",
                    (self._number,),
                ).fetchall()
            )
        return sources, np.cumsum([0, *(of[source.id] for source in sources)], dtype=np.int64)


def read_vectors(connection: Connection, number: int, manifest: Manifest) -> Vectors:
    """The vectors of the passages, in their order; `connection` sees all rows."""
    sources = [source.id for source in read_sources(connection, number)]
    made = np.empty((0, manifest.dimension), np.float32)
    return np.concatenate([made, *_vectors(connection, number, sources, manifest)])


def unpacked(packed: Sequence[bytes], dimension: int) -> Vectors:
    """Vectors of what pgvector sends: after 4 bytes, big-endian numbers."""
    rows = np.frombuffer(b"".join(packed), dtype=np.uint8).reshape(-1, 4 + 4 * dimension)
    numbers = np.ascontiguousarray(rows[:, 4:]).view(">f4").reshape(-1, dimension)
    return numbers.astype(np.float32)


def packed(vectors: Vectors) -> Iterator[bytes]:
    """The inverse of `unpacked`, a vector at a time."""
    head = vectors.shape[1].to_bytes(2, "big") + bytes(2)
    return (head + vector.astype(">f4").tobytes() for vector in vectors)


def _bodies(connection: Connection, number: int, sources: Sequence[str]) -> Iterator[str]:
    for rows in _ordered(connection, number, sources, "body"):
        yield from (row[0] for row in rows)


def _vectors(
    connection: Connection, number: int, sources: Sequence[str], manifest: Manifest
) -> Iterator[Vectors]:
    for rows in _ordered(connection, number, sources, "vector_send(vector)"):
        yield unpacked([row[0] for row in rows], manifest.dimension)


def _saved(vectors: Iterable[Vectors], manifest: Manifest) -> Iterator[bytes]:
    """The file in which numpy saves these vectors, piece by piece."""
    head = BytesIO()
    shape = (manifest.passages, manifest.dimension)
    told = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, told)
    yield head.getvalue()
    for some in vectors:
        yield some.astype("<f4").tobytes()


def _ordered(
    connection: Connection, number: int, sources: Sequence[str], column: str
) -> Iterator[list[tuple[Any, ...]]]:
    """A column of a generation's passages, document by document, so many at a time."""
    with connection.cursor(name=f"whimbrel_{column.partition('(')[0]}") as cursor:
        cursor.execute(_ORDERED.format(column=column), ([*sources], number))
        while rows := cursor.fetchmany(BATCH):
            yield rows

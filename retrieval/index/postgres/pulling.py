"""A generation from Postgres into a folder, byte for byte as it was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from retrieval.errors import IndexCorruptError
from retrieval.index.content import (
    FAILURES,
    LEFT_OUT,
    SOURCES,
    VECTORS,
    source_of,
)
from retrieval.index.generation import Manifest, write_as
from retrieval.index.passages import PASSAGES, passage_of
from retrieval.index.postgres.server import MEND, Connection
from retrieval.records import Passage, Source, Vectors

T = TypeVar("T")

LISTS = (SOURCES, FAILURES, LEFT_OUT)
"""The files of a generation that are kept whole."""

_ORDERED = """
select {column} from passages
join unnest(%s::text[]) with ordinality as listed (id, row) on document = id
where %s between first and last order by row, place
"""


def pull(connection: Connection, number: int, manifest: Manifest, home: Path) -> None:
    """Write a generation into a folder of its name in `home`; `connection` sees all rows.

    Raises:
        IndexCorruptError: If it is not what was written.
    """
    lists = (name for name in LISTS if name in manifest.files)
    files = {name: _body(connection, number, name) for name in lists}
    sources = [json.loads(line)["id"] for line in files[SOURCES].splitlines()]
    files[PASSAGES] = b"".join(
        f"{body}\n".encode() for body in _bodies(connection, number, sources)
    )
    array = BytesIO()
    np.save(array, _vectors(connection, number, sources, manifest.dimension), allow_pickle=False)
    files[VECTORS] = array.getvalue()
    for name, body in files.items():
        if hashlib.sha256(body).hexdigest() != manifest.files.get(name):
            raise IndexCorruptError(f"{name} of {manifest.name} is not what was written; {MEND}")
    write_as(home, manifest, files)


def read_list(
    connection: Connection, number: int, name: str, made: Callable[[Mapping[str, Any]], T]
) -> list[T]:
    """What is made of each row of one of the `LISTS` of a generation, in order."""
    return [made(json.loads(line)) for line in _body(connection, number, name).splitlines()]


def _body(connection: Connection, number: int, name: str) -> bytes:
    row = connection.execute(
        "select body from lists where generation = %s and name = %s", (number, name)
    ).fetchone()
    assert row is not None
    body: bytes = row[0]
    return body


def read_sources(connection: Connection, number: int) -> list[Source]:
    """The documents of a generation, in order."""
    return read_list(connection, number, SOURCES, source_of)


def passage_in(body: str, source: str) -> Passage:
    """The passage of two rows: its own and its document's."""
    return passage_of(json.loads(body), source_of(json.loads(source)))


def read_passages(connection: Connection, number: int) -> Sequence[Passage]:
    """The passages of a generation, in order; `connection` sees all rows."""
    sources = {source.id: source for source in read_sources(connection, number)}
    rows = map(json.loads, _bodies(connection, number, [*sources]))
    return [passage_of(row, sources[row["source"]]) for row in rows]


def read_vectors(connection: Connection, number: int, dimension: int) -> Vectors:
    """The vectors of the passages, in their order; `connection` sees all rows."""
    sources = [source.id for source in read_sources(connection, number)]
    return _vectors(connection, number, sources, dimension)


def unpacked(packed: Sequence[bytes], dimension: int) -> Vectors:
    """Vectors of what pgvector sends: after 4 bytes, big-endian numbers."""
    rows = np.frombuffer(b"".join(packed), dtype=np.uint8).reshape(-1, 4 + 4 * dimension)
    numbers = np.ascontiguousarray(rows[:, 4:]).view(">f4").reshape(-1, dimension)
    return numbers.astype(np.float32)


def packed(vectors: Vectors) -> list[bytes]:
    """The inverse of `unpacked`."""
    head = vectors.shape[1].to_bytes(2, "big") + bytes(2)
    return [head + row.tobytes() for row in vectors.astype(">f4")]


def _bodies(connection: Connection, number: int, sources: Sequence[str]) -> list[str]:
    return [row[0] for row in _ordered(connection, number, sources, "body")]


def _vectors(
    connection: Connection, number: int, sources: Sequence[str], dimension: int
) -> Vectors:
    rows = _ordered(connection, number, sources, "vector_send(vector)")
    return unpacked([row[0] for row in rows], dimension)


def _ordered(
    connection: Connection, number: int, sources: Sequence[str], column: str
) -> list[tuple[Any, ...]]:
    """A column of a generation's passages, document by document."""
    return connection.execute(_ORDERED.format(column=column), ([*sources], number)).fetchall()

"""A generation from a folder into Postgres: what is new is written, and one row publishes it."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, count
from pathlib import Path

import numpy as np
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types import TypeInfo

from retrieval.errors import IndexCorruptError
from retrieval.index.content import SOURCES, VECTORS, read_failures, read_sources
from retrieval.index.generation import verify
from retrieval.index.manifest import MANIFEST, Manifest
from retrieval.index.passages import PASSAGES, Passages, passage_of, read_passages
from retrieval.index.postgres.index import EXACT_LIMIT, INDEXED_DIMENSIONS
from retrieval.index.postgres.pulling import LISTS, packed, passage_in
from retrieval.index.postgres.pulling import read_sources as sources_of
from retrieval.index.postgres.server import Connection
from retrieval.index.postgres.words import MOST, keys, only, packed_postings
from retrieval.jsonl import read_lines
from retrieval.records import Source

FOREVER = 2**31 - 1
"""The last generation of what is served."""

LEAST_ALIVE = 0.8
"""A segment of words is written anew when less of it is left."""

_LINKS, _CONSIDERED = 24, 100
"""Each vector's links in HNSW, and how many are considered for them: pgvector's own 16 and 64 leave
some vectors where no walk comes."""

_LINK_BYTES = 16
"""What HNSW needs for a link while it is built; the lowest level has twice as many, others few."""

_BUILD_KB = 512 * 1024
"""It may take so much in any case: what only the generation before has is in the graph, too."""

_DELETE = "delete from {table} where last < %(oldest)s or first > %(newest)s"
_REVIVE = """-- What had gone in a generation alone that is deleted now is there again.
update {table} set last = %(forever)s where last >= %(newest)s and last < %(forever)s
"""

_OUTDATE = """
update documents set last = %(served)s where last = %(forever)s and not exists (
    select from listed where listed.id = documents.id
    and (listed.label, listed.language, listed.passages, listed.body)
        = (documents.label, documents.language, documents.passages, documents.body))
"""
_ADD = """
insert into documents select * from listed where not exists (
    select from documents where documents.id = listed.id and last = %(forever)s)
"""
_HIDE = """
update documents set label = null where last < %(forever)s and (
    exists (select from listed where listed.id = documents.id and listed.label <> documents.label)
    or id = any(%(refused)s) or id ^@ any(%(parts)s))
"""
_HIDE_PASSAGES = """
update passages set label = null from documents
where passages.last < %(forever)s and document = id
    and documents.last < %(forever)s and documents.label is null
"""
_SHOW = """
update documents set label = told.label from told
where told.id = documents.id and %(number)s between first and last and documents.label is null
"""
_SHOW_PASSAGES = """
update passages set label = told.label from told
where told.id = document and %(number)s between first and last and passages.label is null
"""
# The server makes the digests of what it has, as `_digest` does of what it was sent.
_COUNT = """
select (select count(*) from documents where last = %(forever)s),
    (select count(*) from passages where last = %(forever)s),
    (select count(*) from passages where first = %(number)s and digest <> sha256(
        convert_to(concat_ws(E'\\x1f', document, place, label, language, body), 'UTF8')
        || vector_send(vector)))
"""
_STALE = """
select segment from segments left join lateral (
    select count(*) as alive from passages where first = segment) as counted on true
where alive < passages * %s
"""
_COMPACT = """
update postings set packed = compacted.packed
from unnest(%s::text[], %s::text[], %s::int[], %s::bytea[])
    as compacted (term, label, segment, packed)
where (postings.term, postings.label, postings.segment)
    = (compacted.term, compacted.label, compacted.segment)
"""
_RECOUNT = """
update segments set passages = (select count(*) from passages where first = segment)
where segment = any(%s)
"""

BATCH = 1_000
"""So many terms are compacted at a time."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A passage of a generation as the server has it: its line, its place in its document."""

    source: Source
    place: int
    body: str
    vector: bytes

    @property
    def digest(self) -> bytes:
        """What tells it from any other."""
        source = self.source
        told = (source.id, str(self.place), source.audience, source.language, self.body)
        return hashlib.sha256("\x1f".join(told).encode() + self.vector).digest()


@dataclass(frozen=True)
class _Rows:
    """The passages of a generation, read from its files each time."""

    generation: Path
    passages: Passages

    def __iter__(self) -> Iterator[_Row]:
        places: Counter[int] = Counter()
        vectors = np.load(self.generation / VECTORS, mmap_mode="r", allow_pickle=False)
        with (self.generation / PASSAGES).open(encoding="utf-8", newline="\n") as lines:
            of = self.passages.source_of.tolist()
            for source, line, vector in zip(of, lines, packed(vectors), strict=True):
                body = line.removesuffix("\n")
                yield _Row(self.passages.sources[source], places[source], body, vector)
                places[source] += 1


_Postings = Mapping[tuple[str, str], "array[int]"]
"""Of a term and a label: number of passage, count and length, again and again."""


def push(
    connection: Connection,
    generation: Path,
    served: int | None,
    *,
    exact_limit: int = EXACT_LIMIT,
) -> None:
    """Write a generation beside the one that is served, and serve it; all of it or nothing.

    `connection` is in a transaction that sees all rows. With more than `exact_limit` passages, HNSW
    is made.

    Raises:
        IndexCorruptError: If the generation, or what the server has of it, is not what was written.
    """
    manifest, sources = verify(generation), read_sources(generation)
    rows = _Rows(generation, read_passages(generation, sources))
    if served is not None:
        prune(connection, oldest=0, newest=served)
    number = _take_numbers(connection, 1)
    gone, is_new = _compared(connection, rows, served)
    lost = _words_of(connection, gone, served)
    _write_documents(connection, number, rows, served)
    _bury(connection, gone, served)
    new = zip(count(_take_numbers(connection, sum(is_new))), compress(rows, is_new))
    postings = _write_passages(connection, number, new)
    _write_postings(connection, number, postings)
    connection.execute("insert into segments values (%s, %s)", (number, sum(is_new)))
    _write_generation(connection, number, manifest, generation)
    _write_terms(connection, number, postings, lost, served)
    _check(connection, number, manifest)
    if manifest.passages > exact_limit and manifest.dimension <= INDEXED_DIMENSIONS:
        _index_vectors(connection, manifest)
    _serve(connection, number)
    prune(connection, oldest=served or number, newest=number)
    connection.execute("analyze documents, passages, postings, terms")


def serve_again(connection: Connection, number: int) -> None:
    """Publish the generation before; who went back to it knows that its labels are right now."""
    of_then = [(source.id, source.audience) for source in sources_of(connection, number)]
    connection.execute("create temp table told (id text, label text) on commit drop")
    with connection.cursor().copy("copy told from stdin") as copy:
        for row in of_then:
            copy.write_row(row)
    for statement in (_SHOW, _SHOW_PASSAGES):
        connection.execute(statement, {"number": number})
    _serve(connection, number)


def _serve(connection: Connection, number: int) -> None:
    connection.execute(
        "insert into served (generation) values (%s)"
        " on conflict (is_only) do update set generation = excluded.generation",
        (number,),
    )


def prune(
    connection: Connection, *, oldest: int, newest: int, least_alive: float = LEAST_ALIVE
) -> None:
    """Delete all generations but these and those between them, and what belongs to no other."""
    limits = {"oldest": oldest, "newest": newest, "forever": FOREVER}
    connection.execute(
        "delete from generations where number < %(oldest)s or number > %(newest)s", limits
    )
    for table in ("documents", "passages"):
        connection.execute(_DELETE.format(table=table), limits)
        connection.execute(_REVIVE.format(table=table), limits)
    _compact(connection, least_alive)


def _compact(connection: Connection, least_alive: float) -> None:
    """Take out of the segments of words what has gone, where enough has."""
    segments = [row[0] for row in connection.execute(_STALE, (least_alive,))]
    if not segments:
        return
    numbers = connection.execute("select number from passages where first = any(%s)", (segments,))
    alive = np.array([row[0] for row in numbers], np.int64)
    with connection.cursor(name="whimbrel_postings") as cursor:
        cursor.execute("select * from postings where segment = any(%s)", (segments,))
        while rows := cursor.fetchmany(BATCH):
            terms, labels, of, packed = zip(*rows, strict=True)
            left = [only(posted, alive) for posted in packed]
            connection.execute(_COMPACT, ([*terms], [*labels], [*of], left))
    connection.execute("delete from postings where segment = any(%s) and packed = ''", (segments,))
    connection.execute(_RECOUNT, (segments,))
    connection.execute("delete from segments where passages = 0")


def _compared(
    connection: Connection, rows: Iterable[_Row], served: int | None
) -> tuple[list[int], list[bool]]:
    """The numbers of the passages that go, and of each that there is now whether it is new."""
    known: dict[bytes, int] = {
        digest: number
        for number, digest in connection.execute(
            "select number, digest from passages where %s between first and last", (served or 0,)
        )
    }
    is_new = [known.pop(row.digest, None) is None for row in rows]
    return [*known.values()], is_new


def _take_numbers(connection: Connection, count: int) -> int:
    """The first of so many numbers in a row that nothing had so far."""
    row = connection.execute(
        "select setval('numbers', nextval('numbers') + %s)", (count,)
    ).fetchone()
    assert row is not None
    return int(row[0]) - count


def _words_of(
    connection: Connection, numbers: Sequence[int], served: int | None
) -> Counter[tuple[str, str]]:
    """In how many of some passages of the served generation each term occurs, for each label."""
    rows = connection.execute(
        "select passages.body, documents.body from passages join documents on id = document"
        " and %s between documents.first and documents.last where number = any(%s)",
        (served, [*numbers]),
    )
    words: Counter[tuple[str, str]] = Counter()
    for passage in (passage_in(body, source) for body, source in rows):
        words.update((term, passage.source.audience) for term in {*keys(passage.indexed_text)})
    return words


def _write_documents(connection: Connection, number: int, rows: _Rows, served: int | None) -> None:
    """Replace the documents that changed, and hide what they were if they are for others now."""
    generation, passages = rows.generation, rows.passages
    sizes = np.bincount(passages.source_of, minlength=len(passages.sources)).tolist()
    connection.execute("create temp table listed (like documents) on commit drop")
    bodies = (line for _, line in read_lines(generation / SOURCES))
    with connection.cursor().copy("copy listed from stdin") as copy:
        for source, size, body in zip(passages.sources, sizes, bodies, strict=True):
            of = (source.id, source.audience, source.language, size)
            copy.write_row((number, FOREVER, *of, body))
    connection.execute("create index on listed using hash (id)")
    failures = read_failures(generation)
    refused = [failure.id for failure in failures if failure.is_restricted]
    of_now = {
        "served": served,
        "forever": FOREVER,
        "refused": refused,
        "parts": [f"{id_}{end}" for id_ in refused for end in "#/"],
    }
    for statement in (_OUTDATE, _ADD, _HIDE):
        connection.execute(statement, of_now)


def _bury(connection: Connection, gone: Sequence[int], served: int | None) -> None:
    """Let passages go with the generation that is served so far, and be hidden as documents are."""
    connection.execute("update passages set last = %s where number = any(%s)", (served, [*gone]))
    connection.execute(_HIDE_PASSAGES, {"forever": FOREVER})


def _write_passages(
    connection: Connection, number: int, new: Iterable[tuple[int, _Row]]
) -> _Postings:
    """Write passages by their numbers; what they give are their postings."""
    postings: dict[tuple[str, str], array[int]] = defaultdict(lambda: array("i"))
    # A table under row-level security takes no COPY.
    connection.execute("create temp table incoming (like passages) on commit drop")
    columns = (*["int4"] * 3, "text", "int4", "text", "text", "int4", "int4", "bytea", "text")
    vector_type = _vector_type(connection)
    with connection.cursor().copy("copy incoming from stdin (format binary)") as copy:
        copy.set_types([*columns, vector_type])
        for own, row in new:
            source, dimension = row.source, len(row.vector) // 4 - 1
            words = Counter(keys(passage_of(json.loads(row.body), source).indexed_text))
            length = words.total()
            for term, count in words.items():
                postings[term, source.audience].extend((own, min(count, MOST), min(length, MOST)))
            where = (source.id, row.place, source.audience, source.language)
            what = (length, dimension, row.digest, row.body, row.vector)
            copy.write_row((own, number, FOREVER, *where, *what))
    connection.execute("insert into passages select * from incoming order by number")
    return postings


def _vector_type(connection: Connection) -> int:
    """The number of pgvector's type, for which what `packed` made is taken as it is."""
    info = TypeInfo.fetch(connection, "vector")
    assert info is not None
    number = info.oid

    class PackedDumper(Dumper):
        format = Format.BINARY
        oid = number

        def dump(self, obj: bytes) -> bytes:
            return obj

    connection.adapters.register_dumper(None, PackedDumper)
    return number


def _write_postings(connection: Connection, number: int, postings: _Postings) -> None:
    connection.execute("create temp table posted (like postings) on commit drop")
    with connection.cursor().copy("copy posted from stdin (format binary)") as copy:
        copy.set_types(["text", "text", "int4", "bytea"])
        for (term, label), posted in postings.items():
            copy.write_row((term, label, number, packed_postings(posted)))
    connection.execute("insert into postings select * from posted order by term, label")


def _write_generation(
    connection: Connection, number: int, manifest: Manifest, generation: Path
) -> None:
    connection.execute(
        "insert into generations select %(number)s, %(name)s, %(manifest)s, count(*),"
        " coalesce(array_agg(distinct language order by language), '{}')"
        " from passages where last = %(forever)s",
        {
            "number": number,
            "name": manifest.name,
            "manifest": (generation / MANIFEST).read_text(encoding="utf-8"),
            "forever": FOREVER,
        },
    )
    connection.execute(
        "insert into sizes select %s, label, count(*), sum(length) from passages where last = %s"
        " group by label",
        (number, FOREVER),
    )
    for name in LISTS:
        body = (generation / name).read_bytes() if name in manifest.files else b""
        connection.execute("insert into lists values (%s, %s, %s)", (number, name, body))


def _write_terms(
    connection: Connection,
    number: int,
    postings: _Postings,
    lost: Counter[tuple[str, str]],
    served: int | None,
) -> None:
    """In how many passages of a generation each term is: as in that before, plus what is new."""
    words = Counter({key: len(posted) // 3 for key, posted in postings.items()})
    words.subtract(lost)
    connection.execute(
        "create temp table counted (term text, label text, passages int) on commit drop"
    )
    with connection.cursor().copy("copy counted from stdin") as copy:
        for (term, label), passages in words.items():
            copy.write_row((term, label, passages))
    connection.execute(
        "insert into terms select %s, term, label, sum(passages) from ("
        "select term, label, passages from terms where generation = %s"
        " union all select term, label, passages from counted) as summed"
        " group by term, label having sum(passages) > 0",
        (number, served),
    )


def _check(connection: Connection, number: int, manifest: Manifest) -> None:
    """Compare what the server has with what was read: counts, and the digest of what is new."""
    row = connection.execute(_COUNT, {"forever": FOREVER, "number": number}).fetchone()
    if row != (manifest.documents, manifest.passages, 0):
        raise IndexCorruptError(
            f"the server has {row} documents, passages and differences, and not "
            f"{manifest.documents}, {manifest.passages} and 0; {manifest.name} is not published"
        )


def _index_vectors(connection: Connection, manifest: Manifest) -> None:
    """Make what HNSW walks, if it is not there, without workers: they want shared memory.

    It may take the memory that the graph needs; where that does not fit, it takes far longer.
    """
    dimension = manifest.dimension
    needed = manifest.passages * (2 * dimension + 3 * _LINKS * _LINK_BYTES)
    connection.execute(
        "select set_config('max_parallel_maintenance_workers', '0', true),"
        " set_config('maintenance_work_mem', greatest(%s,"
        " pg_size_bytes(current_setting('maintenance_work_mem')) / 1024)::text, true)",
        (max(_BUILD_KB, needed // 1024),),
    )
    connection.execute(
        f"create index if not exists passages_nearest_{dimension} on passages"
        f" using hnsw ((vector::halfvec({dimension})) halfvec_ip_ops)"
        f" with (m = {_LINKS}, ef_construction = {_CONSIDERED}) where dimension = {dimension}"
    )

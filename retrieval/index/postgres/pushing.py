"""A generation from a folder into Postgres: what is new is written, and one row publishes it."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types import TypeInfo

from retrieval.errors import IndexCorruptError
from retrieval.index.content import Content, read_content
from retrieval.index.generation import verify
from retrieval.index.manifest import MANIFEST, Manifest
from retrieval.index.passages import PASSAGES
from retrieval.index.postgres.index import EXACT_LIMIT, INDEXED_DIMENSIONS
from retrieval.index.postgres.pulling import LISTS, packed, passage_in, read_sources
from retrieval.index.postgres.server import Connection
from retrieval.index.postgres.words import keys
from retrieval.jsonl import to_line
from retrieval.records import Passage

FOREVER = 2**31 - 1
"""The last generation of what is served."""

LEAST_ALIVE = 0.8
"""A segment of words is written anew when less of it is left."""

_MOST = 2**15 - 1
"""The largest number of terms that is told apart from larger ones."""

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
_COMPACT = """
update postings set (numbers, counts, lengths) = (
    select coalesce(array_agg(number order by row), '{}'),
        coalesce(array_agg(count order by row), '{}'),
        coalesce(array_agg(length order by row), '{}')
    from unnest(numbers, counts, lengths) with ordinality as posting (number, count, length, row)
    where exists (select from passages where passages.number = posting.number))
where segment = any(%s)
"""


@dataclass(frozen=True, slots=True)
class _Row:
    """A passage as it is written. `number` is the server's."""

    number: int
    passage: Passage
    place: int
    body: str
    vector: bytes
    digest: bytes
    words: Mapping[str, int]


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
    manifest, content = verify(generation), read_content(generation)
    if served is not None:
        prune(connection, oldest=0, newest=served)
    number = _take_numbers(connection, 1)
    gone, new = _compared(connection, generation, content, served)
    words = Counter((word, row.passage.source.audience) for row in new for word in row.words)
    words.subtract(_words_of(connection, gone, served))
    _write_documents(connection, number, content, served)
    _bury(connection, gone, served)
    _write_passages(connection, number, new)
    _write_postings(connection, number, new)
    _write_generation(connection, number, manifest, generation)
    _write_terms(connection, number, words, served)
    _check(connection, number, manifest)
    if manifest.passages > exact_limit and manifest.dimension <= INDEXED_DIMENSIONS:
        _index_vectors(connection, manifest)
    _serve(connection, number)
    prune(connection, oldest=served or number, newest=number)
    connection.execute("analyze documents, passages, postings, terms")


def serve_again(connection: Connection, number: int) -> None:
    """Publish the generation before; who went back to it knows that its labels are right now."""
    of_then = [(source.id, source.audience) for source in read_sources(connection, number)]
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
    segments = [
        row[0]
        for row in connection.execute(
            "select segment from segments left join lateral ("
            "select count(*) as alive from passages where first = segment) as counted on true"
            " where alive < passages * %s",
            (least_alive,),
        )
    ]
    if not segments:
        return
    connection.execute(_COMPACT, (segments,))
    connection.execute(
        "delete from postings where segment = any(%s) and numbers = '{}'", (segments,)
    )
    connection.execute(
        "update segments set passages = (select count(*) from passages where first = segment)"
        " where segment = any(%s)",
        (segments,),
    )
    connection.execute("delete from segments where passages = 0")


def _compared(
    connection: Connection, generation: Path, content: Content, served: int | None
) -> tuple[list[int], list[_Row]]:
    """The numbers of the passages that go, and the passages that come."""
    known: dict[bytes, int] = {
        digest: number
        for number, digest in connection.execute(
            "select number, digest from passages where %s between first and last", (served or 0,)
        )
    }
    bodies = (generation / PASSAGES).read_text(encoding="utf-8").split("\n")
    places: Counter[str] = Counter()
    new = []
    vectors = packed(content.vectors)
    for passage, body, vector in zip(content.passages, bodies, vectors, strict=False):  # ends in \n
        place = places[passage.source.id]
        places[passage.source.id] += 1
        digest = _digest(passage, place, body, vector)
        if known.pop(digest, None) is None:
            words = Counter(keys(passage.indexed_text))
            new.append(_Row(0, passage, place, body, vector, digest, words))
    first = _take_numbers(connection, len(new))
    return [*known.values()], [replace(row, number=first + n) for n, row in enumerate(new)]


def _take_numbers(connection: Connection, count: int) -> int:
    """The first of so many numbers in a row that nothing had so far."""
    row = connection.execute(
        "select setval('numbers', nextval('numbers') + %s)", (count,)
    ).fetchone()
    assert row is not None
    return int(row[0]) - count


def _digest(passage: Passage, place: int, body: str, vector: bytes) -> bytes:
    source = passage.source
    told = "\x1f".join((source.id, str(place), source.audience, source.language, body))
    return hashlib.sha256(told.encode() + vector).digest()


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


def _write_documents(
    connection: Connection, number: int, content: Content, served: int | None
) -> None:
    """Replace the documents that changed, and hide what they were if they are for others now."""
    passages = Counter(passage.source.id for passage in content.passages)
    connection.execute("create temp table listed (like documents) on commit drop")
    with connection.cursor().copy("copy listed from stdin") as copy:
        for source in content.sources:
            of = (source.id, source.audience, source.language, passages[source.id])
            copy.write_row((number, FOREVER, *of, to_line(asdict(source))))
    connection.execute("create index on listed using hash (id)")
    refused = [failure.id for failure in content.failures if failure.is_restricted]
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


def _write_passages(connection: Connection, number: int, new: Sequence[_Row]) -> None:
    # A table under row-level security takes no COPY.
    connection.execute("create temp table incoming (like passages) on commit drop")
    columns = (*["int4"] * 3, "text", "int4", "text", "text", "int4", "int4", "bytea", "text")
    vector_type = _vector_type(connection)
    with connection.cursor().copy("copy incoming from stdin (format binary)") as copy:
        copy.set_types([*columns, vector_type])
        for row in new:
            source, dimension = row.passage.source, len(row.vector) // 4 - 1
            where = (source.id, row.place, source.audience, source.language)
            what = (sum(row.words.values()), dimension, row.digest, row.body, row.vector)
            copy.write_row((row.number, number, FOREVER, *where, *what))
    connection.execute("insert into passages select * from incoming order by number")


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


def _write_postings(connection: Connection, number: int, new: Sequence[_Row]) -> None:
    found: dict[tuple[str, str], list[tuple[int, int, int]]] = defaultdict(list)
    for row in new:
        length = min(sum(row.words.values()), _MOST)
        for term, count in row.words.items():
            key = (term, row.passage.source.audience)
            found[key].append((row.number, min(count, _MOST), length))
    connection.execute("create temp table posted (like postings) on commit drop")
    with connection.cursor().copy("copy posted from stdin") as copy:
        for (term, label), postings in found.items():
            columns = zip(*postings, strict=True)
            arrays = (f"{{{','.join(map(str, column))}}}" for column in columns)
            copy.write_row((term, label, number, *arrays))
    connection.execute("insert into postings select * from posted order by term, label")
    connection.execute("insert into segments values (%s, %s)", (number, len(new)))


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
    connection: Connection, number: int, words: Mapping[tuple[str, str], int], served: int | None
) -> None:
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

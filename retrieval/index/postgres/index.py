"""Search in Postgres: the vectors by pgvector, the words by BM25 over our own terms, in one query.

Where few passages may be seen, every vector is compared; where many may, pgvector's HNSW is walked
until enough of them came out that may be seen.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from retrieval.index.generation import read_index
from retrieval.index.manifest import Manifest, read_manifest
from retrieval.index.memory import Index
from retrieval.index.passages import passage_of
from retrieval.index.postgres.pulling import (
    StoredPassages,
    passage_in,
    pull,
    read_sources,
    read_vectors,
    unpacked,
)
from retrieval.index.postgres.server import Connection, Server, become_reader
from retrieval.index.postgres.words import keys
from retrieval.index.scope import SAMPLE, Found, Rows, Sample, Scope, Window
from retrieval.records import Passage, Source, Vectors
from retrieval.search.lexical import K1, B

EXACT_LIMIT = 20_000
"""Up to here every vector is compared that may be seen in a language; above, HNSW is walked."""

INDEXED_DIMENSIONS = 4_000
"""pgvector's HNSW takes no longer halves of vectors; these are always compared one by one."""

_WALK = {
    "hnsw.ef_search": "400",
    "hnsw.iterative_scan": "strict_order",
    "hnsw.max_scan_tuples": "200000",
    "hnsw.scan_mem_multiplier": "4",
}

_VISIBLE = "first <= %(generation)s and last >= %(generation)s and label = any(%(labels)s)"
_FROM = " and {} ^@ any(%(sources)s::text[])"

_FIND = """
with asked as (
    select * from unnest(%(terms)s::text[], %(weights)s::float8[]) as asked (term, weight)
), scored as materialized (
    select number, sum(weight * count / (count + %(k1)s * (1 - %(b)s + %(b)s * length / %(mean)s)))
        as bm25
    from asked join postings using (term),
        unnest(numbers, counts, lengths) as posting (number, count, length)
    where label = any(%(labels)s)
    group by number
), lexical as (
    -- A lateral join with an offset keeps the order and looks up no more than it has to.
    select number from (select number as best from scored order by bm25 desc) as ranked,
        lateral (
            select number from passages where number = best and {visible} offset 0
        ) as found
    limit %(depth)s
), found as (
    select number from lexical {nearest}
)
select number, language, -(vector <#> %(vector)s::vector), coalesce(bm25, 0)
from found join passages using (number) left join scored using (number) order by number
"""

_EXACT = """
union (select number from passages where {visible} and language = %({language})s
    order by vector <#> %(vector)s::vector limit %(depth)s)
"""
_WALKED = """
union (select number from passages
    where dimension = {dimension} and {visible} and language = %({language})s
    order by (vector::halfvec({dimension})) <#> %(vector)s::vector::halfvec({dimension})
    limit %(depth)s)
"""


_PASSAGE = """
select passages.body, documents.body from passages join documents
    on id = document and %(generation)s between documents.first and documents.last
where document = %(document)s and %(generation)s between passages.first and passages.last
    and passages.label is not null and passages.body::json ->> 'content_hash' = %(hash)s
order by place desc limit 1
"""
_COUNT = """
select language, count(*), sum(passages)::int from documents
where {visible} and passages > 0 group by language order by language
"""
_SAMPLE = """
select language, vector_send(vector) from passages where number in (
    select number from (
        select number, row_number() over (order by number) as row from passages where {visible}
    ) as numbered where (row - 1) %% %(step)s = 0
) order by number
"""


@dataclass(frozen=True, slots=True)
class Published:
    """A generation as the server has it.

    `sizes` are for each label the number of its passages, and of their terms.
    """

    number: int
    manifest: Manifest
    sizes: Mapping[str, tuple[int, int]]
    languages: tuple[str, ...]


class PostgresIndex:
    """A generation that is searched where it lies."""

    def __init__(
        self, server: Server, published: Published, *, exact_limit: int = EXACT_LIMIT
    ) -> None:
        self._server = server
        self._exact_limit = exact_limit
        self._published = published
        self.manifest = published.manifest
        self.languages: Sequence[str] = published.languages
        self._passages = StoredPassages(server, published.number)
        self._sizes = lru_cache(maxsize=256)(self._count)
        self._samples = lru_cache(maxsize=16)(self._read_sample)

    @property
    def passages(self) -> Sequence[Passage]:
        """All of them, read from the server each time."""
        return self._passages

    @property
    def vectors(self) -> Vectors:
        """The vector of each passage, read into memory at each call."""
        with self._server.owning() as connection:
            return read_vectors(connection, self._published.number, self.manifest)

    @property
    def sources(self) -> Sequence[Source]:
        """Its documents, read at each call."""
        with self._server.plain() as connection:
            return read_sources(connection, self._published.number)

    def passage(self, document: str, content_hash: str) -> Passage | None:
        """The passage of a document that holds this text."""
        with self._server.owning() as connection:
            row = connection.execute(
                _PASSAGE,
                {
                    "generation": self._published.number,
                    "document": document,
                    "hash": content_hash,
                },
            ).fetchone()
        return passage_in(*row) if row else None

    def in_memory(self) -> Index:
        """The same generation in memory."""
        with TemporaryDirectory() as home, self._server.owning() as connection:
            pull(connection, self._published.number, self.manifest, Path(home))
            generation = Path(home, self.manifest.name)
            return read_index(generation, read_manifest(generation))

    def documents(self, scope: Scope) -> int:
        """How many documents take part."""
        return self._sizes(scope)[0]

    def find(self, query: str, vector: Vectors, scope: Scope, depth: int) -> Found:
        """The best of both legs, by number."""
        sizes = self._sizes(scope)[1]
        walked = {
            language
            for language, size in sizes.items()
            if size > self._exact_limit and vector.shape[1] <= INDEXED_DIMENSIONS
        }
        rows = self._find(query, vector, scope, depth, walked)
        if walked:
            # Where what may be seen lies far away, the walk may end before there is enough.
            found = Counter(str(language) for _, language, _, _ in rows)
            if any(found[language] < min(depth, sizes[language]) for language in walked):
                rows = self._find(query, vector, scope, depth, set())
        group_of = {language: group for group, language in enumerate(self.languages)}
        return Found(
            np.array([row[0] for row in rows], np.int64),
            np.array([group_of[row[1]] for row in rows], np.intp),
            np.array([row[2] for row in rows], np.float32),
            np.array([row[3] for row in rows], np.float32),
        )

    def frequencies(self, terms: Sequence[str], scope: Scope) -> dict[str, int]:
        """In how many passages that may be seen each of some terms is, whatever their source."""
        with self._server.plain() as connection:
            return self._passages_with(connection, terms, scope.audience)

    def sample(self, scope: Scope) -> Sample:
        """At most `SAMPLE` of the passages that take part; read once."""
        return self._samples(scope)

    def vectors_of(self, rows: Rows, scope: Scope) -> Vectors:
        """The vectors of some passages that take part."""
        with self._server.reading(scope.audience) as connection:
            found: dict[int, bytes] = dict(
                connection.execute(
                    "select number, vector_send(vector) from passages where number = any(%s)",
                    (rows.tolist(),),
                ).fetchall()
            )
        gone = bytes(4 * (1 + self.manifest.dimension))  # its passage is not given any more, either
        packed = [found.get(row, gone) for row in rows.tolist()]
        return unpacked(packed, self.manifest.dimension)

    def passages_of(self, rows: Rows, scope: Scope) -> dict[int, Passage]:
        """Those of some passages that may be seen at this moment."""
        with self._server.reading(scope.audience) as connection:
            found = connection.execute(
                "select number, passages.body, documents.body from passages join documents"
                " on id = document and %(generation)s between documents.first and documents.last"
                " where number = any(%(rows)s)",
                {"rows": rows.tolist(), "generation": self._published.number},
            ).fetchall()
        return {number: passage_in(body, source) for number, body, source in found}

    def window(self, passage: Passage, reach: int) -> Window | None:
        """The passage with at most so many of its document before and behind it."""
        with self._server.reading(frozenset({passage.source.audience})) as connection:
            bodies = [
                str(row[0])
                for row in connection.execute(
                    "select body from passages where document = %(document)s"
                    " and %(generation)s between first and last order by place",
                    {"document": passage.source.id, "generation": self._published.number},
                )
            ]
        rows = [json.loads(body) for body in bodies]
        place = next((n for n, row in enumerate(rows) if row["id"] == passage.id), None)
        if place is None:
            return None
        first = max(0, place - reach)
        near = [passage_of(row, passage.source) for row in rows[first : place + reach + 1]]
        return Window(near, place - first)

    def _parameters(self, scope: Scope) -> dict[str, Any]:
        return {
            "generation": self._published.number,
            "labels": sorted(scope.audience),
            "sources": [*scope.sources],
        }

    def _find(
        self, query: str, vector: Vectors, scope: Scope, depth: int, walked: set[str]
    ) -> Sequence[tuple[Any, ...]]:
        visible = _VISIBLE + (_FROM.format("document") if scope.sources else "")
        parameters = self._parameters(scope) | {
            "depth": depth,
            "vector": f"[{','.join(map(str, vector[0].tolist()))}]",
            "k1": K1,
            "b": B,
        }
        nearest = ""
        for n, language in enumerate(self._sizes(scope)[1]):
            leg = _WALKED if language in walked else _EXACT
            parameters[f"language_{n}"] = language
            nearest += leg.format(
                visible=visible, language=f"language_{n}", dimension=vector.shape[1]
            )
        with self._server.plain() as connection:
            parameters |= self._weights(connection, query, scope.audience)
            become_reader(connection, scope.audience)
            settings = ", ".join(
                f"set_config('{name}', '{to}', true)" for name, to in _WALK.items()
            )
            connection.execute(f"select {settings}")
            return connection.execute(
                _FIND.format(visible=visible, nearest=nearest), parameters
            ).fetchall()

    def _weights(
        self, connection: Connection, query: str, audience: frozenset[str]
    ) -> dict[str, Any]:
        """The terms of a query that an audience may see, and how much each tells.

        No passage that it may not see moves that, nor the `mean` length.
        """
        asked = Counter(keys(query))
        known = self._passages_with(connection, [*asked], audience)
        sizes = [of for label, of in self._published.sizes.items() if label in audience]
        size, length = (sum(counts) for counts in zip(*sizes, strict=True)) if sizes else (0, 0)
        weights = [asked[t] * log(1 + (size - n + 0.5) / (n + 0.5)) for t, n in known.items()]
        mean = length / max(size, 1) or 1.0
        return {"terms": [*known], "weights": weights, "mean": mean}

    def _passages_with(
        self, connection: Connection, terms: Sequence[str], audience: frozenset[str]
    ) -> dict[str, int]:
        """In how many passages for an audience each of some terms is, where it is in any."""
        return dict(
            connection.execute(
                "select term, sum(passages)::int from terms"
                " where generation = %s and term = any(%s) and label = any(%s) group by term",
                (self._published.number, [*terms], sorted(audience)),
            ).fetchall()
        )

    def _count(self, scope: Scope) -> tuple[int, dict[str, int]]:
        """How many documents take part, and how many passages in each language."""
        visible = _VISIBLE + (_FROM.format("id") if scope.sources else "")
        with self._server.reading(scope.audience) as connection:
            rows = connection.execute(
                _COUNT.format(visible=visible), self._parameters(scope)
            ).fetchall()
        return sum(row[1] for row in rows), {row[0]: row[2] for row in rows}

    def _read_sample(self, scope: Scope) -> Sample:
        size = sum(self._sizes(scope)[1].values())
        visible = _VISIBLE + (_FROM.format("document") if scope.sources else "")
        with self._server.reading(scope.audience) as connection:
            rows = connection.execute(
                _SAMPLE.format(visible=visible),
                self._parameters(scope) | {"step": max(1, -(-size // SAMPLE))},
            ).fetchall()
        groups = [self.languages.index(row[0]) for row in rows]
        return Sample(
            unpacked([row[1] for row in rows], self.manifest.dimension), np.array(groups, np.intp)
        )

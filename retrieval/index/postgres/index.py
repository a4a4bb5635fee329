"""Search in Postgres: the vectors by pgvector, the words by BM25 over our own terms.

Where few passages may be seen, every vector is compared; where many may, pgvector's HNSW is walked
until enough of them came out that may be seen.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
from retrieval.index.postgres.server import Connection, Server, become_reader, known
from retrieval.index.postgres.words import Scored, keys
from retrieval.index.scope import SAMPLE, Found, Rows, Sample, Scope, Window
from retrieval.records import Passage, Source, Vectors
from retrieval.search.lexical import rarity

EXACT_LIMIT = 20_000
"""Up to here every vector is compared that may be seen in a language; above, HNSW is walked."""

INDEXED_DIMENSIONS = 4_000
"""pgvector's HNSW takes no longer halves of vectors; these are always compared one by one."""

_FURTHER = 16
"""Times as many of the best by words are looked at where too few of them may be seen."""

_WALK = {
    "hnsw.ef_search": "400",
    "hnsw.iterative_scan": "strict_order",
    "hnsw.max_scan_tuples": "200000",
    "hnsw.scan_mem_multiplier": "4",
}

_VISIBLE = "first <= %(generation)s and last >= %(generation)s and label = any(%(labels)s)"
_FROM = " and {} ^@ any(%(sources)s::text[])"

_POSTINGS = "select term, packed from postings where term = any(%s) and label = any(%s)"
_BEST = """
select number from unnest(%(ranked)s::int[]) with ordinality as ranked (number, rank)
join passages using (number) where {visible} order by rank limit %(depth)s
"""
_FIND = """
with found as (select unnest(%(best)s::int[]) as number{nearest})
select number, language, -(vector <#> %(vector)s::vector)
from found join passages using (number) order by number
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
_ROWS = "select number from passages where {visible} order by number"
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
        self._rows = lru_cache(maxsize=16)(self._read_rows)
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
        sizes, within = self._sizes(scope)[1], self._within(scope)
        visible, parameters = self._visible(scope, within)
        parameters |= {"depth": depth, "vector": f"[{','.join(map(str, vector[0].tolist()))}]"}
        with self._server.plain() as connection:
            weights, mean = self._weights(connection, query, scope.audience)
            become_reader(connection, scope.audience)
            postings = connection.execute(
                _POSTINGS, ([*weights], parameters["labels"]), binary=True
            ).fetchall()
            scored = Scored.of([(packed, weights[term]) for term, packed in postings], mean)
            if within is None:
                parameters["best"] = _best(connection, scored, visible, parameters)
            else:
                near = scored.among(within)
                parameters["best"] = _best(connection, near, _VISIBLE, parameters)
            found = self._nearest(connection, sizes, visible, parameters)
        group_of = {language: group for group, language in enumerate(self.languages)}
        rows = np.array([row[0] for row in found], np.int64)
        return Found(
            rows,
            np.array([group_of[row[1]] for row in found], np.intp),
            np.array([row[2] for row in found], np.float32),
            scored.at(rows),
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
            "labels": known(scope.audience),
            "sources": [*scope.sources],
        }

    def _within(self, scope: Scope) -> Rows | None:
        """The passages of sources that have few of them; None where there are many."""
        is_narrow = sum(self._sizes(scope)[1].values()) <= self._exact_limit
        return self._rows(scope) if scope.sources and is_narrow else None

    def _visible(self, scope: Scope, within: Rows | None) -> tuple[str, dict[str, Any]]:
        """What a passage that takes part has to be, and the parameters of that."""
        parameters = self._parameters(scope)
        if within is not None:
            # Looked up by number, as it takes far longer to look at the name of each document.
            parameters["within"] = f"{{{','.join(map(str, within.tolist()))}}}"
            return f"{_VISIBLE} and number = any(%(within)s::int[])", parameters
        return _taking_part(scope, "document"), parameters

    def _nearest(
        self,
        connection: Connection,
        sizes: Mapping[str, int],
        visible: str,
        parameters: Mapping[str, Any],
    ) -> Sequence[tuple[int, str, float]]:
        """Number, language and cosine of the best by words, and of the nearest of each language."""
        dimension = self.manifest.dimension
        walked = {
            language
            for language, size in sizes.items()
            if size > self._exact_limit and dimension <= INDEXED_DIMENSIONS
        }
        named = {f"language_{n}": language for n, language in enumerate(sizes)}

        def found(walked: set[str]) -> Sequence[tuple[int, str, float]]:
            legs = (
                (_WALKED if language in walked else _EXACT).format(
                    visible=visible, language=name, dimension=dimension
                )
                for name, language in named.items()
            )
            query = _FIND.format(nearest="".join(legs))
            return connection.execute(query, {**parameters, **named}).fetchall()

        if not walked:
            return found(set())
        settings = ", ".join(f"set_config('{name}', '{to}', true)" for name, to in _WALK.items())
        connection.execute(f"select {settings}")
        rows = found(walked)
        # Where what may be seen lies far away, the walk may end before there is enough.
        of = Counter(language for _, language, _ in rows)
        depth = parameters["depth"]
        is_enough = all(of[language] >= min(depth, sizes[language]) for language in walked)
        return rows if is_enough else found(set())

    def _weights(
        self, connection: Connection, query: str, audience: frozenset[str]
    ) -> tuple[dict[str, float], float]:
        """How much each term of a query tells, and the mean length of passages in terms.

        No passage that the audience may not see moves either.
        """
        asked = Counter(keys(query))
        found = self._passages_with(connection, [*asked], audience)
        sizes = [of for label, of in self._published.sizes.items() if label in audience]
        size, length = (sum(counts) for counts in zip(*sizes, strict=True)) if sizes else (0, 0)
        weights = {term: asked[term] * rarity(size, n) for term, n in found.items()}
        return weights, length / max(size, 1) or 1.0

    def _passages_with(
        self, connection: Connection, terms: Sequence[str], audience: frozenset[str]
    ) -> dict[str, int]:
        """In how many passages for an audience each of some terms is, where it is in any."""
        return dict(
            connection.execute(
                "select term, sum(passages)::int from terms"
                " where generation = %s and term = any(%s) and label = any(%s) group by term",
                (self._published.number, [*terms], known(audience)),
            ).fetchall()
        )

    def _count(self, scope: Scope) -> tuple[int, dict[str, int]]:
        """How many documents take part, and how many passages in each language."""
        visible = _taking_part(scope, "id")
        with self._server.reading(scope.audience) as connection:
            rows = connection.execute(
                _COUNT.format(visible=visible), self._parameters(scope)
            ).fetchall()
        return sum(row[1] for row in rows), {row[0]: row[2] for row in rows}

    def _read_rows(self, scope: Scope) -> Rows:
        visible = _taking_part(scope, "document")
        with self._server.reading(scope.audience) as connection:
            found = connection.execute(_ROWS.format(visible=visible), self._parameters(scope))
            return np.array([row[0] for row in found.fetchall()], np.int64)

    def _read_sample(self, scope: Scope) -> Sample:
        size = sum(self._sizes(scope)[1].values())
        visible = _taking_part(scope, "document")
        with self._server.reading(scope.audience) as connection:
            rows = connection.execute(
                _SAMPLE.format(visible=visible),
                self._parameters(scope) | {"step": max(1, -(-size // SAMPLE))},
            ).fetchall()
        groups = [self.languages.index(row[0]) for row in rows]
        return Sample(
            unpacked([row[1] for row in rows], self.manifest.dimension), np.array(groups, np.intp)
        )


def _taking_part(scope: Scope, document: str) -> str:
    """What a row has to be; `document` is the column with the id of its document."""
    return _VISIBLE + (_FROM.format(document) if scope.sources else "")


def _best(
    connection: Connection, scored: Scored, visible: str, parameters: Mapping[str, Any]
) -> list[int]:
    """The best by words that may be seen at this moment."""
    most = 2 * parameters["depth"]
    while True:
        ranked = scored.best(most)
        found = connection.execute(
            _BEST.format(visible=visible), {**parameters, "ranked": ranked.tolist()}
        ).fetchall()
        if len(found) == parameters["depth"] or ranked.size == scored.numbers.size:
            return [row[0] for row in found]
        most *= _FURTHER

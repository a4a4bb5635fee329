"""Search in a shared index beside search in memory: the same quality, and how long each takes.

    python -m benchmarks.pgvector FOLDER... [--queries N]

A FOLDER is as for `whimbrel evaluate`, whose index is used again where there is one. It is searched
in memory, and in a PostgreSQL that is started for it: once so that every vector is compared, and
once so that HNSW is walked. `same` is the share of the first ten documents that are the same.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from benchmarks.retrieval import judged
from retrieval.evaluation.dataset import Dataset, read_dataset
from retrieval.evaluation.evaluate import build_library
from retrieval.evaluation.metrics import ndcg, recall
from retrieval.index.postgres.index import EXACT_LIMIT
from retrieval.index.postgres.store import IN_STEP, PostgresStore
from retrieval.index.searcher import Searcher
from retrieval.records import Vectors
from retrieval.search.embedding import Embedder, configured
from retrieval.settings import Settings, load_settings
from tests.postgres_server import PostgresServer
from tests.retrieval.index.postgres.index_server import new_index

Rankings = Sequence[Sequence[str]]


def main() -> None:
    """Print a line for each set and way to search."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--queries", type=int, default=500, metavar="N", help="at most, a set")
    arguments = parser.parse_args()
    settings = load_settings()
    embedder = configured(settings)
    print(f"{embedder.id}\n{'set':<20}{'index':<10}{'passages':>9}{'queries':>8}", end="")
    print(f"{'nDCG@10':>9}{'recall@10':>10}{'same':>7}{'build s':>9}{'p50 ms':>8}{'p99 ms':>8}")
    server = PostgresServer()
    try:
        for folder in arguments.folders:
            compare(read_dataset(folder), settings, embedder, server, most=arguments.queries)
    finally:
        server.close()


class KnownQueries:
    """An embedder that embeds a query once, so that the search alone is timed the second time."""

    def __init__(self, embedder: Embedder) -> None:
        self._vectors: dict[str, Vectors] = {}
        self._embedder = embedder

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else a search looks at
        return getattr(self._embedder, name)

    def embed_query(self, query: str) -> Vectors:
        """The vector that the embedder gives it."""
        if query not in self._vectors:
            self._vectors[query] = self._embedder.embed_query(query)
        return self._vectors[query]


def compare(
    dataset: Dataset, settings: Settings, embedder: Embedder, server: PostgresServer, *, most: int
) -> None:
    """Print the lines of a set."""
    library = build_library(dataset, settings, embedder, lambda *_: None)
    in_memory = report(dataset, "memory", library.searcher(), None, most=most)
    with TemporaryDirectory() as temporary:
        home = Path(temporary, "index")
        library.store.copy(home)
        for name, exact_limit in (("exact", EXACT_LIMIT), ("HNSW", 0)):
            address = new_index(server)
            started = time.perf_counter()
            searcher = shared(home, embedder, address, exact_limit=exact_limit)
            built_s = time.perf_counter() - started
            report(dataset, name, searcher, built_s, most=most, like=in_memory)


def shared(
    home: Path, embedder: Embedder, address: str, *, exact_limit: int = EXACT_LIMIT
) -> Searcher:
    """A searcher in Postgres of what a folder of generations serves.

    Args:
        home: The folder; what is in it is as `write_generation` and `publish` left it.
        embedder: What made it.
        address: An empty database, as `new_index` makes one.
        exact_limit: With more passages, HNSW is built, and walked where more may be seen.
    """
    store = PostgresStore(address, home, exact_limit=exact_limit)
    with store.building():
        pass
    (home / IN_STEP).unlink()  # the next server gets it, too
    return Searcher(store.load(embedder), embedder)


def report(
    dataset: Dataset,
    name: str,
    searcher: Searcher,
    built_s: float | None,
    *,
    most: int,
    like: Rankings | None = None,
) -> Rankings:
    """Ask all questions and print a line; the first ten of each, by id."""
    languages = sorted({query.language for query in dataset.queries})
    queries = [query for language in languages for query in judged(dataset, language, most)]
    searcher = Searcher(searcher.index, cast("Embedder", KnownQueries(searcher.embedder)))
    for query in queries:
        searcher.search(query.text)
    rankings, taken_ms = [], []
    for query in queries:
        started = time.perf_counter()
        hits = searcher.search(query.text, k=20)
        taken_ms.append(1000 * (time.perf_counter() - started))
        rankings.append([*dict.fromkeys(hit.passage.source.id for hit in hits)][:10])
    wanted = [dataset.qrels[query.id] for query in queries]
    pairs = [*zip(rankings, wanted, strict=True)]
    same = np.mean(
        [len({*a} & {*b}) / max(len(b), 1) for a, b in zip(rankings, like or rankings, strict=True)]
    )
    built = "-" if built_s is None else f"{built_s:.1f}"
    print(
        f"{dataset.name:<20}{name:<10}{searcher.index.manifest.passages:>9}{len(queries):>8}"
        f"{np.mean([ndcg(*pair) for pair in pairs]):>9.4f}"
        f"{np.mean([recall(*pair) for pair in pairs]):>10.4f}{same:>7.3f}{built:>9}"
        f"{np.percentile(taken_ms, 50):>8.1f}{np.percentile(taken_ms, 99):>8.1f}",
        flush=True,
    )
    return rankings


if __name__ == "__main__":
    main()

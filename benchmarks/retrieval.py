"""Search quality of each leg alone, of plain rank fusion and of Whimbrel, on judged questions.

    python -m benchmarks.retrieval FOLDER... [--embedder NAME]... [--queries N]

A FOLDER is in the format that `retrieval/evaluation/dataset.py` describes; each line of its corpus
is one passage. Data that is free to get, and easily brought into that format:

- FeedbackQA (English, questions about public health): github.com/McGill-NLP/feedbackqa
- CLAPNQ (English, Natural Questions over Wikipedia): github.com/primeqa/clapnq
- 18F's handbook (English, staff handbook; questions are its own headings): github.com/18F/handbook
- Python's FAQ and tutorials (English and Chinese): github.com/python/python-docs-zh-cn
- CMRC 2018 (Chinese, Wikipedia): github.com/ymcui/cmrc2018
- every set of BEIR (github.com/beir-cellar/beir) as it is

Passages in several languages are searched apart, as if each language were its own corpus, and
together; `cross` judges the passages in the other language only, the query's own taken away.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import numpy as np

from retrieval.documents.splitting import SPLITTER_VERSION
from retrieval.evaluation.dataset import Dataset, Query, read_dataset
from retrieval.evaluation.metrics import ndcg, recall, reciprocal_rank
from retrieval.index.content import Content
from retrieval.index.generation import load_index, write_generation
from retrieval.index.manifest import Recipe
from retrieval.index.searcher import Searcher
from retrieval.records import Vectors
from retrieval.registry.folders import publish
from retrieval.search.embedding import Embedder
from retrieval.settings import load_settings

DEPTH = 100
SMOOTHING = 60
METHODS = ("lexical", "dense", "plain RRF", "whimbrel")

Qrels = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Row:
    """One line of the table: what is judged, and each method's three numbers."""

    name: str
    language: str
    passages: int
    queries: int
    scores: Mapping[str, Sequence[float]]


def main() -> None:
    """Print one table for each embedder."""
    arguments = parse_arguments()
    names = arguments.embedder or [load_settings().embedder, "all-minilm-l6-v2"]
    for name in dict.fromkeys(names):
        settings = load_settings().model_copy(update={"embedder": name})
        embedder = Embedder.load(settings)
        print(f"\n{embedder.id}: nDCG@10 / recall@10 / MRR@10")
        print(f"{'set':<20}{'language':<10}{'passages':>8}{'queries':>8}", end="")
        print(*(f"{method:>20}" for method in METHODS), flush=True)
        for folder in arguments.folders:
            dataset = read_dataset(folder)
            vectors = embedder.embed_passages(
                [passage.indexed_text for passage in dataset.passages]
            )
            for row in evaluate(dataset, vectors, embedder, most=arguments.queries):
                print_row(row)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--embedder", action="append", metavar="NAME", help="may be repeated")
    parser.add_argument("--queries", type=int, default=10**9, metavar="N", help="at most, a row")
    return parser.parse_args()


def evaluate(dataset: Dataset, vectors: Vectors, embedder: Embedder, *, most: int) -> Iterator[Row]:
    """A row for each language apart and, where there are several, for all together."""
    languages = sorted({query.language for query in dataset.queries if query.id in dataset.qrels})
    if len(languages) == 1:
        searcher = build(dataset, vectors, embedder)
        queries = judged(dataset, languages[0], most)
        yield measure(dataset.name, languages[0], searcher, queries, dataset.qrels)
        return
    for language in languages:
        searcher = build(*only(language, dataset, vectors), embedder)
        queries = judged(dataset, language, most)
        yield measure(dataset.name, language, searcher, queries, dataset.qrels)
    searcher = build(dataset, vectors, embedder)
    for language in languages:
        queries = judged(dataset, language, most)
        yield measure(dataset.name, f"{language} in all", searcher, queries, dataset.qrels)
        if cross := dataset.cross_qrels:
            name = f"{language} cross"
            yield measure(dataset.name, name, searcher, queries, cross, hidden=dataset.qrels)


def only(language: str, dataset: Dataset, vectors: Vectors) -> tuple[Dataset, Vectors]:
    """The data set with the passages of one language."""
    rows = [i for i, passage in enumerate(dataset.passages) if passage.source.language == language]
    return replace(dataset, passages=tuple(dataset.passages[i] for i in rows)), vectors[rows]


def judged(dataset: Dataset, language: str, most: int) -> list[Query]:
    """The queries of a language that have relevant passages, at most so many, evenly spread."""
    found = [
        query
        for query in dataset.queries
        if query.language == language and query.id in dataset.qrels
    ]
    return found[:: max(1, -(-len(found) // most))]


def build(dataset: Dataset, vectors: Vectors, embedder: Embedder) -> Searcher:
    """A searcher of a generation that holds the data set's passages as they are."""
    content = Content(
        [passage.source for passage in dataset.passages], dataset.passages, (), vectors
    )
    recipe = Recipe(embedder.id, embedder.revision, SPLITTER_VERSION, embedder.max_tokens, {})
    with TemporaryDirectory() as temporary:
        home = Path(temporary)
        manifest = write_generation(home, content, recipe=recipe, roots=(), embedder=embedder)
        publish(home, manifest.name)
        return Searcher(load_index(home, embedder), embedder)


def measure(
    name: str,
    language: str,
    searcher: Searcher,
    queries: Sequence[Query],
    qrels: Qrels,
    *,
    hidden: Qrels = MappingProxyType({}),
) -> Row:
    """Judge each method on the queries; `hidden` passages are taken out of every ranking."""
    scores: dict[str, list[tuple[float, float, float]]] = {method: [] for method in METHODS}
    for query in queries:
        for method, ranked in rankings(searcher, query.text).items():
            seen = [id_ for id_ in ranked if id_ not in hidden.get(query.id, {})]
            wanted = qrels[query.id]
            scores[method].append(
                (ndcg(seen, wanted), recall(seen, wanted), reciprocal_rank(seen, wanted))
            )
    means = {method: np.mean(values, axis=0).tolist() for method, values in scores.items()}
    return Row(name, language, len(searcher.index.passages), len(queries), means)


def rankings(searcher: Searcher, query: str) -> dict[str, list[str]]:
    """What each method finds: ids of passages, best first."""
    index = searcher.index.in_memory()
    everything = np.ones(len(index.passages), dtype=bool)
    dense = index.dense.nearest(searcher.embedder.embed_query(query), DEPTH, everything)[0].tolist()
    bm25 = index.lexical.scores(query)
    lexical = [row for row in np.argsort(-bm25, kind="stable")[:DEPTH].tolist() if bm25[row]]
    fused: dict[int, float] = defaultdict(float)
    for leg in (dense, lexical):
        for rank, row in enumerate(leg, start=1):
            fused[row] += 1 / (SMOOTHING + rank)
    plain = sorted(fused, key=lambda row: -fused[row])
    found = {"lexical": lexical, "dense": dense, "plain RRF": plain}
    ids = {method: [index.passages[row].id for row in rows] for method, rows in found.items()}
    return ids | {"whimbrel": [hit.passage.id for hit in searcher.search(query, k=DEPTH)]}


def print_row(row: Row) -> None:
    """One line: the three numbers of each method."""
    print(f"{row.name:<20}{row.language:<10}{row.passages:>8}{row.queries:>8}", end="")
    print(
        *(f"{'/'.join(f'{x:.3f}' for x in row.scores[method]):>20}" for method in METHODS),
        flush=True,
    )


if __name__ == "__main__":
    main()

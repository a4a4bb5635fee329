"""What searching adds to embedding the query, over synthetic passages in English and Chinese.

    python -m benchmarks.search_latency [--passages N] [--queries N] [--embedder NAME]

The vectors are random: they cost the same to search as real ones.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from retrieval.documents.splitting import SPLITTER_VERSION
from retrieval.index.content import Content
from retrieval.index.generation import load_index, write_generation
from retrieval.index.manifest import Recipe
from retrieval.index.searcher import Searcher
from retrieval.records import Passage, Source, Vectors
from retrieval.registry.folders import publish
from retrieval.search.embedding import Embedder
from retrieval.settings import load_settings

WORDS = 30_000
WORDS_PER_PASSAGE = 120
TARGET_MS = 15


def main() -> None:
    """Print the median milliseconds of embedding, of searching, and of what searching adds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--embedder", default=load_settings().embedder)
    arguments = parser.parse_args()
    settings = load_settings().model_copy(update={"embedder": arguments.embedder})
    embedder = Embedder.load(settings)
    searcher = build(arguments.passages, embedder)
    embedding, whole = measure(searcher, embedder, arguments.queries)
    added = whole - embedding
    print(f"{arguments.passages} passages, {arguments.queries} queries, medians:")
    print(f"embedding {embedding:.1f} ms, search with embedding {whole:.1f} ms")
    print(f"search adds {added:.1f} ms ({added / embedding:.0%}); target under {TARGET_MS} ms")


def build(size: int, embedder: Embedder) -> Searcher:
    """A searcher over passages of random words, every second one Chinese."""
    passages = [synthetic_passage(n) for n in range(size)]
    recipe = Recipe(embedder.id, embedder.revision, SPLITTER_VERSION, embedder.max_tokens, {})
    vectors = random_vectors(size, embedder.dimension)
    content = Content([passage.source for passage in passages], passages, (), vectors)
    with TemporaryDirectory() as temporary:
        home = Path(temporary)
        manifest = write_generation(home, content, recipe=recipe, roots=(), embedder=embedder)
        publish(home, manifest.name)
        return Searcher(load_index(home, embedder), embedder)


def synthetic_passage(number: int) -> Passage:
    """A passage of words as frequent as Zipf says."""
    words = synthetic_words(random.Random(number), WORDS_PER_PASSAGE, is_chinese=number % 2 == 1)
    language = "zh" if number % 2 else "en"
    source = Source(str(number), "", "", language, "", "")
    return Passage(str(number), source, words, 0, len(words), content_hash=str(number))


def synthetic_words(source: random.Random, count: int, *, is_chinese: bool) -> str:
    """So many words, or characters, with a full stop after every twelfth."""
    ranks = [int(WORDS ** source.random()) for _ in range(count)]
    stop = "。" if is_chinese else ". "
    return "".join(
        (chr(0x4E00 + rank % 3_000) if is_chinese else f" word{rank}")
        + (stop if n % 12 == 11 else "")
        for n, rank in enumerate(ranks)
    ).strip()


def random_vectors(size: int, dimension: int) -> Vectors:
    """Unit vectors in random directions."""
    vectors = np.random.default_rng(0).normal(size=(size, dimension)).astype(np.float32)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def measure(searcher: Searcher, embedder: Embedder, count: int) -> tuple[float, float]:
    """Median milliseconds of embedding a query, and of a whole search; taken in turns."""
    source = random.Random(-1)
    queries = [synthetic_words(source, 10, is_chinese=n % 2 == 1) for n in range(count)]
    embedding, whole = [], []
    for query in queries:
        began = time.perf_counter()
        embedder.embed_query(query)
        embedded = time.perf_counter()
        searcher.search(query)
        embedding.append(embedded - began)
        whole.append(time.perf_counter() - embedded)
    return statistics.median(embedding) * 1e3, statistics.median(whole) * 1e3


if __name__ == "__main__":
    main()

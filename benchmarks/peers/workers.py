"""Indexes and searches with one library; runs in an environment where that is installed.

    python workers.py index|search NAME EMBEDDER PASSAGES QUERIES FOLDER

EMBEDDER is a folder in the form of sentence-transformers. PASSAGES and QUERIES are lines of JSON
{id, text}; FOLDER is where the index is kept. Prints one line of JSON: what it took, and of a
search the ids that each query found. Each library is used as its own guide does, with search by
words beside vectors where that is part of it.
"""

# ruff: noqa: ANN401 - the libraries are not installed where types are checked

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PASSAGE, QUERY = "passage: ", "query: "
K = 10

Pairs = Sequence[tuple[str, str]]
Search = Callable[[str], Sequence[str]]
Peer = tuple[Callable[[], Any], Callable[[Any, Pairs, str], None], Callable[[Any, str], Search]]
"""What loads the embedder, what indexes texts with it, and what loads the index to search it."""


def whimbrel(embedder: str) -> Peer:
    """Vectors and words, joined by what either is worth."""
    from retrieval.documents.splitting import SPLITTER_VERSION
    from retrieval.index.content import Content
    from retrieval.index.generation import load_index, write_generation
    from retrieval.index.manifest import Recipe
    from retrieval.index.searcher import Searcher
    from retrieval.language import language_of
    from retrieval.records import Passage, Source
    from retrieval.registry.folders import publish
    from retrieval.search.embedding import Embedder
    from retrieval.settings import load_settings

    def load() -> Embedder:
        return Embedder.load(load_settings().model_copy(update={"embedder": embedder}))

    def index(model: Embedder, passages: Pairs, folder: str) -> None:
        found = [
            Passage(id_, Source(id_, "", "", language_of(text), "", ""), text, 0, len(text))
            for id_, text in passages
        ]
        vectors = model.embed_passages([passage.indexed_text for passage in found])
        content = Content([passage.source for passage in found], found, (), vectors)
        recipe = Recipe(model.id, model.revision, SPLITTER_VERSION, model.max_tokens, {})
        home = Path(folder)
        made = write_generation(home, content, recipe=recipe, roots=(), embedder=model)
        publish(home, made.name)

    def opened(model: Embedder, folder: str) -> Search:
        searcher = Searcher(load_index(Path(folder), model), model)
        return lambda query: [hit.passage.id for hit in searcher.search(query, k=K)]

    return load, index, opened


def txtai(embedder: str) -> Peer:
    """Its hybrid index: vectors and BM25."""
    from txtai import Embeddings

    def load() -> Any:
        prefixes = {"query": QUERY, "data": PASSAGE}
        return Embeddings(path=embedder, instructions=prefixes, hybrid=True)

    def index(model: Any, passages: Pairs, folder: str) -> None:
        model.index([(id_, text, None) for id_, text in passages])
        model.save(folder)

    def opened(model: Any, folder: str) -> Search:
        model.load(folder)
        return lambda query: [id_ for id_, _ in model.search(query, K)]

    return load, index, opened


def llamaindex(embedder: str) -> Peer:
    """Its vector index and the BM25 retriever, fused by ranks; neither calls a model."""
    from llama_index.core import StorageContext, VectorStoreIndex, load_index_from_storage
    from llama_index.core.llms import MockLLM
    from llama_index.core.retrievers import QueryFusionRetriever
    from llama_index.core.schema import TextNode
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.retrievers.bm25 import BM25Retriever

    def load() -> Any:
        return HuggingFaceEmbedding(
            model_name=embedder, query_instruction=QUERY, text_instruction=PASSAGE, device="cpu"
        )

    def index(model: Any, passages: Pairs, folder: str) -> None:
        nodes = [TextNode(id_=id_, text=text) for id_, text in passages]
        VectorStoreIndex(nodes, embed_model=model).storage_context.persist(folder)
        BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=K).persist(f"{folder}/bm25")

    def opened(model: Any, folder: str) -> Search:
        context = StorageContext.from_defaults(persist_dir=folder)
        vectors = load_index_from_storage(context, embed_model=model).as_retriever(
            similarity_top_k=K
        )
        words = BM25Retriever.from_persist_dir(f"{folder}/bm25")
        fused = QueryFusionRetriever(
            [vectors, words],
            llm=MockLLM(),
            num_queries=1,
            similarity_top_k=K,
            mode="reciprocal_rerank",
            use_async=False,
        )
        return lambda query: [found.node.node_id for found in fused.retrieve(query)]

    return load, index, opened


def haystack(embedder: str) -> Peer:
    """Its store in memory, by vectors and BM25, joined by ranks."""
    from haystack import Document
    from haystack.components.joiners import DocumentJoiner
    from haystack.components.retrievers.in_memory import (
        InMemoryBM25Retriever,
        InMemoryEmbeddingRetriever,
    )
    from haystack.document_stores.in_memory import InMemoryDocumentStore
    from haystack_integrations.components.embedders.sentence_transformers import (
        SentenceTransformersDocumentEmbedder,
        SentenceTransformersTextEmbedder,
    )

    def load() -> Any:
        options = {"model": embedder, "normalize_embeddings": True, "progress_bar": False}
        if sys.argv[1] == "index":
            made: Any = SentenceTransformersDocumentEmbedder(prefix=PASSAGE, **options)
        else:
            made = SentenceTransformersTextEmbedder(prefix=QUERY, **options)
        made.warm_up()
        return made

    def index(model: Any, passages: Pairs, folder: str) -> None:
        store = InMemoryDocumentStore(embedding_similarity_function="cosine")
        documents = [Document(id=id_, content=text) for id_, text in passages]
        store.write_documents(model.run(documents)["documents"])
        Path(folder).mkdir(parents=True, exist_ok=True)
        store.save_to_disk(f"{folder}/store.json")

    def opened(model: Any, folder: str) -> Search:
        store = InMemoryDocumentStore.load_from_disk(f"{folder}/store.json")
        vectors = InMemoryEmbeddingRetriever(store, top_k=K)
        words = InMemoryBM25Retriever(store, top_k=K)
        joiner = DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=K)

        def search(query: str) -> list[str]:
            near = vectors.run(model.run(query)["embedding"])["documents"]
            joined = joiner.run([near, words.run(query)["documents"]])["documents"]
            return [document.id for document in joined]

        return search

    return load, index, opened


def chroma(embedder: str) -> Peer:
    """A collection on disk, by vectors alone, which is all that it has of its own."""
    import chromadb
    from chromadb.config import Settings
    from sentence_transformers import SentenceTransformer

    def load() -> Any:
        return SentenceTransformer(embedder, device="cpu")

    def client(folder: str) -> Any:
        return chromadb.PersistentClient(folder, Settings(anonymized_telemetry=False))

    def encoded(model: Any, prefix: str, texts: Sequence[str]) -> Any:
        return model.encode([prefix + text for text in texts], normalize_embeddings=True)

    def index(model: Any, passages: Pairs, folder: str) -> None:
        held = client(folder).create_collection("all", metadata={"hnsw:space": "cosine"})
        for start in range(0, len(passages), 1_000):
            ids, texts = zip(*passages[start : start + 1_000], strict=True)
            vectors = encoded(model, PASSAGE, texts)
            held.add(ids=[*ids], documents=[*texts], embeddings=vectors)

    def opened(model: Any, folder: str) -> Search:
        held = client(folder).get_collection("all")

        def search(query: str) -> list[str]:
            found = held.query(query_embeddings=encoded(model, QUERY, [query]), n_results=K)
            return [*found["ids"][0]]

        return search

    return load, index, opened


PEERS = {
    "whimbrel": whimbrel,
    "txtai": txtai,
    "llamaindex": llamaindex,
    "haystack": haystack,
    "chroma": chroma,
}


def read(path: str) -> list[tuple[str, str]]:
    """The ids and texts of a file."""
    rows = map(json.loads, Path(path).read_text(encoding="utf-8").splitlines())
    return [(row["id"], row["text"]) for row in rows]


def cpu_s() -> float:
    """Seconds of the processor so far, children included."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def main() -> None:
    """Do what is asked for, and print what it took."""
    task, name, embedder, passages, queries, folder = sys.argv[1:]
    # What a library prints must not get between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    load, index, opened = PEERS[name](embedder)
    model = load()
    if task == "index":
        before = cpu_s()
        index(model, read(passages), folder)
        answer: dict[str, Any] = {"cpu_s": cpu_s() - before}
    else:
        asked = read(queries)
        search = opened(model, folder)
        found, taken = {asked[0][0]: [*search(asked[0][1])]}, []
        answer = {"start_cpu_s": cpu_s(), "start_s": time.time() - float(os.environ["BEGAN"])}
        for id_, text in asked:
            began, used = time.perf_counter(), cpu_s()
            found[id_] = [*search(text)]
            taken.append((time.perf_counter() - began, cpu_s() - used))
        answer |= {"found": found, "taken": taken}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({**answer, "memory_mb": peak}), file=answers, flush=True)


if __name__ == "__main__":
    main()

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.index.searcher import Searcher
from retrieval.records import Vectors
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder
from tests.retrieval.words_of_runs import LongestFirst, install


class SlowEmbedder(WordEmbedder):
    """Waits at a gate, which is open at first, and says with `begun` that it does."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.gate = threading.Event(), threading.Event()
        self.gate.set()

    def embed_passages(
        self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None
    ) -> Vectors:
        self.begun.set()
        self.gate.wait(10)
        return super().embed_passages(texts, on_batch=on_batch)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return install(tmp_path)


@pytest.fixture
def embedder() -> SlowEmbedder:
    return SlowEmbedder()


@pytest.fixture
def library(settings: Settings, embedder: SlowEmbedder) -> Library:
    library = Library(settings, embedder)
    library.searcher()
    return library


def publish_and_begin_to_load(
    library: Library, embedder: SlowEmbedder
) -> tuple[threading.Thread, list[Searcher]]:
    (library.settings.home.parent / "docs" / "new.md").write_text("# Tide\n\nHigh water at noon.\n")
    update_index((), library.settings, WordEmbedder())
    embedder.begun.clear()
    embedder.gate.clear()
    found: list[Searcher] = []
    loading = threading.Thread(target=lambda: found.append(library.searcher()))
    loading.start()
    embedder.begun.wait(10)
    return loading, found


def test_questions_go_on_with_the_old_index_while_the_new_one_is_loading(
    library: Library, embedder: SlowEmbedder
) -> None:
    old = library.searcher()
    loading, found = publish_and_begin_to_load(library, embedder)
    meanwhile = library.searcher()
    embedder.gate.set()
    loading.join()
    assert meanwhile is old
    assert found == [library.searcher()]
    assert len(library.searcher().index.passages) == len(old.index.passages) + 1


def test_a_reranker_that_is_published_while_an_index_is_loading_reranks_both(
    library: Library, embedder: SlowEmbedder
) -> None:
    loading, found = publish_and_begin_to_load(library, embedder)
    library.rerank_with(LongestFirst("longest"))
    meanwhile = library.searcher()
    embedder.gate.set()
    loading.join()
    assert found != [meanwhile]
    assert (meanwhile.reranker_id, found[0].reranker_id) == ("longest", "longest")

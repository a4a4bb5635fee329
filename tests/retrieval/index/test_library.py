from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from retrieval.errors import IndexCorruptError
from retrieval.index.building import update_index
from retrieval.index.generation import current
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


def add(settings: Settings, name: str) -> None:
    """Publish an index with one document more."""
    text = f"# {name}\n\nThe {name} is locked at night.\n"
    (settings.home.parent / "docs" / f"{name}.md").write_text(text)
    update_index((), settings, WordEmbedder())


def harm(settings: Settings) -> None:
    """Damage the index that is published."""
    path = current(settings.index_folder) / "passages.jsonl"
    path.write_bytes(path.read_bytes()[:-2])


def found(library: Library, name: str) -> bool:
    return any(name in passage.text for passage in library.searcher().index.passages)


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


def test_a_running_program_searches_on_from_memory_where_the_new_index_is_damaged(
    library: Library, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    before = library.searcher()
    add(settings, "tower")
    harm(settings)
    assert library.searcher() is library.searcher()
    assert library.searcher().index is before.index
    (told,) = [record for record in caplog.records if "is not what was written" in record.message]
    assert "whimbrel index --full" in told.message
    update_index((), settings, WordEmbedder(), full=True)
    assert found(library, "tower")


def test_a_program_that_starts_on_a_damaged_index_searches_the_one_before(
    settings: Settings, embedder: SlowEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    add(settings, "tower")
    add(settings, "gate")
    harm(settings)
    library = Library(settings, embedder)
    assert (found(library, "tower"), found(library, "gate")) == (True, False)
    assert "meanwhile" in caplog.text


@pytest.mark.parametrize("change", ["restricted", "removed"])
def test_what_has_left_or_is_for_fewer_people_is_not_found_again_in_an_older_index(
    settings: Settings, embedder: SlowEmbedder, change: str
) -> None:
    add(settings, "tower")
    running = Library(settings, embedder)
    running.searcher()
    path = settings.home.parent / "docs" / "tower.md"
    path.unlink()
    if change == "restricted":
        path.write_text("---\naudience: keepers\n---\n# tower\n\nThe tower is locked at night.\n")
    update_index((), settings, WordEmbedder())
    harm(settings)
    for library in (running, Library(settings, embedder)):
        with pytest.raises(IndexCorruptError):
            library.searcher()


def test_without_any_sound_index_nothing_is_searched(
    settings: Settings, embedder: SlowEmbedder
) -> None:
    harm(settings)
    with pytest.raises(IndexCorruptError):
        Library(settings, embedder).searcher()
    update_index((), settings, WordEmbedder(), full=True)
    assert Library(settings, embedder).searcher().index.passages

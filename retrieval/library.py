"""The index that is served, kept current while others rebuild it."""

from __future__ import annotations

import threading
from pathlib import Path

from retrieval.embedding import Embedder
from retrieval.index import current, load_index
from retrieval.reranking import Reranker
from retrieval.retriever import load_embedder, served_embedder
from retrieval.search import Searcher
from retrieval.settings import Settings


class Library:
    """Hands out a searcher of the generation that is published at the moment.

    A search that has begun keeps its own generation, so publishing never disturbs a question.
    """

    def __init__(self, settings: Settings, embedder: Embedder) -> None:
        self.embedder = embedder
        self.settings = settings
        self.folder = settings.index_folder
        self._reranker = Reranker(settings.reranker) if settings.reranker else None
        self._lock = threading.Lock()
        self._loaded: tuple[Path, Searcher] | None = None

    def searcher(self) -> Searcher:
        """A searcher of the current generation, loaded when it was published since the last call.

        Raises:
            IndexNotFoundError: If nothing has been published.
            IndexCorruptError: If the generation is not what was written.
            IndexMismatchError: If another embedder or splitter made it.
        """
        generation = current(self.folder)
        with self._lock:
            if self._loaded is None or self._loaded[0] != generation:
                self._follow()
                index = load_index(self.folder, self.embedder)
                searcher = Searcher(index, self.embedder, reranker=self._reranker)
                self._loaded = (generation, searcher)
            return self._loaded[1]

    def following(self) -> Embedder:
        """The embedder that new documents are to be embedded with: the served index's."""
        with self._lock:
            self._follow()
            return self.embedder

    def _follow(self) -> None:
        """Take the embedder that made the served index, if that was learned or follows one."""
        made_by = served_embedder(self.folder)
        if made_by != self.embedder.id and "+" in made_by + self.embedder.id:
            self.embedder = load_embedder(self.settings)

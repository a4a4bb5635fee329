"""The index that is served, kept current while others rebuild it."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from retrieval.errors import IndexCorruptError, IndexMismatchError, RetrievalError
from retrieval.index.generation import load_generation, whole_sources
from retrieval.index.manifest import read_manifest
from retrieval.index.searcher import Searcher
from retrieval.index.served_embedder import load_embedder, served_embedder
from retrieval.index.store import index_store
from retrieval.registry.folders import kept
from retrieval.search.embedding import Embedder
from retrieval.search.reranking import Reranker, load_reranker
from retrieval.settings import Settings

logger = logging.getLogger(__name__)


class Library:
    """Hands out a searcher of the generation that is published at the moment.

    A search that has begun keeps its own generation, so publishing never disturbs a question.
    """

    def __init__(
        self, settings: Settings, embedder: Embedder, *, reranker: Reranker | None = None
    ) -> None:
        self.settings = settings
        self.folder = settings.index_folder
        self.store = index_store(settings)
        self._latest = embedder
        self._reranker = reranker
        self._loading, self._swapping = threading.Lock(), threading.Lock()
        self._loaded: Searcher | None = None
        self._damaged = ""

    @classmethod
    def load(cls, settings: Settings, embedder: Embedder) -> Self:
        """The library with the reranker that serves, if there is one."""
        return cls(settings, embedder, reranker=load_reranker(settings))

    @property
    def embedder(self) -> Embedder:
        """The one that searches now."""
        loaded = self._loaded
        return loaded.embedder if loaded else self._latest

    def searcher(self) -> Searcher:
        """A searcher of the current generation, loaded when it was published since the last call.

        While one thread loads it, the others get a searcher of the generation before. So do all
        where it is damaged, until another one is published; the log says so.

        Raises:
            IndexNotFoundError: If nothing has been published.
            IndexCorruptError: If neither it nor the generation before is what was written.
            IndexMismatchError: If another embedder or splitter made it.
        """
        loaded = self._loaded
        if loaded is not None and self._is_current(loaded):
            return loaded
        if not self._loading.acquire(blocking=loaded is None) and loaded is not None:
            return loaded
        try:
            return self._load()
        finally:
            self._loading.release()

    def rerank_with(self, reranker: Reranker | None) -> None:
        """Rerank what is found with this one from the next search on."""
        with self._swapping:
            self._reranker = reranker
            if self._loaded is not None:
                self._loaded = self._loaded.reranked_by(reranker)

    def following(self) -> Embedder:
        """The embedder that new documents are to be embedded with: the served index's."""
        with self._loading:
            return self._follow()

    def _is_current(self, searcher: Searcher) -> bool:
        return self.store.served() in (searcher.index.manifest.name, self._damaged)

    def _load(self) -> Searcher:
        """Load what is published, and let it search; the caller holds the right to load."""
        while self._loaded is None or not self._is_current(self._loaded):
            name, embedder = self.store.served(), self._follow()
            try:
                searcher = Searcher(self.store.load(embedder), embedder)
            except IndexMismatchError:
                if self.store.served() == name:
                    raise
                continue  # another retriever was published while this one was read
            except IndexCorruptError as error:
                searcher = self._instead_of(self.folder / name, embedder, error)
            with self._swapping:
                self._loaded = searcher.reranked_by(self._reranker)
        return self._loaded

    def _instead_of(
        self, generation: Path, embedder: Embedder, error: IndexCorruptError
    ) -> Searcher:
        """What searches where a generation is damaged: what did so far, else the one before it.

        Nothing does where a document has left, or is for other people, in the damaged one.
        """
        searcher, other = self._loaded, kept(self.folder)
        if searcher is None:
            if other is None:
                raise error
            with suppress(IndexCorruptError, IndexMismatchError):
                searcher = Searcher(load_generation(other, embedder), embedder)
        if searcher is None or not _may_stand_in(searcher, generation):
            raise error
        logger.error("%s; searching %s meanwhile", error, searcher.index.manifest.name)
        self._damaged = generation.name
        return searcher

    def _follow(self) -> Embedder:
        """Take the embedder that made the served index, if that was learned or follows one."""
        made_by = served_embedder(self.settings)
        if made_by != self._latest.id and "+" in made_by + self._latest.id:
            self._latest = load_embedder(self.settings)
        return self._latest


def _may_stand_in(searcher: Searcher, generation: Path) -> bool:
    """Whether all that is searched is in a generation, for the same people, as far as it tells."""
    try:
        sources = whole_sources(generation, read_manifest(generation))
    except (RetrievalError, OSError):
        return False
    labels = {source.id: source.audience for source in sources}
    return all(
        labels.get(passage.source.id) == passage.source.audience
        for passage in searcher.index.passages
    )

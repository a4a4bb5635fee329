"""The index that is served, kept current while others rebuild it."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Self

from retrieval.errors import NotReadyError
from retrieval.index.generation import Index, current, load_index
from retrieval.index.searcher import Searcher
from retrieval.index.served_embedder import load_embedder, served_embedder
from retrieval.registry.runs import Run
from retrieval.search.competence import competences
from retrieval.search.dense import DenseIndex
from retrieval.search.embedding import Embedder
from retrieval.search.reranking import Reranker, load_reranker
from retrieval.serving.retriever import vectors_by
from retrieval.settings import Settings


class Library:
    """Hands out a searcher of the generation that is published at the moment.

    A search that has begun keeps its own generation, so publishing never disturbs a question.
    """

    def __init__(
        self, settings: Settings, embedder: Embedder, *, reranker: Reranker | None = None
    ) -> None:
        self.embedder = embedder
        self.settings = settings
        self.folder = settings.index_folder
        self._reranker = reranker
        self._lock = threading.Lock()
        self._loaded: tuple[Path, Searcher] | None = None

    @classmethod
    def load(cls, settings: Settings, embedder: Embedder) -> Self:
        """The library with the reranker that serves, if there is one."""
        return cls(settings, embedder, reranker=load_reranker(settings))

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

    def rerank_with(self, reranker: Reranker | None) -> None:
        """Rerank what is found with this one from the next search on."""
        with self._lock:
            self._reranker = reranker
            if self._loaded is not None:
                generation, searcher = self._loaded
                searcher = Searcher(searcher.index, searcher.embedder, reranker=reranker)
                self._loaded = (generation, searcher)

    @property
    def reranker_id(self) -> str:
        """The id of the reranker; empty without one."""
        return self._reranker.id if self._reranker else ""

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


class TrialLibrary(Library):
    """The served passages as a candidate finds them: with its vectors, or its reranker.

    Its index is in memory alone and made from the served one, so that it never holds what the
    served one does not.
    """

    def __init__(
        self,
        served: Library,
        *,
        retriever: tuple[Run, Embedder] | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        embedder = retriever[1] if retriever else served.embedder
        super().__init__(served.settings, embedder, reranker=reranker)
        self._served = served
        self._retriever = retriever
        self._made: tuple[Searcher, Searcher] | None = None

    def prepare(self) -> None:
        """Make the candidate's index of what is served now: seconds, or minutes to embed anew.

        Raises:
            IndexNotFoundError: If nothing has been published.
            ModelCorruptError: If the candidate is not what was written.
        """
        served = self._served.searcher()
        if self._made is not None and self._made[0] is served:
            return
        reranker = self._reranker or served.reranker
        if self._retriever is None:
            made = Searcher(served.index, served.embedder, reranker=reranker)
        else:
            run, embedder = self._retriever
            index = self._index(served, run, embedder)
            made = Searcher(index, embedder, reranker=reranker)
        self._made = (served, made)

    def searcher(self) -> Searcher:
        """A searcher of the served generation.

        Raises:
            NotReadyError: If that generation is too new to have been prepared.
        """
        made = self._made
        if made is None or made[0] is not self._served.searcher():
            raise NotReadyError("the candidate's index is being made")
        return made[1]

    def _index(self, served: Searcher, run: Run, embedder: Embedder) -> Index:
        index = served.index
        vectors = vectors_by(run, embedder, self.settings, served.embedder, index)
        known = competences(index.passages, vectors, embedder)
        return replace(
            index,
            manifest=replace(index.manifest, competences=known),
            vectors=vectors,
            dense=DenseIndex.build(vectors),
        )

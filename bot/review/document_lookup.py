"""What curated answers need of the documents: an embedder, and whether a passage still stands."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from bot.review.matching import QueryEmbedder
from bot.store.turns import DocumentRef
from retrieval.records import Passage

if TYPE_CHECKING:
    from retrieval.answering.answerer import Answerer
    from retrieval.serving.live import Live


class DocumentLookup(Protocol):
    """The documents as they are at the moment. Used by several threads at once."""

    @property
    def embedder(self) -> QueryEmbedder: ...

    @property
    def generator(self) -> str:
        """The id of the model that answers."""

    @property
    def generation(self) -> str:
        """The name of the index that is served; raises IndexNotFoundError if there is none."""

    def find(self, document: DocumentRef) -> Passage | None:
        """The passage, if the document still holds it word for word."""


class LibraryDocumentLookup:
    """The documents of an answerer's library."""

    def __init__(self, answerer: Answerer | Live) -> None:
        self._answerer = answerer
        self._lock = threading.Lock()
        self._passages: tuple[str, dict[DocumentRef, Passage]] = ("", {})

    @property
    def embedder(self) -> QueryEmbedder:
        return self._answerer.library.embedder

    @property
    def generator(self) -> str:
        generator = self._answerer.generator
        return generator.id if generator else "none"

    @property
    def generation(self) -> str:
        return self._answerer.library.searcher().index.manifest.name

    def find(self, document: DocumentRef) -> Passage | None:
        index = self._answerer.library.searcher().index
        with self._lock:
            if self._passages[0] != index.manifest.name:
                held = {DocumentRef(p.source.id, p.content_hash): p for p in index.passages}
                self._passages = (index.manifest.name, held)
            return self._passages[1].get(document)

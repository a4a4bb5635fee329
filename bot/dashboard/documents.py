"""The documents of the served index; no model is loaded to look at them."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from bot.review.document_lookup import DocumentLookup, Held
from bot.store.turns import DocumentRef
from retrieval.errors import NotReadyError
from retrieval.index.store import IndexStore
from retrieval.records import Vectors


class NoEmbedder:
    """Stands where a bot has a model."""

    id = "none"

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Raises NotReadyError."""
        raise NotReadyError(f"no model is loaded to compare {len(texts)} questions")


class IndexedDocuments(DocumentLookup):
    """Tells who may read what, as a running bot would."""

    def __init__(self, store: IndexStore) -> None:
        self._store = store
        self._reading = threading.Lock()
        self._known: Held | None = None

    def held(self) -> Held:
        """What is served now.

        Raises:
            IndexNotFoundError: If nothing is indexed.
            IndexCorruptError: If it is not what was written.
        """
        name = self._store.served()
        with self._reading:
            if self._known is None or self._known.generation != name:
                passages = self._store.passages()
                by_ref = {DocumentRef(p.source.id, p.content_hash): p for p in passages}
                self._known = Held(name, NoEmbedder(), by_ref)
            return self._known

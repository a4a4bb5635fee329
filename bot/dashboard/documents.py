"""The documents of the served index as they lie on the disk; no model is loaded to look at them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from bot.review.document_lookup import DocumentLookup, Held
from bot.store.turns import DocumentRef
from retrieval.errors import IndexCorruptError, NotReadyError
from retrieval.index.generation import current, read_manifest, whole_sources
from retrieval.index.passages import PASSAGES, read_passages
from retrieval.records import Vectors
from retrieval.registry.folders import sha256


class NoEmbedder:
    """Stands where a bot has a model."""

    id = "none"

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Raises NotReadyError."""
        raise NotReadyError(f"no model is loaded to compare {len(texts)} questions")


class IndexedDocuments(DocumentLookup):
    """Tells who may read what, as a running bot would."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reading = threading.Lock()
        self._known: tuple[Path, Held] | None = None

    def held(self) -> Held:
        """What is served now.

        Raises:
            IndexNotFoundError: If nothing is indexed.
            IndexCorruptError: If it is not what was written.
        """
        generation = current(self._folder)
        with self._reading:
            if self._known is None or self._known[0] != generation:
                self._known = (generation, _read(generation))
            return self._known[1]


def _read(generation: Path) -> Held:
    manifest = read_manifest(generation)
    sources = whole_sources(generation, manifest)
    if manifest.files.get(PASSAGES) != sha256(generation / PASSAGES):
        raise IndexCorruptError(f"{generation / PASSAGES} is not what was written")
    passages = read_passages(generation, sources)
    by_ref = {DocumentRef(p.source.id, p.content_hash): p for p in passages}
    return Held(manifest.name, NoEmbedder(), by_ref)

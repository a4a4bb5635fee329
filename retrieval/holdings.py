"""What an installation has: its models, its documents and the two generations of its index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from retrieval.content import read_sources
from retrieval.index import Manifest, Rollback, current, generations, rollback
from retrieval.library import Library
from retrieval.records import Source

if TYPE_CHECKING:
    from retrieval.embedding import Embedder


class Holdings:
    """What is answered from, for those who look after it. Threads may share one."""

    def __init__(self, library: Library, generator: str = "none") -> None:
        self._library = library
        self._generator = generator

    def models(self) -> Mapping[str, str]:
        """The ids of the models in use, by what they do."""
        return {"embedder": self._library.embedder.id, "generator": self._generator}

    def generations(self) -> tuple[Manifest, Manifest | None]:
        """The generation that is served, and the one that `rollback` would serve.

        Raises:
            IndexNotFoundError: If nothing has been published.
            IndexCorruptError: If a manifest is not what was written.
        """
        return generations(self._library.folder)

    def rollback(self) -> Rollback:
        """Serve the generation before, from the next question on.

        Raises:
            IndexNotFoundError: If no other generation was kept.
            IndexCorruptError: If it is not what was written.
            IndexMismatchError: If another embedder made it.
        """
        return rollback(self._library.folder, self._library.embedder)

    def sources(self) -> list[Source]:
        """The documents that are searched now.

        Raises:
            IndexNotFoundError: If nothing has been published.
        """
        return read_sources(current(self._library.folder))

    @property
    def embedder(self) -> Embedder:
        """What turns questions into vectors."""
        return self._library.embedder

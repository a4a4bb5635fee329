"""The documents that are answered from: searched, and whether a passage still stands, for whom."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bot.store.reviews import Proposal
from bot.store.turns import DocumentRef, Turns
from retrieval.answering.questions import clean
from retrieval.answering.triage import QueryEmbedder
from retrieval.errors import IndexNotFoundError
from retrieval.records import Hit, Passage

if TYPE_CHECKING:
    from retrieval.index.searched import SearchedIndex
    from retrieval.index.searcher import Searcher
    from retrieval.serving.live import Live


def citable(turns: Turns, proposal: Proposal) -> list[DocumentRef]:
    """What a proposal may cite: the document that was proposed, then those that had been found."""
    proposed = [proposal.document] if proposal.document else []
    found = turns.documents(proposal.turn_id) if proposal.turn_id else []
    return list(dict.fromkeys([*proposed, *found]))


@dataclass(frozen=True)
class Held:
    """The documents of one index: its name, its embedder, and each passage word for word."""

    generation: str
    embedder: QueryEmbedder
    passages: Mapping[DocumentRef, Passage]

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """The audience label of each document, by its id."""
        return {p.source.id: p.source.audience for p in self.passages.values()}


@dataclass(frozen=True)
class HeldIndex(Held):
    """The documents of an index that are looked up in it, wherever it is."""

    index: SearchedIndex

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """The audience label of each document, by its id."""
        return {source.id: source.audience for source in self.index.sources}


class IndexedPassages(Mapping[DocumentRef, Passage]):
    """The passages of an index, each looked up when it is asked for."""

    def __init__(self, index: SearchedIndex) -> None:
        self._index = index

    def __getitem__(self, passage: DocumentRef) -> Passage:
        found = self._index.passage(passage.document_id, passage.content_hash)
        if found is None:
            raise KeyError(passage)
        return found

    def __iter__(self) -> Iterator[DocumentRef]:
        return (DocumentRef(p.source.id, p.content_hash) for p in self._index.passages)

    def __len__(self) -> int:
        return self._index.manifest.passages


class DocumentLookup:
    """The documents that are answered from, as they are at the moment. Threads may share one."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._lock = threading.Lock()
        self._held: tuple[Searcher, Held] | None = None

    @property
    def embedder(self) -> QueryEmbedder:
        """What turns questions into vectors."""
        return self._live.library.embedder

    @property
    def generator(self) -> str:
        """The id of the generator; `none` where answers are quoted."""
        generator = self._live.generator
        return generator.id if generator else "none"

    def search(
        self,
        query: str,
        *,
        k: int,
        audience: frozenset[str],
        sources: Sequence[str] = (),
        outdated: Mapping[str, str] | None = None,
    ) -> list[Hit]:
        """The passages that suit a query best, of those that an audience may see.

        `outdated` is as `Searcher.search` takes it.

        Raises:
            QuestionError: If there is nothing to search for.
            RetrievalError: If the documents cannot be searched.
        """
        library = self._live.library
        query = clean(query, max_chars=library.settings.max_question_chars)
        return library.searcher().search(
            query, k=k, audience=audience, sources=sources, outdated=outdated
        )

    def label(self, passage: DocumentRef) -> str | None:
        """The label that somebody needs to read a passage now; None if it does not stand so."""
        found = self._passages().get(passage)
        return found.source.audience if found else None

    def document_label(self, document_id: str) -> str | None:
        """The label that somebody needs to read a document now; None if there is none."""
        try:
            return self.held().labels.get(document_id)
        except IndexNotFoundError:
            return None

    def served_generation(self) -> str | None:
        """The name of the index that is answered from; None if nothing is indexed."""
        try:
            return self.held().generation
        except IndexNotFoundError:
            return None

    def readable(
        self, passages: Iterable[DocumentRef], labels: frozenset[str]
    ) -> dict[int, DocumentRef]:
        """Those of some passages that stand and that these labels let read, by position."""
        return {n: passage for n, passage in enumerate(passages) if self.label(passage) in labels}

    def _passages(self) -> Mapping[DocumentRef, Passage]:
        try:
            return self.held().passages
        except IndexNotFoundError:
            return {}

    def held(self) -> Held:
        """What is held now, whatever is published later.

        Raises:
            IndexNotFoundError: If nothing is indexed.
        """
        searcher = self._live.library.searcher()
        with self._lock:
            if self._held is None or self._held[0] is not searcher:
                index = searcher.index
                name, passages = index.manifest.name, IndexedPassages(index)
                self._held = (searcher, HeldIndex(name, searcher.embedder, passages, index))
            return self._held[1]

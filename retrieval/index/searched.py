"""What a search looks into: one generation of the index, wherever its passages are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from retrieval.index.manifest import Manifest
from retrieval.index.memory import Index
from retrieval.index.scope import Found, Rows, Sample, Scope, Window
from retrieval.records import Passage, Source, Vectors


class SearchedIndex(Protocol):
    """One generation of the index. Threads may share one."""

    @property
    def manifest(self) -> Manifest:
        """What it is."""

    @property
    def languages(self) -> Sequence[str]:
        """The languages of its passages, in alphabetical order."""

    @property
    def passages(self) -> Sequence[Passage]:
        """All of them, which may take long and much memory."""

    @property
    def vectors(self) -> Vectors:
        """The vector of each passage, in their order; as much memory."""

    @property
    def sources(self) -> Sequence[Source]:
        """Its documents."""

    def passage(self, document: str, content_hash: str) -> Passage | None:
        """The passage of a document that holds this text; whoever asks looks at its label."""

    def in_memory(self) -> Index:
        """All of it in memory, for what computes with every vector."""

    def documents(self, scope: Scope) -> int:
        """How many documents take part."""

    def find(self, query: str, vector: Vectors, scope: Scope, depth: int) -> Found:
        """The best of both legs.

        Args:
            query: Whose words are looked up.
            vector: The query's, shape (1, d).
            scope: What takes part; nothing else is looked at.
            depth: How many passages each leg gives at most, the vectors' for each language.
        """

    def frequencies(self, terms: Sequence[str], scope: Scope) -> Mapping[str, int]:
        """In how many passages that may be seen each of some terms is, where it is in any."""

    def sample(self, scope: Scope) -> Sample:
        """At most `SAMPLE` of the passages that take part."""

    def vectors_of(self, rows: Rows, scope: Scope) -> Vectors:
        """The vectors of passages that `find` gave, in their order."""

    def passages_of(self, rows: Rows, scope: Scope) -> Mapping[int, Passage]:
        """Passages that `find` gave, but for those that may not be seen any more, by row."""

    def window(self, passage: Passage, reach: int) -> Window | None:
        """The passage with at most so many before and behind it; None if it is not here."""

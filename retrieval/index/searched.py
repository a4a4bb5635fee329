"""What a search looks into: one generation of the index, wherever its passages are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from retrieval.records import PUBLIC, Passage, Source, Vectors
from retrieval.search.fusion import Floats, Groups

if TYPE_CHECKING:
    from retrieval.index.generation import Manifest
    from retrieval.index.memory import Index

EVERYONE = frozenset({PUBLIC})

SAMPLE = 2_000
"""How many passages stand for all when a cosine is compared to the query's others."""

Rows = npt.NDArray[np.int64]
"""Numbers of passages, in the order in which those of one document are read."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What takes part in a search: passages with these labels, from these sources.

    `sources` are beginnings of the ids of documents; none for all.
    """

    audience: frozenset[str] = EVERYONE
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The passages that either leg found: vectors or words. The arrays have one length.

    `groups` are places in the `languages` of the index. `bm25` is 0 where no term occurs.
    """

    rows: Rows
    groups: Groups
    cosines: Floats
    bm25: Floats


@dataclass(frozen=True, slots=True)
class Sample:
    """Passages that stand for all that take part: their vectors and languages, evenly spread."""

    vectors: Vectors
    groups: Groups


@dataclass(frozen=True, slots=True)
class Window:
    """Passages of one document in reading order; the one that was asked for is at `place`."""

    passages: Sequence[Passage]
    place: int


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

    def sample(self, scope: Scope) -> Sample:
        """At most `SAMPLE` of the passages that take part."""

    def vectors_of(self, rows: Rows, scope: Scope) -> Vectors:
        """The vectors of passages that `find` gave, in their order."""

    def passages_of(self, rows: Rows, scope: Scope) -> Mapping[int, Passage]:
        """Passages that `find` gave, but for those that may not be seen any more, by row."""

    def window(self, passage: Passage, reach: int) -> Window | None:
        """The passage with at most so many before and behind it; None if it is not here."""

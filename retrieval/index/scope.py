"""What is asked of an index and what it gives: who may see what, numbers of passages, samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrieval.records import PUBLIC, Passage, Vectors
from retrieval.search.fusion import Floats, Groups

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

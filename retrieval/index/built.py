"""What is made of a generation's passages and vectors to search them, and kept to load faster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrieval.records import Passage, Vectors
from retrieval.search.cells import CellSearch
from retrieval.search.dense import DenseIndex
from retrieval.search.lexical import TERMS, LexicalIndex

CELLS = "cells"
LEXICAL = "lexical"
BUILT = (CELLS, LEXICAL)


@dataclass(frozen=True)
class Built:
    """Search by vectors and by words, in the same passages."""

    dense: DenseIndex
    lexical: LexicalIndex


@dataclass(frozen=True)
class Known:
    """What is built already; with `are_vectors_known`, a text has the same vector as there."""

    passages: Sequence[Passage]
    built: Built
    are_vectors_known: bool


def build(passages: Sequence[Passage], vectors: Vectors, known: Known | None = None) -> Built:
    """Both indexes of passages and their vectors; texts that are known are not looked at again."""
    texts = [passage.indexed_text for passage in passages]
    if known is None:
        return Built(DenseIndex.build(vectors), LexicalIndex.build(texts))
    row_of = {passage.content_hash: row for row, passage in enumerate(known.passages)}
    was = np.array([row_of.get(passage.content_hash, -1) for passage in passages], np.int64)
    is_known = known.are_vectors_known
    dense = known.built.dense.with_vectors(vectors, was) if is_known else DenseIndex.build(vectors)
    return Built(dense, known.built.lexical.with_texts(texts, was))


def write_built(folder: Path, built: Built) -> None:
    """Write what cannot be read off passages and vectors at once."""
    built.dense.save(folder / CELLS)
    built.lexical.save(folder / LEXICAL)


def read_built(
    generation: Path, passages: Sequence[Passage], vectors: Vectors, cells: CellSearch | None
) -> Built:
    """What `write_built` wrote of these; what an older release wrote of words is built anew."""
    dense = DenseIndex.load(generation / CELLS, vectors, cells)
    if (generation / LEXICAL / TERMS).exists():
        return Built(dense, LexicalIndex.load(generation / LEXICAL, len(passages)))
    return Built(dense, LexicalIndex.build([passage.indexed_text for passage in passages]))

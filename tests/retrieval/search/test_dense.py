"""Tests of search by vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.records import Vectors
from retrieval.search.dense import DenseIndex


def unit_vectors(n: int, *, seed: int = 0, dimension: int = 16) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(n, dimension)).astype(np.float32)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def everything(n: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(n, dtype=bool)


def test_the_nearest_row_is_the_vector_itself() -> None:
    vectors = unit_vectors(50)
    rows, cosines = DenseIndex.build(vectors).nearest(vectors[7:8], 3, everything(50))
    assert rows[0] == 7
    assert cosines[0] > 0.999
    assert list(cosines) == sorted(cosines, reverse=True)


@given(st.lists(st.booleans(), min_size=30, max_size=30))
def test_only_allowed_rows_come_out_and_as_if_the_others_did_not_exist(flags: list[bool]) -> None:
    vectors, allowed = unit_vectors(30), np.array(flags)
    rows, _ = DenseIndex.build(vectors).nearest(vectors[:1], 5, allowed)
    expected = sorted(np.flatnonzero(allowed), key=lambda row: -(vectors[0] @ vectors[row]))[:5]
    assert rows.tolist() == expected


def test_above_the_limit_a_search_of_the_nearest_cells_still_finds_the_vector() -> None:
    vectors = unit_vectors(400)
    index = DenseIndex.build(vectors, exact_limit=100)
    allowed = np.arange(400) % 2 == 0
    rows, _ = index.nearest(vectors[8:9], 5, allowed)
    assert rows[0] == 8
    assert not (rows % 2).any()


def test_an_empty_index_finds_nothing() -> None:
    index = DenseIndex.build(np.empty((0, 16), dtype=np.float32))
    rows, cosines = index.nearest(unit_vectors(1), 3, everything(0))
    assert (rows.size, cosines.size) == (0, 0)


def test_what_is_saved_finds_the_same_when_loaded(tmp_path: Path) -> None:
    vectors = unit_vectors(20)
    DenseIndex.build(vectors).save(tmp_path / "dense.faiss")
    loaded = DenseIndex.load(tmp_path / "dense.faiss")
    assert (loaded.size, loaded.dimension) == (20, 16)
    assert loaded.nearest(vectors[3:4], 1, everything(20))[0].tolist() == [3]

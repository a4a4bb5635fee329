"""Tests of search by vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
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


def test_each_group_gives_its_own_nearest_rows() -> None:
    vectors, groups = unit_vectors(40), np.arange(40) % 4
    allowed = groups != 2
    rows, cosines = DenseIndex.build(vectors).nearest(vectors[:1], 3, allowed, groups)
    alone = [
        DenseIndex.build(vectors).nearest(vectors[:1], 3, groups == group) for group in (0, 1, 3)
    ]
    assert rows.tolist() == [row for own, _ in alone for row in own]
    assert np.allclose(cosines, np.concatenate([own for _, own in alone]))


def clustered(n: int, *, seed: int = 0) -> Vectors:
    """Vectors around 200 topics, as texts' are."""
    random = np.random.default_rng(seed)
    topics, noise = unit_vectors(200), unit_vectors(n, seed=seed + 1)
    vectors = topics[random.integers(200, size=n)] + 0.5 * noise
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


@pytest.fixture(scope="module")
def celled() -> tuple[Vectors, DenseIndex]:
    vectors = clustered(60_000)
    return vectors, DenseIndex.build(vectors, exact_limit=100)


@pytest.mark.slow
def test_above_the_limit_few_cells_hold_nearly_all_that_is_nearest(
    celled: tuple[Vectors, DenseIndex],
) -> None:
    vectors, index = celled
    search = index.cell_search
    assert search is not None
    assert search.recall >= 0.99
    assert 0 < search.probes < search.cells / 3
    asked = clustered(50, seed=7)
    found = [index.nearest(query[None], 10, everything(60_000))[0] for query in asked]
    exact = np.argsort(-(asked @ vectors.T), axis=1)[:, :10]
    shared = [len({*own} & {*right}) for own, right in zip(found, exact.tolist(), strict=True)]
    assert np.mean(shared) >= 9.7


@pytest.mark.slow
@pytest.mark.parametrize("every", [2, 1_000])
def test_of_what_is_allowed_as_much_is_found(
    celled: tuple[Vectors, DenseIndex], every: int
) -> None:
    vectors, index = celled
    allowed = np.arange(60_000) % every == 1
    rows, _ = index.nearest(vectors[8:9], 10, allowed)
    exact = sorted(np.flatnonzero(allowed), key=lambda row: -(vectors[8] @ vectors[row]))[:10]
    assert len({*rows} & {*exact}) >= 9
    assert allowed[rows].all()


@pytest.mark.slow
def test_cells_serve_on_when_some_vectors_change(
    tmp_path: Path, celled: tuple[Vectors, DenseIndex]
) -> None:
    vectors, index = celled
    index.save(tmp_path / "cells")
    loaded = DenseIndex.load(tmp_path / "cells", vectors, index.cell_search)
    changed = np.concatenate([vectors[600:], clustered(700, seed=3)])
    was = np.concatenate([np.arange(600, 60_000), np.full(700, -1)])
    again = loaded.with_vectors(changed, was, exact_limit=100)
    again.save(tmp_path / "again")
    kept = [np.load(tmp_path / name / "centroids.npy") for name in ("cells", "again")]
    assert (kept[0] == kept[1]).all()
    assert again.nearest(changed[-1:], 1, everything(len(changed)))[0] == [len(changed) - 1]


@pytest.mark.slow
def test_where_no_cells_find_enough_every_vector_is_compared() -> None:
    # In 64 dimensions nothing lies near anything else: there are no cells.
    vectors = unit_vectors(25_000, dimension=64)
    index = DenseIndex.build(vectors, exact_limit=100)
    assert index.cell_search is not None
    assert (index.cell_search.probes, index.cell_search.recall < 0.99) == (0, True)
    rows, _ = index.nearest(vectors[:1], 5, everything(25_000))
    assert rows.tolist() == np.argsort(-(vectors @ vectors[0]))[:5].tolist()


def test_an_empty_index_finds_nothing() -> None:
    index = DenseIndex.build(np.empty((0, 16), dtype=np.float32))
    rows, cosines = index.nearest(unit_vectors(1), 3, everything(0))
    assert (rows.size, cosines.size) == (0, 0)


def test_what_is_saved_finds_the_same_when_loaded(tmp_path: Path) -> None:
    vectors = unit_vectors(20)
    index = DenseIndex.build(vectors, exact_limit=10)
    index.save(tmp_path / "cells")
    loaded = DenseIndex.load(tmp_path / "cells", vectors, index.cell_search)
    assert (loaded.size, loaded.dimension) == (20, 16)
    assert loaded.nearest(vectors[3:4], 1, everything(20))[0].tolist() == [3]

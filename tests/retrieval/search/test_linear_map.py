from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import ModelCorruptError
from retrieval.search.linear_map import FILE, LinearMap


def test_what_is_moved_has_length_one_again() -> None:
    random = np.random.default_rng(1)
    map_ = LinearMap(*random.normal(size=(2, 8, 8)).astype(np.float32))
    moved = map_.of_queries(random.normal(size=(5, 8)).astype(np.float32))
    assert np.allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-6)


def test_what_was_moved_can_be_moved_back() -> None:
    random = np.random.default_rng(3)
    map_ = LinearMap(*random.normal(size=(2, 8, 8)).astype(np.float32))
    vectors = random.normal(size=(5, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    back = map_.undone_of_passages(map_.of_passages(vectors))
    assert np.allclose(back, vectors, atol=1e-4)


def test_a_saved_map_is_the_same(tmp_path: Path) -> None:
    map_ = LinearMap(*np.random.default_rng(2).normal(size=(2, 4, 4)).astype(np.float32))
    map_.save(tmp_path)
    again = LinearMap.load(tmp_path)
    assert np.array_equal(again.query, map_.query)
    assert np.array_equal(again.passage, map_.passage)


@pytest.mark.parametrize("content", [None, b"", b"not a map"])
def test_what_is_no_map_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ModelCorruptError, match=FILE):
        LinearMap.load(tmp_path)

"""Tests of joining the two legs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.search.fusion import Floats, fuse, standardise

ONE_LANGUAGE = np.zeros(3, dtype=bool)


def floats(*values: float) -> Floats:
    return np.array(values, dtype=np.float32)


def order(dense: Floats, lexical: Floats, *, competence: float = 1.0) -> list[int]:
    scores = fuse(
        dense, lexical, competence=np.full_like(dense, competence), is_foreign=ONE_LANGUAGE
    )
    return [int(row) for row in np.argsort(-scores)]


def test_a_competent_embedder_outvotes_a_weak_lexical_match() -> None:
    assert order(floats(5, 1, 0), floats(0, 9, 3))[0] == 0


def test_an_incompetent_embedder_is_hardly_heard() -> None:
    assert order(floats(5, 1, 0), floats(0, 9, 3), competence=0.3) == [1, 2, 0]


def test_without_a_lexical_match_the_dense_order_stays() -> None:
    assert order(floats(1, 3, 2), floats(0, 0, 0)) == [1, 2, 0]


def test_a_foreign_passage_must_be_clearly_ahead() -> None:
    scores = fuse(
        floats(2.0, 2.1),
        floats(0, 0),
        competence=floats(1, 1),
        is_foreign=np.array([False, True]),
    )
    assert scores[0] > scores[1]


@given(
    st.lists(st.integers(-100, 100), min_size=2, max_size=30, unique=True),
    st.floats(0.5, 4, width=32),
    st.floats(-2, 2, width=32),
)
def test_the_scale_of_an_embedders_cosines_does_not_matter(
    percents: list[int], factor: float, shift: float
) -> None:
    values = floats(*(percent / 100 for percent in percents))
    groups = np.zeros(len(values), dtype=np.intp)
    plain = standardise(values, groups, values, groups)
    scaled = values * np.float32(factor) + np.float32(shift)
    assert standardise(scaled, groups, scaled, groups) == pytest.approx(plain, abs=0.05)


def test_each_language_is_measured_by_its_own_passages() -> None:
    english, chinese = np.linspace(0.7, 0.8, 500), np.linspace(0.5, 0.6, 500)
    sample = np.concatenate([english, chinese]).astype(np.float32)
    groups = np.repeat(np.array([0, 1], dtype=np.intp), 500)
    best = standardise(floats(0.8, 0.6), np.array([0, 1], dtype=np.intp), sample, groups)
    assert best[0] == pytest.approx(best[1], abs=0.2)


def test_a_language_of_one_passage_is_measured_by_all() -> None:
    sample = np.append(np.linspace(0.5, 0.6, 50), 0.9).astype(np.float32)
    groups = np.append(np.zeros(50, dtype=np.intp), 1)
    alone = standardise(floats(0.9), np.array([1], dtype=np.intp), sample, groups)
    assert alone[0] > 2

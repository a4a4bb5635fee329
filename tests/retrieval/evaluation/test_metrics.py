"""Tests of the numbers that rankings, answers and confidences are judged by."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.evaluation.metrics import (
    auroc,
    ndcg,
    precision,
    recall,
    reciprocal_rank,
    token_f1,
)

IDS = st.lists(st.sampled_from("abcdef"), unique=True)
GRADES = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 3), min_size=1)
CONFIDENCES = st.lists(st.floats(0, 1), min_size=1)


@given(GRADES)
def test_the_ideal_order_has_an_ndcg_of_one(grades: dict[str, int]) -> None:
    ideal = sorted(grades, key=lambda one: -grades[one])
    assert ndcg(ideal, grades) == pytest.approx(1)


@given(IDS, GRADES)
def test_ranking_metrics_lie_between_zero_and_one(ids: list[str], grades: dict[str, int]) -> None:
    for metric in (ndcg, recall, reciprocal_rank):
        assert 0 <= metric(ids, grades, k=3) <= 1


def test_ndcg_discounts_by_the_logarithm_of_the_rank_and_gains_linearly() -> None:
    expected = (1 + 2 / math.log2(3)) / (2 + 1 / math.log2(3))
    assert ndcg(["one", "two"], {"one": 1, "two": 2}) == pytest.approx(expected)


def test_only_the_first_k_count() -> None:
    ranked, relevant = ["x", "y", "hit"], {"hit": 1}
    assert [metric(ranked, relevant, k=2) for metric in (ndcg, recall, reciprocal_rank)] == [0] * 3


def test_precision_is_the_share_of_what_was_given_that_was_wanted() -> None:
    assert precision(["a", "x", "a"], ["a", "b"]) == 0.5
    assert precision([], ["a"]) == 0


def test_recall_is_the_share_of_what_was_wanted() -> None:
    assert recall(["a", "x"], {"a": 1, "b": 2}) == 0.5


def test_reciprocal_rank_looks_at_the_first_relevant_only() -> None:
    assert reciprocal_rank(["x", "a", "b"], {"a": 1, "b": 1}) == 0.5


def test_token_f1_ignores_case_articles_and_punctuation() -> None:
    assert token_f1("The  Cat, sat!", "a cat sat") == 1
    assert token_f1("cat sat down", "cat sat") == pytest.approx(0.8)


def test_token_f1_compares_chinese_by_characters() -> None:
    assert token_f1("十五天。", "十五天") == 1
    assert token_f1("十五天", "五天") == pytest.approx(0.8)


def test_token_f1_of_nothing_is_one_only_if_both_are_nothing() -> None:
    assert token_f1("", "the") == 1
    assert token_f1("", "cat") == 0


@given(CONFIDENCES, CONFIDENCES)
def test_auroc_is_the_share_of_pairs_in_order(good: list[float], bad: list[float]) -> None:
    pairs = [(a > b) + (a == b) / 2 for a in good for b in bad]
    assert auroc(good, bad) == pytest.approx(sum(pairs) / len(pairs))


def test_auroc_of_one_side_only_is_unknown() -> None:
    assert math.isnan(auroc([1.0], []))

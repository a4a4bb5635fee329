"""Tests of search by words."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.search.lexical import LexicalIndex, terms

TEXTS = [
    "Employees get thirty days of paid leave",
    "Report incidents at once",
    "员工每年有十五天年假",
]
ANY_TEXT = st.text(st.sampled_from("ab Ñ１年假期，."), max_size=12)


def test_words_are_stems_without_stop_words() -> None:
    assert terms("What are the Approvals for travelling?") == ["approv", "travel"]


def test_chinese_becomes_pairs_of_characters() -> None:
    assert terms("年假有 API 吗") == ["年假", "假有", "api", "吗"]


def test_full_width_letters_are_the_same_as_plain_ones() -> None:
    assert terms("ＶＰＮ") == terms("vpn")


@pytest.mark.parametrize(("query", "best"), [("paid leave", 0), ("incident", 1), ("年假几天", 2)])
def test_the_text_that_shares_terms_scores_best(query: str, best: int) -> None:
    scores = LexicalIndex.build(TEXTS).scores(query)
    assert int(np.argmax(scores)) == best


def test_a_query_of_unknown_terms_scores_nothing() -> None:
    index = LexicalIndex.build(TEXTS)
    assert index.known("quantum 物理") == []
    assert not index.scores("quantum 物理").any()


@pytest.mark.parametrize("texts", [[], [""], ["the", "..."]])
def test_an_index_without_terms_finds_nothing(texts: list[str], tmp_path: Path) -> None:
    LexicalIndex.build(texts).save(tmp_path / "lexical")
    loaded = LexicalIndex.load(tmp_path / "lexical", len(texts))
    assert loaded.scores("anything").tolist() == [0] * len(texts)


@settings(max_examples=25)
@given(st.lists(ANY_TEXT, max_size=6), ANY_TEXT)
def test_what_is_saved_scores_the_same_when_loaded(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], query: str
) -> None:
    folder = tmp_path_factory.mktemp("index") / "lexical"
    index = LexicalIndex.build(texts)
    index.save(folder)
    loaded = LexicalIndex.load(folder, len(texts))
    assert loaded.scores(query).tolist() == index.scores(query).tolist()


def test_scores_are_those_of_bm25_as_lucene_computes_it() -> None:
    texts = ["red red buoy", "red lamp", "lamp lamp lamp keeper harbour"]
    lengths, mean = [3, 2, 5], 10 / 3
    counts = {"red": [2, 1, 0], "lamp": [0, 1, 3]}
    wanted = [0.0] * 3
    for term in ("red", "lamp", "lamp"):  # a term that is asked for twice counts twice
        found = sum(count > 0 for count in counts[term])
        rarity = math.log1p((3 - found + 0.5) / (found + 0.5))
        for row, count in enumerate(counts[term]):
            norm = 1.5 * (1 - 0.75 + 0.75 * lengths[row] / mean)
            wanted[row] += rarity * count / (count + norm)
    assert LexicalIndex.build(texts).scores("red lamp lamp").tolist() == pytest.approx(wanted)


@settings(max_examples=50)
@given(st.lists(ANY_TEXT, max_size=6), st.lists(st.integers(-1, 5), max_size=8), ANY_TEXT)
def test_an_index_that_knew_some_texts_is_as_if_it_had_seen_all(
    before: list[str], was: list[int], query: str
) -> None:
    rows = [row if row < len(before) else -1 for row in was]
    texts = [before[row] if row >= 0 else f"年 a{n}" for n, row in enumerate(rows)]
    index = LexicalIndex.build(before).with_texts(texts, np.array(rows, np.int64))
    anew = LexicalIndex.build(texts)
    assert index.scores(query).tolist() == anew.scores(query).tolist()
    assert index.known(query) == anew.known(query)


def test_nothing_is_stored_as_a_pickle(tmp_path: Path) -> None:
    LexicalIndex.build(TEXTS).save(tmp_path / "lexical")
    for path in (tmp_path / "lexical").glob("*.npy"):
        np.load(path, allow_pickle=False)

from __future__ import annotations

import pytest

from bot.review.matching import Likeness, agree, is_same
from tests.retrieval.word_embedder import WordEmbedder


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Who approves travel above 2,000 euros?", "Who approves travel above 5,000 euros?"),
        ("Is the price list final?", "Is the price list not final?"),
        ("What is the code for Heron?", "What is the code for Falcon?"),
        ("How do I enable backups?", "How do I disable backups?"),
        ("When do I send the invoice?", "Where do I send the invoice?"),
        ("每年有几天年假？", "How many days of leave?"),
        ("可以在家办公吗？", "不可以在家办公吗？"),
        ("入职后股票怎么处理？", "离职后股票怎么处理？"),
    ],
)
def test_a_name_number_negation_or_opposite_sets_questions_apart(one: str, other: str) -> None:
    assert not agree(one, other)
    assert not agree(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I reset my VPN password?", "please, how can i reset the vpn password"),
        ("Can I take 2 days off?", "Can I take two days off?"),
        ("可不可以在家办公？", "可以在家办公吗？"),
        ("怎么开启双重验证？", "双重验证如何打开？"),
    ],
)
def test_the_same_words_in_another_order_ask_the_same(one: str, other: str) -> None:
    assert is_same(one, other, 0.8)
    assert not is_same(one, other, 0.5)


def test_a_word_more_needs_a_likeness_beyond_doubt() -> None:
    asked, known = "Where is the travel policy page?", "Where is the travel policy?"
    assert is_same(asked, known, 0.96)
    assert not is_same(asked, known, 0.9)
    assert not is_same("病假有多少天？", "年假有多少天？", 0.96)


def test_likeness_is_one_for_the_same_question_and_about_zero_for_others() -> None:
    likeness = Likeness(WordEmbedder())
    texts = ["Where is the printer?", "Where is the printer?", "Who audits our ledgers?"]
    vectors = likeness.embedder.embed_queries(texts)
    same, other = likeness.of(vectors[:1], vectors[1:], "en")
    assert same == pytest.approx(1, abs=1e-4)
    assert other < 0.5

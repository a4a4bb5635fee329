from __future__ import annotations

from itertools import pairwise
from typing import SupportsIndex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.language import language_of, sentence_spans, sentences, words


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How do I reset my password?", "en"),
        ("如何重置密码？", "zh"),
        ("如何在 Python 里关闭 asyncio 的 event loop？", "zh"),
        ("The Xiamen office (厦门) opens at nine in the morning.", "en"),
        ("パスワードを忘れた場合はどうすればいいですか", "ja"),
        ("비밀번호를 잊어버렸어요", "ko"),
        ("", "en"),
    ],
)
def test_the_language_of_a_text_is_told_by_its_script(text: str, language: str) -> None:
    assert language_of(text) == language


def test_sentences_end_at_stops_of_both_scripts_and_at_lines() -> None:
    assert sentences("One. Two! 三。四？五\n- six\nseven") == [
        "One.", "Two!", "三。", "四？", "五", "- six", "seven",
    ]  # fmt: skip


def test_numbers_abbreviations_and_list_numbers_end_no_sentence() -> None:
    assert sentences("Use 3.11, e.g. on a laptop. Dr. Smith knows.") == [
        "Use 3.11, e.g. on a laptop.",
        "Dr. Smith knows.",
    ]
    assert sentences("1. **Switch it on.** Wait.\n2. Sign in.") == [
        "1. **Switch it on.**",
        "Wait.",
        "2. Sign in.",
    ]


def test_each_chinese_character_counts_as_a_word() -> None:
    assert words("Reset 密码 now") == ["reset", "密", "码", "now"]


@given(st.text(alphabet='ab .!?。！\n"*1', max_size=80))
def test_sentences_cover_every_visible_character_in_order(text: str) -> None:
    spans = sentence_spans(text)
    inside = "".join(text[start:end] for start, end in spans)
    assert "".join(inside.split()) == "".join(text.split())
    assert all(left[1] <= right[0] for left, right in pairwise(spans))


class CountedText(str):
    """A text that knows how many of its characters were copied."""

    copied = 0

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        found = super().__getitem__(key)
        self.copied += len(found)
        return found


@pytest.mark.parametrize("unit", ["x", ".", "1.2.", '."', "e.g.", "1.", "。”", "a!*", "\n", "ab。"])
def test_the_work_for_sentences_grows_as_the_text_does(unit: str) -> None:
    for size in (1_000, 300_000):
        text = CountedText(unit * (size // len(unit)) + "x")
        spans = sentence_spans(text)
        assert spans[-1][1] == len(text)
        assert text.copied <= 12 * len(text)

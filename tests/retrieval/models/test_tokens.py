from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.models.tokens import count_tokens, token_spans

HANDBOOK = Path(__file__).parents[3] / "examples" / "handbook"


@given(st.text(max_size=200))
def test_every_character_that_is_not_white_is_in_one_token(text: str) -> None:
    spans = token_spans(text)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    covered = {n for start, end in spans for n in range(start, end)}
    assert not [c for n, c in enumerate(text) if n not in covered and not c.isspace()]


@pytest.mark.parametrize(
    ("text", "least"),
    [
        # What the tokenizer of Qwen2.5 counts, of texts in several scripts.
        ("Every employee has thirty days of paid leave a year.", 11),
        ("Die Geschwindigkeitsbegrenzung auf Bundesautobahnen", 15),
        ("每位员工每年有三十天带薪年假。", 11),
        ("प्रत्येक कर्मचारी को वर्ष में तीस दिन", 30),
        ("🎉🚀", 2),
        ("", 0),
    ],
)
def test_rather_more_tokens_are_counted_than_a_model_has(text: str, least: int) -> None:
    assert least <= count_tokens(text) <= 2.5 * least + 2


def test_a_text_with_more_in_it_has_more_tokens() -> None:
    text = (HANDBOOK / "people" / "leave.md").read_text(encoding="utf-8")
    assert count_tokens(text) < len(text) / 2
    assert count_tokens(text + text) >= 2 * count_tokens(text) - 1

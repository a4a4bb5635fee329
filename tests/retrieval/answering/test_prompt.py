from __future__ import annotations

from retrieval.answering.prompt import build_prompt
from tests.retrieval.passages_by_hand import hit, passage

SHORT = hit(passage("Leave is 27 days.", title="Leave"))
LONG = hit(passage("word " * 200, title="Long"))


def count_words(text: str) -> int:
    return len(text.split())


def test_whole_passages_are_packed_best_first_until_the_budget_is_used() -> None:
    prompt = build_prompt(
        "Leave?", [SHORT, LONG, SHORT], language="en", count_tokens=count_words, max_tokens=120
    )
    assert [p.source.title for p in prompt.passages] == ["Leave", "Leave"]
    assert "[1] Leave\nLeave is 27 days." in prompt.user
    assert prompt.user.endswith("Question: Leave?")


def test_the_best_passage_is_kept_even_where_it_alone_breaks_the_budget() -> None:
    prompt = build_prompt(
        "Leave?", [LONG, SHORT], language="en", count_tokens=count_words, max_tokens=50
    )
    assert [p.source.title for p in prompt.passages] == ["Long"]


def test_a_chinese_question_gets_chinese_instructions() -> None:
    prompt = build_prompt(
        "年假几天？", [SHORT], language="zh", count_tokens=len, max_tokens=900, earlier="谁能休假？"
    )
    assert "用中文" in prompt.system
    assert "之前问过：谁能休假？\n问题：年假几天？" in prompt.user


def test_the_question_before_a_follow_up_is_told() -> None:
    prompt = build_prompt(
        "And in Bristol?",
        [SHORT],
        language="en",
        count_tokens=count_words,
        max_tokens=500,
        earlier="How much leave do I get?",
    )
    assert "Asked before: How much leave do I get?" in prompt.user

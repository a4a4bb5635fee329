from __future__ import annotations

import pytest

from retrieval.answering.asked import leaves_choice, retells, tells


@pytest.mark.parametrize(
    ("text", "question", "is_told"),
    [
        ("A berth is 40 crowns.", "how much is a berth", True),
        ("The office lets every berth.", "how much is a berth", False),
        ("The ferry leaves at noon.", "when does the ferry leave", True),
        ("The ferry costs 4 crowns.", "when does the ferry leave", False),
        ("The office lets the berths.", "who lets berths", True),
    ],
)
def test_a_text_tells_an_amount_or_a_time_where_one_is_asked(
    text: str, question: str, *, is_told: bool
) -> None:
    assert tells(text, question) == is_told


@pytest.mark.parametrize(
    ("sentence", "is_retold"),
    [
        ("You get 26 days of leave.", True),
        ("You get 28 days of leave.", False),
        ("The law gives 26 days of leave.", False),
        ("Every keeper gets leave.", False),
    ],
)
def test_what_is_retold_has_a_quotes_numbers_and_no_other_words(
    sentence: str, *, is_retold: bool
) -> None:
    quote = "Every keeper has 26 days of leave."
    assert retells(sentence, quote, "how many days of leave do I get?") == is_retold


def test_what_two_sentences_say_is_not_mixed() -> None:
    quote = "Of one lamp the keeper decides. If a ship is lost, call the harbour master."
    question = "who is called when a ship is lost?"
    assert retells("Call the harbour master if a ship is lost.", quote, question)
    assert not retells("The ship is lost by the keeper, who decides.", quote, question)


def test_a_question_does_not_lend_its_subject() -> None:
    quote = "Full-time staff have 28 days of leave."
    assert not retells("Part-time staff have 28 days.", quote, "leave of part-time staff?")
    quote = "An account is locked for 15 minutes."
    question = "how long is a guest account locked"
    assert not retells("A guest account is locked for 15 minutes.", quote, question)


def test_chinese_is_retold_in_another_order() -> None:
    quote = "未休的年假最多结转6天，次年3月31日作废。"
    question = "没休完的年假可以结转几天？"
    assert retells("年假可以结转6天。", quote, question)
    assert not retells("病假可以结转6天。", quote, question)
    assert not retells("年假可以结转8天。", quote, question)


@pytest.mark.parametrize(
    ("quote", "question", "is_left"),
    [
        ("A watch pays 280 crowns.", "how much does a watch pay", False),
        ("A watch pays 280 crowns, a second one 90 crowns.", "how much does a watch pay", True),
        ("A watch pays 280 crowns a week.", "how much does a watch pay", False),
        ("The ferry leaves at 9:30.", "when does the ferry leave", False),
        ("Post leaves at 9:30, and the ferry at 16:00.", "when does the ferry leave", True),
        ("The mate lets berths.", "who lets berths", False),
        ("The mate lets berths. The keeper lets rooms.", "who lets berths", False),
    ],
)
def test_several_amounts_or_times_leave_a_choice(
    quote: str, question: str, *, is_left: bool
) -> None:
    assert leaves_choice(quote, question) == is_left

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.answering.questions import (
    asks_for_amount,
    asks_for_fact,
    asks_for_time,
    clean,
    depends_on_thread,
    standalone,
)
from retrieval.errors import QuestionError
from retrieval.records import Message

LEAVE = Message("user", "How many days of annual leave do I get?")
REPLY = Message("assistant", "You get 27 days. [1]")


def test_an_amount_is_asked_for_in_many_words() -> None:
    for question in (
        "how much is the fee",
        "How many keepers?",
        "how long is it?",
        "押金多少钱",
        "多久",
    ):
        assert asks_for_amount(question)
    others = ("几乎每天吗", "食堂星期几有汤", "茶几在哪", "前台在几楼")
    for question in ("how high is it", "how much is each, and who pays?", *others):
        assert not asks_for_amount(question)


@pytest.mark.parametrize(
    ("question", "is_time"),
    [
        ("when is tea?", True),
        ("do you know when tea is", True),
        ("食堂星期几有汤", True),
        ("when somebody leaves, who gets the laptop?", False),
        ("what happens when it is locked?", False),
        ("有几点要注意", False),
        ("at what hour do we meet", True),
        ("几点开门", True),
        ("哪天发工资", True),
        ("when do we get our money each month", True),
        ("what do I do when it rains", False),
        ("when and how much do we pay", False),
        ("值几天班", False),
    ],
)
def test_a_time_is_asked_for_in_many_words(question: str, *, is_time: bool) -> None:
    assert asks_for_time(question) == is_time


@pytest.mark.parametrize("nothing", ["", "   ", "?!", "🎉🎉", ":tada: :+1:", "…"])
def test_a_question_without_words_is_refused_with_a_hint(nothing: str) -> None:
    with pytest.raises(QuestionError, match="for example"):
        clean(nothing, max_chars=100)


def test_a_question_that_is_too_long_is_refused_in_its_language() -> None:
    with pytest.raises(QuestionError, match="39,999"):
        clean("word " * 8_000, max_chars=4_000)
    with pytest.raises(QuestionError, match="问题太长"):
        clean("请问" * 20_000, max_chars=4_000)


def test_white_space_and_emoji_names_are_cleaned_away() -> None:
    assert clean(" where\n is  :wave: the office? ", max_chars=100) == "where is the office?"


@given(st.text(max_size=300))
def test_cleaning_gives_text_or_a_question_error(text: str) -> None:
    with suppress(QuestionError):
        assert clean(text, max_chars=200)


@pytest.mark.parametrize(
    "question",
    [
        "And in Bristol?",
        "what about contractors?",
        "Who approves it?",
        "为什么？",
        "那实习生呢？",
        "why?",
    ],
)
def test_a_question_that_points_back_depends_on_its_thread(question: str) -> None:
    assert depends_on_thread(question)


@pytest.mark.parametrize(
    "question",
    [
        "How do I claim travel expenses?",
        "病假需要提交哪些材料？",
        "Where can I park my bicycle overnight?",
    ],
)
def test_a_whole_question_does_not(question: str) -> None:
    assert not depends_on_thread(question)


@pytest.mark.parametrize(
    "question",
    [
        "How many days?",
        "who approves it",
        "What port does it use?",
        "由哪两个公司开发？",
        "密码是什么？",
        "要多少钱",
        "伊维菌素又被称为什么？",
    ],
)
def test_a_question_for_a_fact_is_told_by_its_words(question: str) -> None:
    assert asks_for_fact(question)


@pytest.mark.parametrize(
    "question",
    [
        "can you tell me when the office opens?",
        "does anyone know which form I need",
        "the office opens when?",
        "since when do we have lamps",
    ],
)
def test_a_fact_may_be_asked_for_politely_or_late(question: str) -> None:
    assert asks_for_fact(question)


@pytest.mark.parametrize(
    "question",
    [
        "How do I connect?",
        "What is a tide gauge?",
        "Why is it slow?",
        "How come it is slow?",
        "为啥什么都没印出来",
        "为何要打卡",
        "怎么连接？",
        "为什么？",
        "什么是验潮仪？",
        "The gauge is broken, what now",
        "what kinds of leave are there?",
        "what to do when the archive disk is full",
        "how do I know where my ticket stands",
        "which steps do i follow when a boat is late",
        "哪些步骤",
        "几乎所有的船都晚点",
        "为什么什么都不能退",
        "whats leave and how much do I have",
        "should I write to the keeper when I reply to a list",
        "hi, is there someone who repairs lamps?",
        "which difference is there between a lamp and a light",
        "年假和病假有什么区别",
        "年假和病假谁更长",
        "which is longer, annual or sick leave",
        "出海前要检查哪些东西",
        "怎么记录装了哪些灯",
        "the lamp is out when it rains",
        "need a boat and a lamp, how early for each?",
    ],
)
def test_a_question_for_an_explanation_is_not_one_for_a_fact(question: str) -> None:
    assert not asks_for_fact(question)


def test_a_follow_up_is_joined_to_the_question_it_points_at() -> None:
    query = standalone("And for contractors?", [LEAVE, REPLY])
    assert query == f"{LEAVE.text} And for contractors?"


def test_a_chain_of_follow_ups_reaches_back_to_the_whole_question() -> None:
    history = [LEAVE, REPLY, Message("user", "And for contractors?"), REPLY]
    query = standalone("why?", history)
    assert query == f"{LEAVE.text} And for contractors? why?"


def test_a_whole_question_leaves_its_thread_behind() -> None:
    question = "How do I claim travel expenses?"
    assert standalone(question, [LEAVE, REPLY]) == question


def test_a_follow_up_without_a_thread_is_searched_as_it_is() -> None:
    assert standalone("And for contractors?", []) == "And for contractors?"


def test_bytes_of_a_terminal_that_are_no_text_are_left_out_of_a_question() -> None:
    asked = b"\xff\xfe how much leave".decode(errors="surrogateescape")
    assert clean(asked, max_chars=100) == "?? how much leave"
    with pytest.raises(QuestionError):
        clean("年假".encode("gbk").decode(errors="surrogateescape"), max_chars=100)

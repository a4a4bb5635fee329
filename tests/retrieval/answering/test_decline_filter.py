from __future__ import annotations

import pytest

from retrieval.answering.citations import CheckedStream, Citer
from retrieval.answering.decline_filter import DeclineFilter, is_not_there
from tests.fakes import passage

LEAVE = passage("Leave", "There are 27 days of leave. They lapse in March.")


def filtered(text: str, *, may_decline: bool = True) -> DeclineFilter:
    listener = DeclineFilter(
        CheckedStream(Citer("How many days?", [LEAVE])), may_decline=may_decline
    )
    for character in text:
        listener.feed(character)
    listener.close(is_whole=True)
    return listener


@pytest.mark.parametrize(
    "text",
    [
        "NOT FOUND",
        "**Not found.**",
        "I couldn't find anything about that in the handbook.",
        "I could not find this in the documents.",
        "The documents do not mention a pension.",
        "None of the passages says how many days there are.",
        "There is no information about pensions here.",
        "手册里没有找到相关内容。",
        "文档中没有找到相关内容。",
        "很抱歉，我无法从提供的资料中找到答案。",
    ],
)
def test_a_model_says_in_its_own_words_that_there_is_no_answer(text: str) -> None:
    assert filtered(text).has_declined
    assert filtered(f"{text}\nThere are 27 days of leave [1].").stream.text == ""


@pytest.mark.parametrize(
    "text",
    [
        "You do not need to provide a form.",
        "No, unused days are not paid out.",
        "There is no limit on how often that can happen.",
        "The handbook does not state a limit [1].",
        "Do not answer such mails.",
        "不需要提供发票。",
        "没有上限。",
        "You can't share customer documents outside.",
        "We don't have a canteen.",
        "内容未经批准不得发布。",
    ],
)
def test_a_no_is_an_answer(text: str) -> None:
    assert not filtered(text).has_declined


def test_what_is_supported_is_let_through() -> None:
    assert filtered("There are 27 days of leave [1]. Dragons fly.").stream.text == (
        "There are 27 days of leave. [1]"
    )


def test_a_model_that_is_not_trusted_to_read_cannot_decline() -> None:
    text = "The documents do not mention it. There are 27 days of leave."
    assert not filtered(text, may_decline=False).has_declined


def test_a_sentence_that_was_cut_off_is_not_said() -> None:
    listener = DeclineFilter(CheckedStream(Citer("How many days?", [LEAVE])), may_decline=True)
    listener.feed("There are 27 days of leave. They lapse")
    listener.close(is_whole=False)
    assert listener.stream.text == "There are 27 days of leave. [1]"
    assert is_not_there("Not found")

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from retrieval.language import words
from retrieval.search.lexical import terms
from retrieval.search.spelling import mended

WORDS = frozenset(
    words(
        "how much annual leave are they paid for travel expenses does the printer password expire"
        " government vacation parental there receipt recept"
    )
)
"""Those that the embedder reads whole."""


CHINESE = frozenset(("怎样", "修改", "密码", "登录", "登陆", "页面", "窗口"))


def pieces(word: str) -> int:
    if not word.isascii():
        return 2 if word in CHINESE else 3  # the mark of a word's beginning is one
    return 1 if word.lower() in WORDS else max(2, len(word) // 2)


def passages(**counts: int) -> Mapping[str, int]:
    return {term: count for word, count in counts.items() for term in terms(word)}


HANDBOOK = passages(
    annual=3, leave=5, travel=4, expenses=4, printer=2, password=2, government=2, expire=2,
    parental=9, vocation=7, accuracy=3, receipt=1, reception=4, 怎样修改密码=3, 登录页面=2, 窗口=5,
)  # fmt: skip


def frequencies(asked: Sequence[str]) -> Mapping[str, int]:
    return {term: HANDBOOK[term] for term in asked if term in HANDBOOK}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("does the passqord expire", "does the password expire"),
        ("does the passwrd expire", "does the password expire"),
        ("does the passsword epxire", "does the password expire"),
        ("are they paid for travle, expensees?", "are they paid for travel, expenses?"),
        ("a receipt, a reciept", "a receipt, a receipt"),
        ("the govermnent", "the government"),
        ("怎样修改密马", "怎样修改密码"),
        ("登路页面在 travle 哪里", "登录页面在 travel 哪里"),
    ],
)
def test_a_word_that_nothing_has_gives_way_to_one_that_passages_have(
    typed: str, meant: str
) -> None:
    assert mended(typed, pieces, frequencies) == meant


@pytest.mark.parametrize(
    "query",
    [
        "how much vacation",  # the embedder knows it, though "vocation" is what passages say
        "the paretnals",  # two errors
        "ask Passqord or PASSQORD",
        "passqord.example.com and ann@passqord.example #passqord C:/passqord",
        "arent they paid, isnt it, wheres the printer",
        "ungovernment",  # the first letters of a word may turn it round
        "inpassword atypical nonexpenses",
        "how much annualleave",  # a space would make "inactive" of what is active
        "pto accrual",  # "accural" is none, though it shares its stem with "accuracy"
        "pasword2 passw0rd",
        "`passqord` and passqord() are code",
        "串口",  # too short to tell that it is not 窗口, which passages have
        "登陆页面",  # the embedder knows it, though 登录 is what passages say
        "",
    ],
)
def test_everything_else_stays_as_it_is(query: str) -> None:
    assert mended(query, pieces, frequencies) == query


def test_what_is_right_is_looked_up_nowhere() -> None:
    def nothing(asked: Sequence[str]) -> Mapping[str, int]:
        raise AssertionError(asked)

    assert mended("how much annual leave", pieces, nothing) == "how much annual leave"


def test_letters_and_digits_as_wide_as_chinese_become_usual_and_chinese_marks_stay() -> None:
    wide = "Ｈｏｗ　ｍｕｃｈ，　３．５％？ 你好：５天（假）"
    assert mended(wide, pieces, frequencies) == "How　much，　3.5%？ 你好：5天（假）"

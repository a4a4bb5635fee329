from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.answering.quantities import (
    amounts,
    dates,
    misses_code,
    misses_day,
    misses_year,
    quantities,
    ranges,
    times,
)


@pytest.mark.parametrize(
    ("said", "held"),
    [
        ("14 days", "two weeks"),
        ("三个月", "90 days"),
        ("1,200 crowns", "1 200 crowns"),
        ("half an hour", "30 minutes"),
        ("a minute and a half", "90 seconds"),
        ("three quarters of an hour", "45 minutes"),
        ("70 percent", "七成"),
        ("three quarters of it", "75 %"),
        ("a third", "三分之一"),
        ("about two months", "8 weeks"),
        ("每周", "weekly"),
        ("50 %", "half"),
        ("10 p.m.", "22:00"),
        ("下午三点", "15:00"),
        ("the fourth day", "第四天"),
        ("March 31", "3月31日"),
        ("twenty-five", "二十五个"),
        ("3.5 million", "350万"),
        ("version 2.19.0", "2.19.0"),
        ("two kilometres", "2000 m"),
        ("５ hours", "5小时"),
        ("one hundred and fifty boats", "150 boats"),
        ("two hundred thousand, five thousand and one", "200,000 5001"),
        ("half a million people", "500,000 people"),
        ("a million and a half", "1.5 million"),
        ("twenty-one and a half hours", "21.5 hours"),
        ("half-a-million", "500,000"),
        ("$1,500m", "$1.5 billion"),
        ("一个半月", "1.5个月"),
        ("十年半导体行业", "10 years"),
        ("上午九点三年级", "9:00 and 3 years"),
        ("百分之一百二十五点五", "125.5%"),
        ("12 a.m.", "0:00"),
        ("今晚八点", "8 p.m."),
        ("between one hundred and two hundred", "100 to 200"),
        ("a hundred two-person tents", "100 tents for 2"),
        ("$5M", "5 million dollars"),
        ("一点五倍", "1.5倍"),
        ("一倍半", "1.5倍"),
        ("百分之八点二五", "8.25 %"),
        ("三点一刻", "3:15"),
        ("下午三点十五分", "15:15"),
        ("five o'clock", "17:00"),
    ],
)
def test_a_number_is_the_same_however_it_is_written(said: str, held: str) -> None:
    known = [*quantities(held)]
    found = [*quantities(said)]
    assert found
    assert all(any(each.is_said_by(other) for other in known) for each in found)


@pytest.mark.parametrize(
    ("said", "held"),
    [
        ("14 days", "14 weeks"),
        ("5 percent", "5 hours"),
        ("1.19.0", "2.19.0"),
        ("13 months", "a year"),
        ("10 a.m.", "22:00"),
        ("十二元", "二十元"),
        ("two months", "8 weeks"),
        ("two thirds", "75 %"),
        ("one hundred and fifty boats", "140 boats"),
        ("two hundred thousand", "200"),
        ("5 o'clock", "4 p.m."),
        ("$5 m long", "$5 million"),
        ("3 trillion dollars", "3 dollars"),
        ("凌晨三点", "15:00"),
        ("三点一刻", "3:45"),
        ("一点五倍", "2.5倍"),
    ],
)
def test_another_number_or_unit_is_another_quantity(said: str, held: str) -> None:
    known = [*quantities(held)]
    assert not any(each.is_said_by(other) for each in quantities(said) for other in known)


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("3 to 7 years", (3, 7)),
        ("between 8 and 15 months", (8, 15)),
        ("under 3 years", (0, 3)),
        ("8 years or more", (8, math.inf)),
        ("8年及以上", (8, math.inf)),
        ("3 and 7 years", None),
    ],
)
def test_a_range_has_two_ends_or_one(text: str, ends: tuple[float, float] | None) -> None:
    assert [(least.value, most.value) for least, most in ranges(text)] == ([ends] if ends else [])


@pytest.mark.parametrize(
    "text", ["3 January 2012", "January 3rd, 2012", "2012年1月3日", "2012-01-03"]
)
def test_a_date_is_the_same_however_it_is_written(text: str) -> None:
    assert next(dates(text)) == {("year", 2012), ("month", 1), ("day", 3)}


def test_a_word_that_looks_like_a_month_makes_no_date() -> None:
    assert [*dates("The Gull 3 may hang 22 m above.")] == []


def test_words_that_only_look_like_numbers_are_none() -> None:
    assert [*quantities("You may march on: one of the two, 一起")][1:] == []


@pytest.mark.parametrize(
    ("text", "is_stated"),
    [
        ("Keepers have 27 days.", True),
        ("Twenty-seven days a year.", True),
        ("A keeper may take as much as the crew can spare.", True),
        ("- salt\n- rope\n- oil", True),
        ("餐费全部报销。", True),
        ("每人十五天。", True),
        ("It lasts for ever.", True),
        ("一直有效。", True),
        ("1. Ask the office for it.", False),
        ("- High\n  - A fire", False),
        ("由办公室报销。", False),
    ],
)
def test_an_amount_is_a_number_or_a_word_or_a_list(text: str, *, is_stated: bool) -> None:
    assert bool(amounts(text)) == is_stated


@pytest.mark.parametrize(
    ("text", "question", "is_missed"),
    [
        ("5月12日-5月18日 刘洋\n5月19日-5月25日 周伟", "6月15号谁值班", True),
        ("5月12日-5月18日 刘洋\n5月26日-5月30日 周伟", "5月20号谁值班", True),
        ("Closed from 24 December to 2 January", "who is there on 28 December?", False),
        ("Closed from 24 December to 2 January", "who is there on 5 February?", True),
        ("The party is on 4 July.", "what is on July 4th?", False),
        ("The party is on 4 July.", "what is on in 2025?", False),
        ("The party is in summer.", "what is on July 4th?", False),
    ],
)
def test_a_text_about_other_days_misses_that_of_a_question(
    text: str, question: str, *, is_missed: bool
) -> None:
    assert misses_day(text, question) == is_missed


@pytest.mark.parametrize(
    ("text", "question", "is_missed"),
    [
        ("Price list 2026", "what did it cost in 2021?", True),
        ("2026年1月1日起执行", "2024年的年假几天", True),
        ("本规定于2026年执行", "2024年的年假几天", True),
        ("Price list 2026", "what does it cost in 2026?", False),
        ("From 2019 to 2023 it was free.", "what did it cost in 2021?", False),
        ("In force since 1 May 2020.", "what holds in 2021?", False),
        ("自2022年起免费", "2024年收费吗", False),
        ("It is free.", "what did it cost in 2021?", False),
        ("Release 2026.3", "what was new in 2024", False),
        ("Price list 2026", "who counts 2000 words", False),
        ("Price list 2026", "1990年代的价格", False),
    ],
)
def test_a_text_about_other_years_misses_that_of_a_question(
    text: str, question: str, *, is_missed: bool
) -> None:
    assert misses_year(text, question) == is_missed


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    assert all(each.written for each in quantities(text))


@pytest.mark.parametrize("text", ["1 " * 20_000, "111 " * 20_000, "十" * 50_000, "1." * 40_000])
def test_long_runs_of_digits_are_read_in_linear_time(text: str) -> None:
    began = time.process_time()
    assert [*quantities(text)]
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("€250 – €1,000", 250, 1000),
        ("below £40", 0, 40),
        ("100-499", 100, 499),
        ("500+", 500, math.inf),
        ("10-20人", 10, 20),
    ],
)
def test_ranges_of_amounts_and_of_bare_numbers_are_found(
    text: str, least: float, most: float
) -> None:
    assert [(a.value, b.value) for a, b in ranges(text)] == [(least, most)]


@pytest.mark.parametrize(
    ("text", "question", "is_stated"),
    [
        ("The lamp was lit on 4 July.", "when was the lamp lit", True),
        ("The harbour opened in 1871.", "when did the harbour open", True),
        ("The boat leaves at 9:30.", "when does the boat leave", True),
        ("Ask as soon as you know.", "when should I ask", True),
        ("Wages come on the 25th.", "when do wages come", True),
        ("It opens every Friday.", "when does it open", True),
        ("灯塔每周五开放。", "灯塔什么时候开放", True),
        ("Payment is due 30 days from invoice.", "when is payment due", True),
        ("From the fourth day on, a note is needed.", "when do I need a note", True),
        ("It opens at half past eight.", "when does it open", True),
        ("It is due in Q2.", "when is it due", True),
        ("On request.", "when is it sent", True),
        ("1878年建成。", "哪一年建成", True),
        ("A week of watches pays 280 crowns.", "when are watches paid", False),
        ("The summer fair is on the island.", "when is the summer fair", False),
        ("All others claim 12 crowns a month.", "when do we get money", False),
        ("博物馆在码头边。", "博物馆什么时候开门", False),
    ],
)
def test_a_time_is_a_point_in_time_or_a_case(text: str, question: str, *, is_stated: bool) -> None:
    assert bool(times(text, question)) == is_stated


def test_what_a_question_says_and_a_date_are_no_amount() -> None:
    assert not amounts("The sensor NX-5 comes in October.", "what does the NX-5 cost")
    assert not amounts("It moves on 1 September 2026.", "how many desks will it have")
    assert amounts("It is closed until 1 September 2026.", "how long is it closed")
    assert amounts("The NX-5 costs 5 crowns a month.", "how much is the NX-6")


def test_a_model_is_told_from_its_siblings() -> None:
    assert misses_code("The LX-40 has a warranty of two years.", "warranty of the LX-30?")
    assert not misses_code("The LX-30 and the LX-40 float.", "does the lx30 float?")
    assert not misses_code("All sensors float.", "does the LX-30 float?")
    assert not misses_code("The visa is paid back.", "visa after COVID-19")


def test_a_part_of_nothing_is_no_number() -> None:
    (part,) = quantities("零分之一")
    assert math.isnan(part.value)


def test_many_empty_lines_are_read_in_no_time() -> None:
    began = time.process_time()
    assert not amounts("\n" * 20_000)
    assert time.process_time() - began < 5

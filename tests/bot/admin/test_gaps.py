from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bot.admin.gaps import FEW, find_gaps, group
from bot.admin.reporting import likenesses
from tests.bot.admin.test_report import ASKED, OPEN
from tests.fakes import TwoGenerations

EVERYBODY = frozenset({"public"})
WIFI = ("What is the wifi password in Lisbon?", "the wifi password in Lisbon?", "wifi in Lisbon?")
PARKING = ("Where can I park my car?", "Where can I park the car?")
ALL_OPEN = [
    replace(OPEN, question=question, person=n, created=f"2026-02-{n + 10}T00:00:00+00:00")
    for n, question in enumerate((*WIFI, *PARKING))
]


def compare(questions: object, language: str) -> object:
    return likenesses(TwoGenerations(), questions, language)  # type: ignore[arg-type]


def test_questions_alike_make_one_gap_and_the_largest_comes_first() -> None:
    wifi, parking = find_gaps(ALL_OPEN, compare, readers=EVERYBODY, tells_all=True)  # type: ignore[arg-type]
    assert (wifi.count, wifi.people, wifi.latest[:10]) == (3, 3, "2026-02-12")
    assert wifi.question in WIFI
    assert (parking.count, parking.question in PARKING) == (2, True)


def test_what_few_people_asked_is_told_to_admins_alone() -> None:
    wifi, parking = find_gaps(ALL_OPEN, compare, readers=EVERYBODY, tells_all=False)  # type: ignore[arg-type]
    assert (wifi.people, wifi.question is None) == (FEW, False)
    assert (parking.people, parking.question) == (2, None)


def test_answers_count_where_they_were_rated_down() -> None:
    down = replace(ASKED, question="Where can I park my bike?", downs=1)
    (gap,) = find_gaps([ASKED, down], compare, readers=EVERYBODY, tells_all=True)  # type: ignore[arg-type]
    assert (gap.question, gap.downs) == (down.question, 1)


def test_languages_are_kept_apart_and_forgotten_questions_left_out() -> None:
    asked = [OPEN, replace(OPEN, question="年假几天？", language="zh"), replace(OPEN, question="")]
    gaps = find_gaps(asked, compare, readers=EVERYBODY, tells_all=True)  # type: ignore[arg-type]
    assert sorted(gap.language for gap in gaps) == ["en", "zh"]


@given(st.integers(0, 12), st.integers(0, 1000), st.floats(0, 1))
def test_every_row_is_in_one_group(n: int, seed: int, alike: float) -> None:
    vectors = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    groups = group(vectors @ vectors.T, alike=alike)
    assert sorted(row for rows in groups for row in rows) == list(range(n))


def test_a_gap_is_told_in_words_that_the_reader_may_read() -> None:
    private = frozenset({"public", "in:U1"})
    asked = [replace(question, audience=private) for question in ALL_OPEN[:2]] + ALL_OPEN[2:3]
    (gap,) = find_gaps(asked, compare, readers=EVERYBODY, tells_all=True)  # type: ignore[arg-type]
    assert (gap.count, gap.question) == (3, WIFI[2])
    (gap,) = find_gaps(asked[:2], compare, readers=EVERYBODY, tells_all=True)  # type: ignore[arg-type]
    assert (gap.count, gap.question) == (2, None)
    (gap,) = find_gaps(asked[:2], compare, readers=private, tells_all=True)  # type: ignore[arg-type]
    assert gap.question in WIFI

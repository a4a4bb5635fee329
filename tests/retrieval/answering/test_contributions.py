from __future__ import annotations

from dataclasses import replace

import pytest

from retrieval.answering.contributions import contributions
from retrieval.records import Answer, Citation, Hit, Passage
from tests.fakes import answer_to, passage

LEAVE = passage("Leave", "Every employee has 30 days of paid leave a year.")
PARKING = passage("Parking", "Bicycles are parked in the cellar behind the lift.")
TEXT = f"{LEAVE.text} [1] {PARKING.text} [2]"


def answer_from(text: str, *passages: Passage, hits: tuple[Passage, ...] = ()) -> Answer:
    return replace(
        answer_to("What may I do?"),
        text=text,
        citations=tuple(Citation(n, p, p.text, 1.0) for n, p in enumerate(passages, start=1)),
        hits=tuple(Hit(p, 1.0) for p in (*passages, *hits)),
    )


def test_each_of_two_sentences_hangs_on_its_own_passage() -> None:
    shares = [c.share for c in contributions(answer_from(TEXT, LEAVE, PARKING))]
    assert shares == pytest.approx([0.5, 0.5], abs=0.1)


def test_the_only_passage_is_all_there_is() -> None:
    (only,) = contributions(answer_from(f"{LEAVE.text} [1]", LEAVE))
    assert only.share == 1.0


def test_what_stands_in_another_passage_too_is_not_lost() -> None:
    twin = replace(LEAVE, id="twin")
    (first,) = contributions(answer_from(f"{LEAVE.text} [1]", LEAVE, hits=(twin,)))
    assert first.share == 0.0


def test_an_abstention_has_no_contributions() -> None:
    assert contributions(answer_from("I did not find that.")) == ()


def test_chinese_answers_are_measured_too() -> None:
    leave = passage("年假", "每位员工每年有三十天带薪年假。")
    (only,) = contributions(
        answer_from("每位员工每年有三十天带薪年假。[1]", leave, hits=(PARKING,))
    )
    assert only.share == 1.0

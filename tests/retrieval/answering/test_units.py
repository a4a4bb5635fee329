from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.answering.units import (
    matching_rows,
    rows_in_range,
    says_something,
    units,
    whole_sentences,
)
from retrieval.search.lexical import terms

STEPS = """Every laptop needs the client.

To set it up:

1. Open the portal.
2. Press Add
   and scan the code.

3. Wait for the mark.

Afterwards restart."""
PLANS = """| Plan | Fee | Support |
| Basic | 12 euros | e-mail |
| Pro | 75 euros | phone |
| Max | 190 euros | phone, day and night |"""


def kinds(text: str) -> list[tuple[str, str]]:
    return [(unit.kind, text[unit.start : unit.end]) for unit in units(text)]


def test_a_list_is_its_items_and_the_line_that_leads_in() -> None:
    (first, _), (second, steps), (third, last) = kinds(STEPS)
    assert [first, second, third] == ["prose", "list", "prose"]
    assert steps.startswith("To set it up:\n\n1. Open")
    assert steps.endswith("3. Wait for the mark.")
    assert last == "Afterwards restart."


@pytest.mark.parametrize("mark", ["- ", "* ", "• ", "1) ", "(a) ", "一、", "①", "第一步"])
def test_items_are_marked_in_many_ways(mark: str) -> None:
    assert kinds(f"{mark}Open the portal\n{mark}Press Add")[0][0] == "list"


def test_code_runs_from_fence_to_fence_whatever_stands_in_it() -> None:
    text = "Run this:\n\n```sh\n- not a list\n\n| not a table |\n```\nThen wait."
    assert [kind for kind, _ in kinds(text)] == ["code", "prose"]
    assert kinds(text)[0][1].endswith("| not a table |\n```")


def test_the_rows_of_a_table_that_answer_come_with_their_head() -> None:
    (plans,) = units(PLANS)
    rows = matching_rows(plans, PLANS, frozenset(terms("which plans have phone support?")))
    assert [PLANS[start:end][:7] for start, end in rows] == ["| Plan ", "| Pro |", "| Max |"]


def test_a_row_that_names_its_columns_stands_by_itself() -> None:
    text = "Plans and fees.\n\nPlan: Pro | Fee: 75 euros\nPlan: Max | Fee: 190 euros"
    prose, rows = units(text)
    assert [prose.kind, rows.kind] == ["prose", "table"]
    (row,) = matching_rows(rows, text, frozenset(terms("what is the fee of max?")))
    assert text[slice(*row)] == "Plan: Max | Fee: 190 euros"


def test_a_table_of_which_no_row_has_what_was_asked_stays_whole() -> None:
    (plans,) = units(PLANS)
    assert len(matching_rows(plans, PLANS, frozenset(terms("what does it cost?")))) == 4


@pytest.mark.parametrize(
    "text", ["", "Contacts:", "联系方式：", "https://a.example/b", "[Wiki](https://a.example)\n- "]
)
def test_headings_and_addresses_say_nothing(text: str) -> None:
    assert not says_something(text)


def test_a_word_that_few_rows_have_tells_them_apart() -> None:
    text = "\n".join(
        ["| Prefix | Meaning |", "| `wg-` | Groups, from 2019 |", "| `-x` | Slack channels, 2 |"]
        + [f"| `{name}-` | Slack channels of team {name} 3 |" for name in ("abc", "def")]
    )
    (table,) = units(text)
    rows = matching_rows(table, text, frozenset(terms("what do wg- channels mean in slack")))
    assert "| `wg-` | Groups, from 2019 |" in [text[start:end] for start, end in rows]
    assert len(rows) == 2


def test_a_span_grows_to_whole_sentences_across_wrapped_lines() -> None:
    text = "Plans change in spring. You can\nmodify or cancel\nthem then. Others wait."
    (unit,) = units(text)
    start = text.index("modify")
    begins, ends = whole_sentences(unit, text, start, start + len("modify or cancel"))
    assert text[begins:ends] == "You can\nmodify or cancel\nthem then."


@given(st.text(st.sampled_from("ab1. \n-*|`:：步、"), max_size=200))
def test_units_hold_every_line_once_and_in_order(text: str) -> None:
    spans = [line for unit in units(text) for line in unit.lines]
    assert spans == sorted(set(spans))
    assert {text[start:end] for start, end in spans if text[start:end].strip()} == {
        line for line in text.split("\n") if line.strip()
    }


PHONES = "Name: Ann Lee | Phone: 100\nName: Bob Ray | Phone: 101"


def test_rows_that_name_their_columns_are_a_table() -> None:
    (table,) = units(PHONES)
    assert table.kind == "table"
    assert matching_rows(table, PHONES, frozenset(terms("phone of bob ray"))) == [table.lines[1]]


AMOUNTS = """| Amount | Who approves |
| below €250 | nobody |
| €250 – €1,000 | lead |
| above €1,000 | head of department |"""
LEAVE = "| 工龄 | 年假 |\n| 满1年不满10年 | 5天 |\n| 满10年不满20年 | 10天 |\n| 满20年 | 15天 |"
DUTY = "| 日期 | 值班 |\n| 5月12日-5月18日 | 刘洋 |\n| 5月19日-5月25日 | 周伟 |"


@pytest.mark.parametrize(
    ("text", "question", "row"),
    [
        (AMOUNTS, "who approves 700 euro?", "| €250 – €1,000 | lead |"),
        (AMOUNTS, "who approves 5000", "| above €1,000 | head of department |"),
        (LEAVE, "工作满12年年假几天", "| 满10年不满20年 | 10天 |"),
        (DUTY, "5月20号谁值班", "| 5月19日-5月25日 | 周伟 |"),
        ("Days: 1 to 5 | Who: Ann\nDays: 6 to 9 | Who: Bob", "8 days", "Days: 6 to 9 | Who: Bob"),
    ],
)
def test_a_row_is_found_by_the_range_that_a_number_or_a_day_lies_in(
    text: str, question: str, row: str
) -> None:
    assert text[slice(*rows_in_range(text, question)[-1])] == row


@pytest.mark.parametrize(
    ("text", "question"),
    [
        (AMOUNTS, "who approves?"),
        (DUTY, "6月15号谁值班"),
        (AMOUNTS, "which head of department has 2 leads below?"),
        ("Up to 9 days are paid.", "are 7 days paid?"),
    ],
)
def test_where_no_range_or_more_words_of_another_row_are_meant_none_is_found(
    text: str, question: str
) -> None:
    assert rows_in_range(text, question) == []


def test_how_often_something_is_lies_in_no_range_of_a_row() -> None:
    text = "| Service | Days |\n| under 3 years | 26 |\n| 3 to 7 years | 28 |"
    for question in ("how many days of annual leave?", "how much is it a year?", "每年几天假？"):
        assert rows_in_range(text, question) == []
    assert rows_in_range(text, "how many days in one year of service?")

from __future__ import annotations

import pytest

from retrieval.documents.loaders.typed_headings import with_headings


def outline(text: str) -> list[tuple[int, str]]:
    return [(block.level, block.text) for block in with_headings(text)]


UNDERLINED = """\
==========
Staff book
==========

Leave
=====

Ask early.

Sick leave
----------
Call your lead.

Travel
======
Book by train."""

NUMBERED = """\
1. Purpose

This policy says how we work.

1.1 Scope

It holds for everybody.

2. Leave

Ask your lead two weeks ahead."""

CHINESE = """\
第一章 总则
一、目的
本制度规定休假。
二、范围
适用于全体员工。
第二章 假期
一、年假
每年十五天。"""

SET_IN = """\
                 Rules of the club (v2)

   They hold from May on.

1. Members

   Whoever pays the fee is a member, for as long as he or she has not left
   the club.

  1.1. Guests

    1. May come twice.
    2. Pay nothing.

  Who may vote?

   Every member."""

PAGE_FOR_A_TERMINAL = """\
LS(1)                User Commands               LS(1)

NAME
       ls - list directory contents

DESCRIPTION
       List information about the files
       in a directory, sorted by name
       unless another order is asked
       for by one of the options.

       Names that begin with a dot are
       left out, as are those of
       folders above the directory
       that is listed.

OPTIONS
       -a     do not ignore entries
              starting with a dot
       -l     use a long listing
              format

Written by nobody.        2022"""


def test_lines_that_are_underlined_are_headings_of_the_level_at_which_they_come_first() -> None:
    assert outline(UNDERLINED) == [
        (1, "Staff book"),
        (2, "Leave"),
        (0, "Ask early."),
        (3, "Sick leave"),
        (0, "Call your lead."),
        (2, "Travel"),
        (0, "Book by train."),
    ]


def test_numbered_lines_that_stand_alone_above_text_are_headings() -> None:
    assert [line for line in outline(NUMBERED) if line[0]] == [
        (1, "1. Purpose"),
        (2, "1.1 Scope"),
        (1, "2. Leave"),
    ]


def test_chapters_and_parts_of_chinese_rules_are_headings() -> None:
    assert [line for line in outline(CHINESE) if line[0]] == [
        (1, "第一章 总则"),
        (2, "一、目的"),
        (2, "二、范围"),
        (1, "第二章 假期"),
        (2, "一、年假"),
    ]


def test_lines_in_capitals_that_stand_alone_are_headings_if_there_are_several() -> None:
    text = "TRAVEL\n\nBook by train.\n\nSICK LEAVE\n\nCall your lead."
    assert [line for line in outline(text) if line[0]] == [(1, "TRAVEL"), (1, "SICK LEAVE")]
    assert outline(text.replace("SICK LEAVE", "Then this:"))[0][0] == 0


@pytest.mark.parametrize(
    "text",
    [
        "To leave:\n\n1. Fill in the form\n\n2. Give it to your lead\n\n3. Wait",
        "1. Fill in the form\n\n   It is in the portal.\n\n2. Give it away\n\n   To your lead.",
        "一、带身份证\n二、提前到达\n三、登记",
        "Name   Days\n-----------\nAnn    12\n\nBob    13",
        "The first line.\n---------------\nThe second line.",
        "We work\nin teams\n--------\nof four.",
        "    indented\n    ========\n\nwords",
        "-----\n\nwords\n\n-----",
        "BRING\n\nYOUR\n\nBADGE",
        "Call 112.\n\n2026 was good\n\nwords and words.",
        "",
    ],
    ids=[
        "steps", "steps with text", "Chinese list", "table", "sentence", "paragraph", "set in",
        "rules", "a poster", "a year", "nothing",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_heading_stays_text(text: str) -> None:
    assert [line for line in outline(text) if line[0]] == []


def test_no_words_get_lost() -> None:
    for text in (UNDERLINED, NUMBERED, CHINESE, SET_IN):
        words = " ".join(block.text for block in with_headings(text)).split()
        assert words == [word for word in text.split() if set(word) - set("=-")]


OFFICE = """\
Good to know

Address
6 Quay Street, second floor.

Opening hours:
Mon-Fri 7 to 9. Saturdays with a badge.

Guests: register them the day before.

Food
Lunch is at noon, on Tuesdays it is free."""


def test_a_few_words_right_above_a_paragraph_are_a_heading_if_there_are_three() -> None:
    found = [(1, "Address"), (1, "Opening hours"), (1, "Food")]
    assert [line for line in outline(OFFICE) if line[0]] == found
    assert not any(level for level, _ in outline(OFFICE.partition("Food")[0]))


def test_lines_in_capitals_or_brackets_are_headings_right_above_text() -> None:
    text = "1. SCOPE\nAll staff.\n\n2. DATA CLASSES\n\n  Public   anywhere\n\nAsk us."
    assert [line for line in outline(text) if line[0]] == [(1, "1. SCOPE"), (1, "2. DATA CLASSES")]
    text = "【地址】\n天府三街199号\n【时间】\n弹性上班。"
    assert [line for line in outline(text) if line[0]] == [(1, "【地址】"), (1, "【时间】")]


@pytest.mark.parametrize(
    "text",
    [
        "Ann Lee\n6 Quay Street, York\n\nBob Ray\n7 Quay Street, York",
        "You need:\n- a badge\n\nBring too:\n- a pen or two\n\nLeave here:\n- everything else",
        "Roses\nare red\n\nViolets\nare\n\nSugar\nis",
    ],
    ids=["two addresses", "what leads in to lists", "short lines"],
)
def test_short_lines_that_are_no_headings_stay_text(text: str) -> None:
    assert [line for line in outline(text) if line[0]] == []


def test_where_the_text_is_set_in_lines_further_out_are_headings() -> None:
    assert outline(SET_IN) == [
        (1, "Rules of the club (v2)"),
        (0, "They hold from May on."),
        (2, "1. Members"),
        (0, "Whoever pays the fee is a member, for as long as he or she has not left\nthe club."),
        (3, "1.1. Guests"),
        (0, " 1. May come twice.\n 2. Pay nothing."),
        (3, "Who may vote?"),
        (0, "Every member."),
    ]


def test_the_head_and_foot_of_a_page_for_a_terminal_are_no_headings() -> None:
    assert [text for level, text in outline(PAGE_FOR_A_TERMINAL) if level] == [
        "NAME",
        "DESCRIPTION",
        "OPTIONS",
    ]

"""Tests of how an answer is laid out in a terminal."""

from __future__ import annotations

import sys

import click
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from retrieval.answering.card import wrap

TEXTS = st.text(st.sampled_from("ab ，。年假“”\n"))


def test_lines_break_at_words_and_keep_their_indent() -> None:
    text = "Everyone has 26 days of leave.\n  [1] Leave of absence"
    assert wrap(text, 14) == "Everyone has\n26 days of\nleave.\n  [1] Leave of\n  absence"


def test_chinese_breaks_between_characters_of_two_columns_but_not_before_a_comma() -> None:
    assert wrap("每年有二十天，可以结转。", 12) == "每年有二十\n天，可以结\n转。"


def test_colours_take_no_room_and_an_address_stays_whole() -> None:
    styled = click.style("two words", bold=True)
    assert wrap(f"{styled} https://example.com/a/long/one", 9) == (
        f"{styled}\nhttps://example.com/a/long/one"
    )


@given(TEXTS, st.integers(8, 20))
def test_nothing_but_white_space_is_lost_and_every_line_fits(text: str, width: int) -> None:
    shown = wrap(text, width)
    assert "".join(shown.split()) == "".join(text.split())
    for line in shown.split("\n"):
        assert cell_len(line) <= width or " " not in line.strip()


@given(TEXTS)
def test_without_a_limit_a_text_stays_as_it_is(text: str) -> None:
    assert wrap(text, sys.maxsize) == text


def test_a_text_that_comes_in_pieces_goes_on_where_the_line_stands() -> None:
    assert wrap(" and five more.", 14, column=11) == "\nand five more."

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.asking.explanation import explanation, working
from bot.slack.outgoing.cards import Frame
from bot.strings import Strings, strings_for
from retrieval.answering.contributions import Contribution
from retrieval.records import Citation
from tests.fakes import passage
from tests.slack_server import check_view

ENGLISH, CHINESE = strings_for("en"), strings_for("zh")

LONG = passage("long title " * 40, "Words <!channel> & more. " * 400)
URL = "https://docs.example/" + "a" * 900


@pytest.mark.parametrize("strings", [ENGLISH, CHINESE])
def test_the_longest_explanation_fits_a_modal(strings: Strings) -> None:
    long = replace(LONG, source=replace(LONG.source, url=URL, owner="Ann " * 90))
    cited = [Contribution(Citation(n, long, long.text, 1.0), 0.2) for n in range(1, 6)]
    check_view(working(strings))
    check_view(explanation(cited, Frame(now=0.0), strings))


def test_it_quotes_the_sentence_and_weighs_the_passage() -> None:
    leave = passage("Leave", "Every employee\nhas 30 days of leave.")
    view = explanation([Contribution(Citation(1, leave, leave.text, 1.0), 0.62)], Frame(), ENGLISH)
    quote = view["blocks"][1]["text"]["text"]
    assert quote.startswith("> Every employee has 30 days of leave.\n")
    assert "lose 62% of its support" in quote


def test_what_it_quotes_does_nothing() -> None:
    said = "*Pay* at https://evil.example/x \u202e@channel"
    leave = passage("Leave", said)
    leave = replace(leave, source=replace(leave.source, title=said), headings=(said,))
    view = explanation([Contribution(Citation(1, leave, said, 1.0), 0.6)], Frame(), ENGLISH)
    shown = str(view).replace("<https://docs.example/", "")
    assert "∗Pay∗ at ‹link removed›" in shown
    assert not any(mark in shown for mark in ("evil", "\u202e", "@channel"))

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.llm.thoughts import Spoken


def spoken(*pieces: str, is_thinking: bool = False) -> tuple[str, Spoken]:
    listener = Spoken(is_thinking=is_thinking)
    shown = "".join([*(listener.feed(piece) for piece in pieces), listener.close()])
    return shown, listener


@given(st.lists(st.integers(min_value=0, max_value=60), max_size=5))
def test_a_thought_is_never_shown_however_it_is_cut(cuts: list[int]) -> None:
    text = "<think>Who asks? </think>\n\nThere are 27 <b>days</b> [1]."
    ends = sorted(min(cut, len(text)) for cut in cuts)
    pieces = [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]
    shown, listener = spoken(*pieces)
    assert shown == listener.text == "There are 27 <b>days</b> [1]."
    assert listener.was_thought


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[THINK]Hm.[/THINK]Yes.", "Yes."),
        ("<thinking>Hm.</thinking>Yes.", "Yes."),
        ("<think>Hm. It never ends", ""),
        ("One. <think>Hm.</think>Two.", "One. Two."),
        ("a < b and <t", "a < b and <t"),
    ],
)
def test_what_is_thought_is_left_out(text: str, said: str) -> None:
    assert spoken(*text)[1].text == said


def test_what_stands_before_a_lone_end_of_a_thought_is_taken_back() -> None:
    shown, listener = spoken("Who asks? ", "Hm.</think>", "Yes.")
    assert listener.text == "Yes."
    assert shown == "Who asks? Yes."
    assert listener.was_thought


def test_where_such_an_end_is_expected_nothing_before_it_is_shown() -> None:
    assert spoken("Who asks?</think>Yes.", is_thinking=True)[0] == "Yes."


def test_what_was_taken_for_a_thought_is_said_in_the_end() -> None:
    assert spoken("There are 27 days.", is_thinking=True)[0] == "There are 27 days."

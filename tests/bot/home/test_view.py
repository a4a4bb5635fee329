from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.home.view import short
from bot.slack.outgoing.cards import escape


@given(st.text("ab &<>\n…", max_size=300), st.integers(10, 200))
def test_a_shortened_text_fits_and_is_the_beginning(text: str, max_chars: int) -> None:
    shown = short(text, max_chars)
    assert len(shown) <= max_chars
    assert shown == escape(text.strip()) or escape(text.strip()).startswith(shown[:-1])

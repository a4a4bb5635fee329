from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from retrieval.llm.detokenizer import Detokenizer, Token


def from_bytes(ids: list[int]) -> str:
    return bytes(ids).decode(errors="replace")


def shown(text: str, *end: str) -> tuple[Detokenizer, list[str]]:
    pieces: list[str] = []
    writing = Detokenizer(from_bytes, pieces.append, end)
    for byte in text.encode():
        if not writing.has_ended:
            writing.add(Token(byte, -0.5))
    writing.close()
    return writing, pieces


@given(st.text(st.characters(exclude_characters="\ufffd", codec="utf-8"), max_size=40))
def test_the_pieces_joined_are_the_text(text: str) -> None:
    writing, pieces = shown(text)
    assert "".join(pieces) == writing.text == text


def test_a_chinese_character_is_shown_whole() -> None:
    assert shown("年假a")[1] == ["年", "假", "a"]


def test_the_end_is_left_out_and_never_shown() -> None:
    writing, pieces = shown("yes\nQ: more", "\nQ:")
    assert writing.has_ended
    assert "".join(pieces) == writing.text == "yes"


def test_what_only_looked_like_the_end_is_shown() -> None:
    assert "".join(shown("a\nb\n", "\nQ:")[1]) == "a\nb\n"


def test_the_mean_log_probability_is_told() -> None:
    completion = shown("abc")[0].completion(7, 0.0, stopped=False)
    assert (completion.tokens, completion.prompt_tokens, completion.mean_logprob) == (3, 7, -0.5)

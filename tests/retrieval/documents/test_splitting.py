from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.documents.loaders.markup import load_markdown
from retrieval.documents.splitting import split
from retrieval.records import Document, Passage
from tests.retrieval.documents_by_hand import document_from_text

PROSE = st.text(
    st.sampled_from("ab Z.!?\n\t，。？年假员工|`#-—\u200b\u3000é😀"), min_size=1, max_size=400
)


def words(text: str) -> list[tuple[int, int]]:
    """Tokens of at most three letters; other characters stand alone, as in most vocabularies."""
    return [match.span() for match in re.finditer(r"[a-zA-Z]{1,3}|[^\sa-zA-Z]", text)]


def bytes_(text: str) -> list[tuple[int, int]]:
    """A token for each byte, so that several tokens share a character."""
    return [(i, i + 1) for i, char in enumerate(text) for _ in char.encode()]


def markdown(text: str) -> Document:
    (loaded,) = load_markdown(f"---\ntitle: Title\n---\n{text}".encode())
    return Document(document_from_text("d", "Title", text).source, loaded.sections)


def pieces(text: str, *, max_tokens: int) -> list[str]:
    found = split(markdown(text), token_spans=words, max_tokens=max_tokens)
    return [passage.text for passage in found]


def whole_text(document: Document) -> str:
    return "".join(section.text for section in document.sections)


@given(PROSE, st.integers(16, 60))
@settings(max_examples=150)
def test_passages_hold_every_visible_character_once_and_in_order(text: str, size: int) -> None:
    passages = split(document_from_text("d", "T", text), token_spans=words, max_tokens=size)
    assert "".join("".join(p.text for p in passages).split()) == "".join(text.split())


@given(PROSE, st.integers(16, 60))
@settings(max_examples=150)
def test_offsets_cut_the_passage_out_of_the_document(text: str, size: int) -> None:
    document = markdown(f"# One\n{text}\n# 二\n{text}")
    for passage in split(document, token_spans=words, max_tokens=size):
        assert whole_text(document)[passage.start : passage.end] == passage.text


@given(PROSE, st.integers(24, 60))
@settings(max_examples=150)
def test_no_passage_is_longer_than_allowed_title_and_headings_included(
    text: str, size: int
) -> None:
    document = markdown(f"# One\n{text}\n## 二\n{text}")
    for tokens in (words, bytes_):
        for passage in split(document, token_spans=tokens, max_tokens=size):
            assert len(tokens(passage.indexed_text)) <= size


def test_a_passage_never_crosses_a_heading() -> None:
    assert pieces("# A\none\n# B\ntwo", max_tokens=64) == ["one", "two"]


def test_paragraphs_are_kept_whole_where_they_fit() -> None:
    text = "aaa bbb ccc ddd\n\neee fff ggg hhh\n\niii jjj"
    assert pieces(text, max_tokens=11) == [
        "aaa bbb ccc ddd",
        "eee fff ggg hhh\n\niii jjj",
    ]


def test_a_long_paragraph_breaks_between_chinese_sentences() -> None:
    text = "员工每年有二十五天年假。病假不算在内。请提前申请。"
    assert pieces(text, max_tokens=20) == [
        "员工每年有二十五天年假。",
        "病假不算在内。请提前申请。",
    ]


def test_the_passages_of_a_section_are_about_equally_long() -> None:
    text = "\n\n".join(["aaa bbb ccc ddd"] * 7)
    assert [len(piece.split()) for piece in pieces(text, max_tokens=26)] == [16, 12]


def test_a_table_that_fits_is_not_broken() -> None:
    table = "| a | b |\n| 1 | 2 |"
    text = "one two ddd eee fff\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    assert pieces(text, max_tokens=13) == ["one two ddd eee fff", table]


def test_a_code_block_with_an_empty_line_stays_in_one_passage() -> None:
    code = "```\nfoo\n\nbar\n```"
    assert pieces(f"one two ddd eee\n\n{code}\n\nafter", max_tokens=12)[1].startswith(code)


def test_outer_headings_give_way_when_they_would_fill_the_passage() -> None:
    text = "# outer one two ddd eee\n## inner\nbody"
    (passage,) = split(markdown(text), token_spans=words, max_tokens=12)
    assert passage.headings == ("inner",)


def test_a_title_that_is_too_long_still_leaves_room_for_text() -> None:
    document = document_from_text("d", "word " * 20, "one two ddd eee fff ggg")
    passages = split(document, token_spans=words, max_tokens=8)
    assert [passage.text for passage in passages] == ["one two ddd eee", "fff ggg"]


def test_an_unchanged_section_keeps_its_hash_when_text_before_it_grows() -> None:
    before, after = (
        split(markdown(f"# A\n{text}\n# B\nsame"), token_spans=words, max_tokens=64)[-1]
        for text in ("short", "a longer text")
    )
    assert before.content_hash == after.content_hash
    assert before.id != after.id


def test_a_passage_knows_its_section() -> None:
    (passage,) = split(markdown("# A\n## B c\nbody"), token_spans=words, max_tokens=64)
    assert (passage.headings, passage.anchor) == (("A", "B c"), "b-c")
    assert passage.indexed_text == "Title > A > B c\nbody"


def test_white_space_gives_no_passage() -> None:
    no_passages: list[Passage] = []
    assert split(document_from_text("d", "T", " \n\n "), token_spans=words, max_tokens=9) == (
        no_passages
    )


def test_a_text_without_any_break_is_split_in_time_that_grows_with_its_length() -> None:
    passages = split(markdown("x" * 600_000), token_spans=words, max_tokens=32)
    assert sum(len(passage.text) for passage in passages) == 600_000


@pytest.mark.parametrize("fence", ["```", "~~~", "`````"])
def test_code_between_fences_stays_whole_with_its_empty_lines(fence: str) -> None:
    code = f"{fence}sh\nfirst a b\n\n```x\n\nsecond c d\n{fence}"
    text = f"Run this and then wait for a while:\n{code}\nAnd so on, for a while, until it is done."
    found = split(document_from_text("d", "T", text), token_spans=words, max_tokens=40)
    assert any(code in passage.text for passage in found)


def test_a_fence_that_never_ends_holds_nothing_together() -> None:
    text = "```\n" + "\n\n".join(f"Paragraph {n} has a few words." for n in range(8))
    found = split(document_from_text("d", "T", text), token_spans=words, max_tokens=30)
    assert all(passage.text.endswith("words.") for passage in found)
    assert len(found) > 2


def test_a_row_of_a_table_is_cut_only_where_it_is_too_long_itself() -> None:
    rows = [f"| Site {n} | Opens at 9. Closes at 5. |" for n in range(20)]
    text = "\n".join(rows)
    found = split(document_from_text("d", "T", text), token_spans=words, max_tokens=60)
    assert "\n".join(passage.text for passage in found) == text
    assert all(line in rows for passage in found for line in passage.text.split("\n"))


def test_an_item_stays_with_what_stands_below_it_further_in() -> None:
    items = [f"- Step {n}. Do it.\n  - First a. Then b.\n  - Last c." for n in range(12)]
    text = "\n".join(items)
    found = split(document_from_text("d", "T", text), token_spans=words, max_tokens=60)
    assert len(found) > 2
    assert all(passage.text.startswith("- Step") for passage in found)


@pytest.mark.parametrize(
    "unit", ["x", "Each has leave. ", "1.2.", "ab\n\n", "ab\n", "```\nab\n", "````\nab\n", "\n x"]
)
def test_the_work_for_passages_grows_as_the_text_does(unit: str) -> None:
    def count(size: int) -> int:
        tokenized = 0

        def token_spans(text: str) -> list[tuple[int, int]]:
            nonlocal tokenized
            tokenized += len(text)
            return words(text)

        text = unit * (size // len(unit))
        split(document_from_text("d", "T", text), token_spans=token_spans, max_tokens=64)
        return tokenized

    assert count(200_000) <= 12 * max(count(20_000), 20_000)

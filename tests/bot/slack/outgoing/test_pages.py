"""Pages of Markdown that is still being written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.slack.outgoing.pages import Pager, split_markdown

MARKDOWN = st.lists(
    st.sampled_from(
        (
            "word ",
            "年假",
            "。",
            "\n",
            "\n\n",
            "| a | b |\n",
            "|---|---|\n",
            "```\n",
            "    x\n",
            "```py\n",
        )
    ),
    max_size=80,
).map("".join)


def test_a_page_ends_where_a_paragraph_does() -> None:
    paragraph = "word " * 30
    pages = split_markdown("\n\n".join([paragraph] * 4), max_bytes=400)
    assert [len(page.split("\n\n")) for page in pages] == [2, 2]


def test_code_that_is_cut_stays_code_of_its_language_and_keeps_its_indentation() -> None:
    text = "```python\n" + "    x = 1\n" * 100 + "```\nThat is all."
    pages = split_markdown(text, max_bytes=200)
    assert all(page.count("```") == 2 and len(page) <= 200 for page in pages)
    assert all(page.startswith("```python\n    x = 1") for page in pages)
    assert pages[-1].endswith("```\nThat is all.")


def test_a_table_that_is_cut_has_its_header_on_every_page() -> None:
    text = "| Day | Hours |\n|---|---|\n" + "| Monday | 8 |\n" * 60
    pages = split_markdown(text, max_bytes=300)
    assert len(pages) > 2
    assert all(page.startswith("| Day | Hours |\n|---|---|\n| Monday") for page in pages)
    assert sum(page.count("Monday") for page in pages) == 60


def test_chinese_without_a_single_space_is_cut_after_punctuation() -> None:
    pages = split_markdown("每位员工每年有三十天带薪年假。" * 40, max_bytes=300)
    assert all(page.endswith("。") and len(page.encode()) <= 300 for page in pages)


@given(st.text(alphabet="ab \n。", max_size=400), st.integers(20, 60))
def test_pages_are_short_enough_and_lose_no_word(text: str, max_bytes: int) -> None:
    pages = split_markdown(text, max_bytes=max_bytes)
    assert all(0 < len(page.encode()) <= max_bytes for page in pages)
    if text.strip():
        assert "".join("".join(pages).split()) == "".join(text.split())


def test_what_looked_like_the_end_of_code_and_goes_on_is_still_closed_on_its_page() -> None:
    text = "word " * 6 + "年假年假年假年假| a | b |\n    x\n```py\n年假年假```py\n```py\n"
    pages = split_markdown(text, max_bytes=100)
    assert all(len(page.encode()) <= 100 for page in pages)
    assert pages[0].endswith("\n```")


@given(MARKDOWN, st.data())
def test_pages_only_grow_and_do_not_depend_on_the_pieces(text: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text)))
    pager = Pager(max_bytes=100)
    pager.feed(text[:cut])
    earlier = list(pager.pages)
    pager.feed(text[cut:])
    whole = Pager(max_bytes=100)
    whole.feed(text)
    assert pager.pages == whole.pages
    assert all(len(page.encode()) <= 100 for page in pager.pages)
    assert pager.pages[: len(earlier) - 1] == earlier[:-1]
    assert pager.pages[len(earlier) - 1].startswith(earlier[-1])

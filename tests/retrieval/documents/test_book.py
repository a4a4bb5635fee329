from __future__ import annotations

import pytest

from retrieval.documents.loaders.blocks import Loaded
from tests.retrieval import sample_files as sample
from tests.retrieval.documents.test_loaders import read, reason, texts

LINKS = "<ul><li><a href='https://x.test/a'>Portal</a></li><li><a href='b.xhtml'>Form</a></li></ul>"


def book(*chapters: str, contents: str = "", **files: str) -> Loaded:
    return read("a.epub", sample.book(chapters, contents=contents, **files))


def test_chapters_are_read_in_their_order_with_their_headings() -> None:
    loaded = book("<h1>One</h1><p>R&amp;D</p>", "<h1>Two</h1><h2>Part</h2><p>b</p>")
    assert [(s.headings, s.text.strip()) for s in loaded.sections] == [
        (("One",), "R&D"),
        (("Two", "Part"), "b"),
    ]


def test_a_chapter_of_links_alone_is_read() -> None:
    loaded = book("<h1>One</h1><p>a</p>", f"<h1>See also</h1>{LINKS}")
    assert "Portal" in texts(loaded)[1]
    assert "Form" in texts(loaded)[1]


def test_a_chapter_without_a_heading_has_that_of_the_contents() -> None:
    contents = "<nav><ol><li><a href='c1.xhtml#top'>Leave</a></li></ol></nav>"
    loaded = book("<h1>One</h1><p>a</p>", "<p>25 days</p>", contents=contents)
    assert [s.headings for s in loaded.sections] == [("One",), ("Leave",)]


@pytest.mark.parametrize("chapter", ["<title/><p>Words</p>", "<p><a id='x'/>Words</p>"])
def test_elements_that_are_closed_at_once_hide_nothing(chapter: str) -> None:
    assert texts(book(chapter)) == ["Words"]


def test_notes_that_stand_aside_are_read() -> None:
    assert texts(book("<p>Fee: 5.</p><aside>Since May.</aside>")) == ["Fee: 5.\n\nSince May."]


def test_a_chapter_that_is_not_there_is_missing() -> None:
    assert book("<p>a</p>", "").gaps == ("1 chapter that is not in the file",)


def test_a_protected_book_is_refused() -> None:
    data = sample.book(["<p>a</p>"], encryption='<x URI="c0.xhtml"/>')
    assert reason("a.epub", data) == "is protected against copying"

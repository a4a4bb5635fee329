from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from retrieval.answering.outline import outline
from retrieval.records import Hit, Passage
from tests.fakes import passage

LEAVING = {
    (): "This book says how we work.",
    ("Leaving",): "Tell your lead four weeks ahead. Then take these steps.",
    ("Leaving", "1. The form"): "Fill in the form in the portal.",
    ("Leaving", "2. The talk"): "Talk to the people team.",
    ("Values",): "",
    ("Values", "Kindness"): "We assume that others mean well.",
    ("Values", "Small steps"): "We ship the smallest change.\nThen we look at it.",
    ("Values", "Writing"): "| Where | What |\n| --- | --- |\n| tracker | decisions |",
}
BOOK = [
    replace(passage("Book", text), id="/".join(headings), headings=headings)
    for headings, text in LEAVING.items()
    if text
]


def under(one: Passage, depth: int) -> Sequence[Passage]:
    return [other for other in BOOK if other.headings[:depth] == one.headings[:depth]]


def outlined(query: str, *hits: str, max_chars: int = 1_500) -> list[tuple[str, str]]:
    found = {one.id: Hit(one, 1.0) for one in BOOK}
    sections = outline(query, [found[hit] for hit in hits], under, max_chars=max_chars)
    return [
        (section.heading, "\n".join(section.passage.text[a:b] for a, b in section.lines))
        for section in sections
    ]


def test_what_leads_in_to_sections_is_said_with_them() -> None:
    assert outlined("how do I leave?", "Leaving", "Leaving/1. The form") == [
        ("", LEAVING["Leaving",]),
        ("1. The form", "Fill in the form in the portal."),
        ("2. The talk", "Talk to the people team."),
    ]


@pytest.mark.parametrize("query", ["What are our values?", "give me a list of the values"])
def test_a_question_for_all_that_stands_below_a_heading_gets_it_in_order(query: str) -> None:
    headings = [heading for heading, _ in outlined(query, "Values/Small steps", "Values/Kindness")]
    assert headings == ["Kindness", "Small steps", "Writing"]


@pytest.mark.parametrize(
    ("query", "hits"),
    [
        ("what do small steps mean among our values?", ("Values/Small steps", "Values/Kindness")),
        ("what are the rules for visitors?", ("Values/Small steps", "Values/Kindness")),
        ("what are our values?", ("Values/Small steps", "Leaving", "")),
        ("what are the rules of the book?", ("",)),
    ],
    ids=["of a part", "of something else", "found elsewhere", "of a section of the document"],
)
def test_other_questions_get_no_outline(query: str, hits: Sequence[str]) -> None:
    assert outlined(query, *hits) == []


def test_of_steps_all_are_said() -> None:
    found = outlined("how do I hand in my notice?", "Leaving/2. The talk", "Leaving")
    headings = [heading for heading, _ in found]
    assert headings == ["1. The form", "2. The talk"]


@pytest.mark.parametrize("numbers", [("3.2.1.", "3.2.2."), ("1.", "2."), ("1)", "2)")])
def test_numbered_sections_that_nothing_announces_as_steps_are_no_outline(
    numbers: Sequence[str],
) -> None:
    parts = [
        replace(BOOK[0], id=name, headings=("3. Duties", f"{number} {name}"))
        for number, name in zip(numbers, ("Keys", "Holidays"), strict=True)
    ]
    hits = [Hit(part, 1.0) for part in parts]
    assert outline("whom do I tell of holidays?", hits, lambda *_: parts, max_chars=900) == []


def test_sections_that_say_step_are_steps() -> None:
    parts = [
        replace(BOOK[0], id=name, headings=("Visits", f"Step {n}: {name}"))
        for n, name in enumerate(("Badge", "Host"), start=1)
    ]
    hits = [Hit(part, 1.0) for part in parts[1:]]
    assert len(outline("who meets a visitor?", hits, lambda *_: parts, max_chars=900)) == 2


def test_a_document_that_has_the_name_of_what_is_asked_for_is_outlined() -> None:
    title = replace(BOOK[0], id="title", headings=("Values",))
    title = replace(title, source=replace(title.source, title="Values"))
    parts = [replace(title, id=name, headings=("Values", name)) for name in ("Kindness", "Care")]
    document = [title, *parts]
    hits = [Hit(part, 1.0) for part in document]
    for query, count in (("what are our values?", 3), ("what are the fees?", 0)):
        found = outline(query, hits[:1], lambda *_: document, max_chars=900)
        assert len(found) == count


def test_a_whole_document_is_outlined_if_its_overview_is_asked_for() -> None:
    headings = [heading for heading, _ in outlined("summary of the book", "")]
    assert headings == ["", "Leaving", "Values"]


@pytest.mark.parametrize(
    "query", ["how do I get on the values mailing list", "how do values options vest"]
)
def test_a_word_that_only_sounds_like_it_asks_for_no_list(query: str) -> None:
    assert outlined(query, "Values/Small steps", "Values/Kindness") == []


def test_a_long_paragraph_is_begun_with_its_first_sentences() -> None:
    long = " ".join(f"Sentence number {n} says a little more." for n in range(99))
    parts = [replace(passage("Book", long), id=name, headings=("Rules", name)) for name in "abc"]
    hits = [Hit(part, 1.0) for part in parts]
    sections = outline("what are the rules?", hits, lambda *_: parts, max_chars=300)
    for section in sections:
        ((start, end),) = section.lines
        assert section.passage.text[start:end].endswith("more.")
        assert end - start <= 100
        assert section.goes_on


def test_long_sections_are_begun_and_tables_stay_whole() -> None:
    assert outlined("what are our values?", "Values/Kindness", "Values/Writing", max_chars=100) == [
        ("Kindness", "We assume that others mean well."),
        ("Small steps", "We ship the smallest change."),
        ("Writing", LEAVING["Values", "Writing"]),
    ]
    sections = outline(
        "what are our values?", [Hit(BOOK[-1], 1.0), Hit(BOOK[-2], 1.0)], under, max_chars=100
    )
    assert [section.goes_on for section in sections] == [False, True, False]

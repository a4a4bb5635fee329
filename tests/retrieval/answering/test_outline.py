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


def test_a_whole_document_is_outlined_if_its_overview_is_asked_for() -> None:
    headings = [heading for heading, _ in outlined("summary of the book", "")]
    assert headings == ["", "Leaving", "Values"]


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

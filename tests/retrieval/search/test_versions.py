from __future__ import annotations

import pytest

from retrieval.search.versions import superseded
from tests.retrieval.documents_by_hand import document_from_text


def old_of(*titles: str, query: str = "hotel limit") -> set[str]:
    sources = [document_from_text(title, title, "x").source for title in titles]
    return {source.id for source in superseded(sources, query)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Travel policy 2023", "Travel Policy (2025 edition)"),
        ("travel-policy-2023", "2025 Travel Policy"),
        ("Expenses_v3", "Expenses_v4_FINAL"),
        ("Security v2.1", "Security, version 3"),
        ("请假制度（2022版）", "请假制度2025"),
    ],
)
def test_of_two_titles_that_differ_by_their_version_the_lower_is_superseded(
    old: str, new: str
) -> None:
    assert old_of(old, new) == old_of(new, old) == {old}


@pytest.mark.parametrize(
    "titles",
    [
        ("Travel policy 2023", "Travel policy"),
        ("Travel policy 2023", "Expenses 2025"),
        ("Minutes 2025-05-06", "Minutes 2025-04-22"),
        ("Minutes of 6 May 2025", "Minutes of 22 April 2025"),
        ("Town hall Q1 2025", "Town hall Q2 2025"),
        ("2023", "2025"),
    ],
)
def test_what_tells_of_other_things_or_days_supersedes_nothing(titles: tuple[str, ...]) -> None:
    assert old_of(*titles) == set()


def test_a_version_that_is_asked_for_is_not_superseded() -> None:
    assert old_of("Travel 2023", "Travel 2025", query="hotel limit 2023") == set()
    assert old_of("Travel 2023", "Travel 2025", query="hotel limit 2025") == {"Travel 2023"}

"""A data set's examples, found again in an index: which questions belong to which passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.examples import Example
from retrieval.records import Passage


@dataclass(frozen=True, slots=True)
class Lesson:
    """A question and the rows of the passages that answer it; no rows if nothing does."""

    question: str
    language: str
    rows: tuple[int, ...]


def lessons(examples: Sequence[Example], passages: Sequence[Passage]) -> list[Lesson]:
    """One lesson for each question that pairs name, or that is to be declined.

    Pairs whose passage is in the index no longer teach nothing, and are left out.
    """
    places: dict[str, list[int]] = {}
    for row, passage in enumerate(passages):
        places.setdefault(passage.content_hash, []).append(row)
    taught: dict[tuple[str, str], set[int]] = {}
    for example in examples:
        key = (example.question, example.language)
        if example.kind == "pair" and example.passages:
            found = places.get(example.passages[0].content_hash, [])
            if found:
                taught.setdefault(key, set()).update(found)
        elif example.kind == "answer" and not example.is_good:
            taught.setdefault(key, set())
    return [Lesson(*key, tuple(sorted(rows))) for key, rows in taught.items()]


def answerable(all_: Sequence[Lesson]) -> list[Lesson]:
    """The lessons that have a passage."""
    return [lesson for lesson in all_ if lesson.rows]

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bot.export.corpus import passage_text
from bot.export.synthetic import NEGATIVES, questions_of, synthesise
from retrieval.records import Completion, Hit, Passage, Source

SUBJECTS = ("leave", "travel", "parking", "laptops", "badges", "canteen", "printers", "visitors")


def passage(subject: str, n: int = 0, *, heading: str = "", audience: str = "public") -> Passage:
    source = Source(
        f"{subject}.md", subject.title(), "", "en", "", "2026-01-02T00:00:00+00:00", None, audience
    )
    text = f"Everyone may ask for {subject} number {n} at the front desk."
    digest = f"{sum(map(ord, subject)) * 7919 + n:08x}{n}"
    return Passage(f"{subject}{n}", source, text, 0, len(text), (heading,), None, None, digest)


class WordSearcher:
    """Orders passages by the words that they share with the query."""

    def __init__(self, passages: list[Passage]) -> None:
        self._passages = passages

    def search(self, query: str, *, k: int) -> list[Hit]:
        asked = set(query.lower().split())
        hits = [
            Hit(passage, len(asked & set(passage.indexed_text.lower().split())))
            for passage in self._passages
        ]
        return sorted(hits, key=lambda hit: -hit.score)[:k]


PASSAGES = [passage(subject, n) for subject in SUBJECTS for n in range(3)]


def test_a_kept_question_finds_its_passage_and_has_hard_negatives() -> None:
    examples = synthesise(PASSAGES, WordSearcher(PASSAGES), 10)
    assert len(examples) == 10
    for example in examples:
        assert example.source == "synthetic"
        assert len(example.passages) == 1 + NEGATIVES
        assert len({passage.content_hash for passage in example.passages}) == 1 + NEGATIVES
        found = WordSearcher(PASSAGES).search(example.question, k=10)
        assert example.passages[0] in [passage_text(hit.passage) for hit in found]


def test_a_question_that_does_not_find_its_passage_is_dropped() -> None:
    elsewhere = [passage("windows", n) for n in range(20)]
    assert synthesise(PASSAGES, WordSearcher(elsewhere), 10) == []


def test_restricted_documents_are_not_asked_about() -> None:
    secret = [passage("salaries", n, audience="hr") for n in range(3)]
    assert synthesise(secret, WordSearcher(secret), 3) == []


def test_the_same_index_gives_the_same_questions() -> None:
    backwards = PASSAGES[::-1]
    one, other = (
        synthesise(passages, WordSearcher(PASSAGES), 9) for passages in (PASSAGES, backwards)
    )
    assert one == other


@pytest.mark.parametrize("heading", ["How do I get a badge?", "如何申请门禁卡？", "What is Heron"])
def test_a_heading_that_asks_is_the_question(heading: str) -> None:
    assert next(questions_of(passage("badges", heading=heading))) == heading


def test_title_and_text_of_a_passage_are_what_is_embedded() -> None:
    one = passage("badges", heading="Lost badges")
    assert f"{passage_text(one).title}\n{passage_text(one).text}" == one.indexed_text


class Parrot:
    """Asks what the first words of the passage say, or repeats them."""

    def __init__(self, end: str) -> None:
        self.end = end

    def generate(self, messages: Sequence[tuple[str, str]], *, max_tokens: int) -> Completion:
        words = messages[-1][1].splitlines()[-1].split()[:max_tokens]
        return Completion(" ".join(words) + self.end, len(words), 0, 0.0, 0.0)


def test_a_generator_asks_the_questions() -> None:
    examples = synthesise(PASSAGES, WordSearcher(PASSAGES), 5, generator=Parrot(" why?\nBecause."))
    assert len(examples) == 5
    assert all(example.question.endswith("front desk. why?") for example in examples)


def test_what_is_no_question_is_made_from_the_text_instead() -> None:
    plain = synthesise(PASSAGES, WordSearcher(PASSAGES), 5)
    assert synthesise(PASSAGES, WordSearcher(PASSAGES), 5, generator=Parrot("")) == plain

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.answering.sections import SECTION_PASSAGES, whole_sections
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.index.searcher import Searcher
from retrieval.records import Hit
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder

STEPS = "\n\n".join(
    f"{n}. Turn the valve number {n} slowly to the left side now." for n in range(1, 10)
)


@pytest.fixture
def searcher(tmp_path: Path) -> Searcher:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "pump.md").write_text(f"# Pump\n\n## Start\n\n{STEPS}\n\n## Stop\n\nPull the lever.\n")
    (docs / "crane.md").write_text("# Crane\n\nThe crane lifts nine tons of cargo.\n")
    settings = Settings(home=tmp_path / "home", passage_tokens=40)
    update_index([docs], settings, WordEmbedder())
    return Library(settings, WordEmbedder()).searcher()


def hits_of(searcher: Searcher, *texts: str) -> list[Hit]:
    found = [
        next(passage for passage in searcher.index.passages if text in passage.text)
        for text in texts
    ]
    return [Hit(passage, 1.0 / n) for n, passage in enumerate(found, start=1)]


def read(searcher: Searcher, hits: list[Hit], *, max_tokens: int = 10_000) -> list[str]:
    kept = whole_sections(
        hits, searcher, count_tokens=lambda t: len(t.split()), max_tokens=max_tokens
    )
    return [hit.passage.text for hit in kept]


def test_a_procedure_is_given_whole_and_in_order(searcher: Searcher) -> None:
    texts = read(searcher, hits_of(searcher, "number 5", "crane lifts"))
    assert re.findall(r"number (\d)", " ".join(texts[:-1])) == list("123456789")
    assert texts[-1].startswith("The crane")


def test_hits_of_one_section_come_together(searcher: Searcher) -> None:
    hits = hits_of(searcher, "number 8", "crane lifts", "number 1")
    texts = read(searcher, hits, max_tokens=0)
    assert ["number 1" in texts[0], "number 8" in texts[1]] == [True, True]
    assert len(texts) == 3


def test_another_section_is_not_joined(searcher: Searcher) -> None:
    assert read(searcher, hits_of(searcher, "lever")) == ["Pull the lever."]


def test_a_long_section_is_not_given_without_end(searcher: Searcher) -> None:
    (hit,) = hits_of(searcher, "number 5")
    assert len(searcher.around(hit.passage, most=2)) == 2
    assert hit.passage in searcher.around(hit.passage, most=SECTION_PASSAGES)


def test_what_stands_below_a_heading_is_found_in_reading_order(searcher: Searcher) -> None:
    (lever,) = hits_of(searcher, "lever")
    assert searcher.under(lever.passage, 2) == [lever.passage]
    whole = searcher.under(lever.passage, 1)
    assert whole[-1] == lever.passage
    assert re.findall(r"number (\d)", " ".join(one.text for one in whole)) == list("123456789")
    stranger = replace(lever.passage, id="of another index")
    assert searcher.under(stranger, 0) == [stranger]


def test_the_sections_below_what_leads_in_to_them_are_given_with_it(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    parts = "".join(f"### Part {n}\n\nTurn valve {n}.\n\n" for n in range(1, 4))
    (docs / "pump.md").write_text(f"# Pump\n\n## Start\n\nTake these steps.\n\n{parts}")
    settings = Settings(home=tmp_path / "home")
    update_index([docs], settings, WordEmbedder())
    searcher = Library(settings, WordEmbedder()).searcher()
    texts = read(searcher, hits_of(searcher, "these steps"))
    assert texts == ["Take these steps.", "Turn valve 1.", "Turn valve 2.", "Turn valve 3."]

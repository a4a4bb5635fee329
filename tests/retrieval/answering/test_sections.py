from __future__ import annotations

import re
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

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.examples import Example, PassageText, write_examples
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.settings import Settings
from tests.retrieval.llm.tiny_models import save_causal
from tests.retrieval.word_embedder import WordEmbedder

TOPICS = [f"{first}{last}" for first in ("north", "south", "east") for last in
          ("pier", "lamp", "boat", "rope", "gull", "tide", "dock", "wall")]  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Documents, and a home folder with a model so small that it writes nothing of use."""
    home = tmp_path_factory.mktemp("home")
    docs = home / "docs"
    docs.mkdir()
    for number, topic in enumerate(TOPICS):
        text = f"# {topic.title()}\n\nThe {topic} is painted every {number + 11} days.\n"
        (docs / f"{topic}.md").write_text(text, encoding="utf-8")
    model = save_causal(home / "model")
    settings = Settings(
        home=home, generator=str(model), device="cpu", threads=1, hits=1, answer_tokens=40
    )
    update_index([docs], settings, WordEmbedder())
    return Library(settings, WordEmbedder())


def example(library: Library, topic: str) -> Example:
    passages = library.searcher().index.passages
    passage = next(passage for passage in passages if passage.source.title == topic.title())
    return Example(
        id=topic, kind="answer", question=f"How often is the {topic} painted?", language="en",
        passages=(PassageText("d", passage.content_hash, "", passage.text),), source="approved",
        day="2026-01-31", answer=passage.text.strip().split("\n")[-1],
    )  # fmt: skip


@pytest.fixture(scope="module")
def dataset(library: Library) -> Path:
    """Approved answers, votes, and answers of experts to be tried on."""
    folder = library.settings.home / "dataset" / "1234"
    folder.mkdir(parents=True)
    known = [example(library, topic) for topic in TOPICS]
    votes = [
        replace(passage, kind="judgement", is_good=number % 2 == 0)
        for number, passage in enumerate(known[:8])
    ]
    write_examples(folder, "train", [*known[:16], *votes])
    write_examples(folder, "dev", [])
    write_examples(folder, "held-out", known)
    return folder

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.errors import IndexNotFoundError
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.serving.installation import Installation
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder

LEAVE = "# Leave\n\nEvery keeper has 27 days of paid leave a year.\n"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "leave.md").write_text(LEAVE)
    settings = Settings(home=tmp_path / "home")
    embedder = WordEmbedder()
    update_index([tmp_path / "docs"], settings, embedder)
    return Library(settings, embedder)


def test_it_tells_models_documents_and_generations(library: Library) -> None:
    holdings = Installation(library)
    served, previous = holdings.generations()
    assert holdings.models() == {"embedder": "words"}
    assert [source.id for source in holdings.sources()] == ["docs/leave.md"]
    assert (served.documents, previous) == (1, None)
    assert holdings.embedder is library.embedder


def test_a_rollback_is_seen_by_the_next_question(library: Library, tmp_path: Path) -> None:
    (tmp_path / "docs" / "leave.md").write_text(LEAVE.replace("27", "28"))
    update_index((), Settings(home=tmp_path / "home"), WordEmbedder())
    assert "28 days" in library.searcher().index.passages[0].text
    done = Installation(library).rollback(reason="better")
    assert done.changes is not None
    assert done.changes.changed == ("docs/leave.md",)
    assert "27 days" in library.searcher().index.passages[0].text


def test_there_must_be_something_to_roll_back_to(library: Library) -> None:
    with pytest.raises(IndexNotFoundError, match="no other generation"):
        Installation(library).rollback(reason="better")

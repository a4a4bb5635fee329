from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.answering.answerer import Answerer
from retrieval.errors import IndexNotFoundError
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.records import AnswerRequest
from retrieval.serving.installation import Installation
from retrieval.settings import Settings
from tests.retrieval.answering.test_answerer import ALWAYS
from tests.retrieval.word_embedder import WordEmbedder

LEAVE = "# Leave\n\nEvery keeper has 27 days of paid leave a year.\n"


@pytest.fixture
def answerer(tmp_path: Path) -> Answerer:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "leave.md").write_text(LEAVE)
    settings = Settings(home=tmp_path / "home")
    embedder = WordEmbedder()
    update_index([tmp_path / "docs"], settings, embedder)
    return Answerer(Library(settings, embedder), ALWAYS, settings)


def test_it_tells_models_documents_and_generations(answerer: Answerer) -> None:
    holdings = Installation(answerer.library, answerer.models)
    served, previous = holdings.generations()
    assert holdings.models() == answerer.models()
    assert [source.id for source in holdings.sources()] == ["docs/leave.md"]
    assert (served.documents, previous) == (1, None)
    assert holdings.embedder is answerer.library.embedder


def test_a_rollback_is_seen_by_the_next_question(answerer: Answerer, tmp_path: Path) -> None:
    request = AnswerRequest("How many days of paid leave a year?")
    (tmp_path / "docs" / "leave.md").write_text(LEAVE.replace("27", "28"))
    update_index((), Settings(home=tmp_path / "home"), WordEmbedder())
    assert "28 days" in answerer.answer(request).text
    done = Installation(answerer.library).rollback(reason="better")
    assert done.changes.changed == ("docs/leave.md",)
    assert "27 days" in answerer.answer(request).text


def test_there_must_be_something_to_roll_back_to(answerer: Answerer) -> None:
    with pytest.raises(IndexNotFoundError, match="no other generation"):
        Installation(answerer.library).rollback(reason="better")

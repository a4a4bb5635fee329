from __future__ import annotations

from pathlib import Path

import pytest

from bot.review.document_lookup import LibraryDocumentLookup
from bot.store.turns import DocumentRef
from retrieval.answering.answerer import Answerer
from retrieval.errors import IndexNotFoundError
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.settings import Settings
from tests.retrieval.answering.test_answerer import ALWAYS
from tests.retrieval.word_embedder import WordEmbedder


def shelf_of(settings: Settings) -> LibraryDocumentLookup:
    return LibraryDocumentLookup(Answerer(Library(settings, WordEmbedder()), ALWAYS, settings))


def test_a_passage_is_found_until_its_document_changes(tmp_path: Path) -> None:
    page, settings = tmp_path / "docs" / "leave.md", Settings(home=tmp_path / "home")
    page.parent.mkdir()
    page.write_text("# Leave\n\nEverybody has 30 days of leave.")
    update_index([page.parent], settings, WordEmbedder())
    shelf = shelf_of(settings)
    (first,) = Library(settings, WordEmbedder()).searcher().index.passages
    document, generation = DocumentRef(first.source.id, first.content_hash), shelf.generation
    assert shelf.find(document) == first
    page.write_text("# Leave\n\nEverybody has 31 days of leave.")
    update_index((), settings, WordEmbedder())
    assert shelf.find(document) is None
    assert shelf.generation != generation


def test_a_shelf_names_what_it_works_with(tmp_path: Path) -> None:
    shelf = shelf_of(Settings(home=tmp_path))
    assert (shelf.embedder.id, shelf.generator) == ("words", "none")
    with pytest.raises(IndexNotFoundError):
        _ = shelf.generation

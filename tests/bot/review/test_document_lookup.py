from __future__ import annotations

from pathlib import Path

import pytest

from bot.review.document_lookup import DocumentLookup
from bot.store.turns import DocumentRef
from retrieval.errors import IndexNotFoundError
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.serving.live import Live
from retrieval.serving.model_loader import InstalledModels
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder


def lookup_of(settings: Settings) -> DocumentLookup:
    quoting = settings.model_copy(update={"generator": "none"})
    return DocumentLookup(Live(quoting, Library(quoting, WordEmbedder()), InstalledModels(quoting)))


def test_a_passage_is_found_until_its_document_changes(tmp_path: Path) -> None:
    page, settings = tmp_path / "docs" / "leave.md", Settings(home=tmp_path / "home")
    page.parent.mkdir()
    page.write_text("# Leave\n\nEverybody has 30 days of leave.")
    update_index([page.parent], settings, WordEmbedder())
    documents = lookup_of(settings)
    (first,) = Library(settings, WordEmbedder()).searcher().index.passages
    document, before = DocumentRef(first.source.id, first.content_hash), documents.held()
    assert before.passages == {document: first}
    page.write_text("# Leave\n\nEverybody has 31 days of leave.")
    update_index((), settings, WordEmbedder())
    assert document not in documents.held().passages
    assert documents.held().generation != before.generation
    assert before.passages == {document: first}


def test_a_lookup_names_what_it_works_with(tmp_path: Path) -> None:
    documents = lookup_of(Settings(home=tmp_path))
    assert (documents.embedder.id, documents.generator) == ("words", "none")
    with pytest.raises(IndexNotFoundError):
        documents.held()

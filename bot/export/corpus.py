"""The passages as they are now, by which examples are made and outdated ones retired."""

from __future__ import annotations

from collections.abc import Sequence

from bot.export.building import ExportCorpus
from bot.export.log_reader import imported_passages
from bot.export.recognition import recognised
from bot.store.database import Database
from retrieval.errors import IndexNotFoundError
from retrieval.examples import PassageText
from retrieval.index.store import index_store
from retrieval.records import PUBLIC, Passage
from retrieval.settings import Settings


def read_indexed(settings: Settings) -> Sequence[Passage]:
    """The passages that are served; none where nothing is."""
    try:
        return index_store(settings).passages()
    except IndexNotFoundError:
        return ()


def load_corpus(passages: Sequence[Passage], database: Database) -> ExportCorpus:
    """What is indexed, and what came with imported ratings of documents that are not indexed.

    An imported passage whose words are indexed, in other pieces, stands for the piece that has
    most of them.
    """
    known = {passage.content_hash: passage for passage in passages}
    indexed = {passage.source.id for passage in passages}
    imported = {
        digest: snippet
        for digest, snippet in imported_passages(database).items()
        if snippet.document_id not in indexed and digest not in known
    }
    found = known | recognised(imported, passages)
    public = {digest for digest, passage in found.items() if passage.source.audience == PUBLIC}
    return ExportCorpus(
        passages=imported | {digest: passage_text(passage) for digest, passage in found.items()},
        public=frozenset(public | (imported.keys() - found.keys())),
    )


def passage_text(passage: Passage) -> PassageText:
    """A passage as examples hold it: title, line break and text are what is embedded."""
    trail = passage.indexed_text.removesuffix(passage.text).strip()
    return PassageText(passage.source.id, passage.content_hash, trail, passage.text)

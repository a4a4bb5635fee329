"""Documents written down in a test instead of read from files."""

from __future__ import annotations

import hashlib

from retrieval.documents.loaders.blocks import one_line
from retrieval.language import language_of
from retrieval.records import PUBLIC, Document, Section, Source


def document_from_text(
    id: str,  # noqa: A002 - the field's name
    title: str,
    text: str,
    *,
    url: str | None = None,
    language: str | None = None,
    audience: str = PUBLIC,
) -> Document:
    """A document of one section whose text is taken as it is, without any Markdown."""
    source = Source(
        id=id,
        title=one_line(title),
        path=id,
        language=language or language_of(text),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        modified="",
        url=url,
        audience=audience,
    )
    return Document(source, (Section(text, 0),) if text.strip() else ())

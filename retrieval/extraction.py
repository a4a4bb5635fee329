"""The sentences of the hits that answer a question, word for word."""

from __future__ import annotations

from collections.abc import Sequence

from retrieval.citations import Window, windows
from retrieval.embedding import Embedder
from retrieval.records import Citation, Hit

_PASSAGES = 3
"""Only the best hits are read: each costs an embedding of all its sentences."""
_SENTENCES = 3


def extract(query: str, hits: Sequence[Hit], embedder: Embedder) -> Citation | None:
    """The run of one to three sentences closest to the query, as a citation of itself.

    Runs compete by the cosine of query and run; the run's title and headings are embedded with
    it, as in the index. None where the hits have no text.
    """
    found = [
        window for hit in hits[:_PASSAGES] for window in windows(hit.passage, sentences=_SENTENCES)
    ]
    if not found:
        return None
    vectors = embedder.embed_passages([_in_place(window) for window in found])
    cosines = (vectors @ embedder.embed_query(query).T).ravel()
    best = found[int(cosines.argmax())]
    return Citation(1, best.passage, best.quote, 1.0)


def _in_place(window: Window) -> str:
    passage = window.passage
    return "\n".join(
        filter(None, [" > ".join((passage.source.title, *passage.headings)), window.quote])
    )

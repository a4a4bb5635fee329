"""Scores a question against each passage together, with a cross-encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrieval.models.catalogue import resolve
from retrieval.models.endpoint import endpoint_of, is_endpoint
from retrieval.models.loading import hide_progress_bars, loading
from retrieval.records import Passage
from retrieval.registry.runs import MODEL, Run, base_of, folder_of, serving, verify
from retrieval.settings import Settings


class Reranker:
    """A cross-encoder of sentence-transformers, in a folder."""

    def __init__(self, name: str, *, device: str | None = None) -> None:
        from sentence_transformers import CrossEncoder

        self.id = name
        hide_progress_bars()
        with loading("reranker", name):
            self._model: Any = CrossEncoder(name, device=device)

    def scores(self, query: str, passages: Sequence[Passage]) -> list[float]:
        """One score for each passage, higher where it suits the query better."""
        if not passages:
            return []
        pairs = [(query, passage.indexed_text) for passage in passages]
        return [float(score) for score in self._model.predict(pairs, show_progress_bar=False)]


def load_reranker(settings: Settings, *, run: Run | None = None) -> Reranker | None:
    """The reranker of a run or else the one that serves: published, or configured, or None.

    Raises:
        ModelNotFoundError: If the configured one leads nowhere.
        ModelCorruptError: If it cannot be loaded, or is not what was written.
    """
    home = settings.runs_folder
    learned = run or serving(home, "reranker")
    if learned is None:
        return _configured(settings.reranker, settings) if settings.reranker else None
    verify(home, learned)
    reranker = Reranker(str(folder_of(home, learned) / MODEL))
    reranker.id = f"{base_of(learned.facts.base)}+{learned.id}"
    return reranker


def _configured(name: str, settings: Settings) -> Reranker:
    if is_endpoint(name):
        from retrieval.search.remote_reranking import RemoteReranker

        return RemoteReranker(endpoint_of("reranker", settings))
    reranker = Reranker(str(resolve(name, models_folder=settings.models_folder).path))
    reranker.id = name
    return reranker

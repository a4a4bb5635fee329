"""Loads the models that play a part in an answer: those that serve, or those of a given run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from retrieval.answering.answerer import Answerer
from retrieval.answering.judge import Judge, load_judge
from retrieval.answering.support_readers import load_support_reader
from retrieval.index.library import Library
from retrieval.index.served_embedder import load_embedder, load_run
from retrieval.models.loading import loading
from retrieval.progress import Tell
from retrieval.registry.runs import Run
from retrieval.search.embedding import Embedder
from retrieval.search.reranking import Reranker, load_reranker
from retrieval.settings import Settings

if TYPE_CHECKING:
    from retrieval.llm.generator import Generator


class ModelLoader(Protocol):
    """Loads each model: the one that serves now, or a run's.

    All of it raises RetrievalError if there is no such model or it cannot be loaded.
    """

    def generator(self, run: Run | None = None) -> Generator | None:
        """What writes answers; None if documents are only quoted."""

    def judge(self, embedder: Embedder, run: Run | None = None) -> Judge:
        """What judges the hits of the embedder."""

    def reranker(self, run: Run | None = None) -> Reranker | None:
        """What puts hits into their last order, if anything does."""

    def retriever(self, run: Run) -> Embedder:
        """What a run searches with."""


class InstalledModels:
    """The models of an installation."""

    def __init__(
        self, settings: Settings, *, on_progress: Tell | None = None, writes_late: bool = False
    ) -> None:
        self._settings = settings
        self._on_progress = on_progress
        self._writes_late = writes_late

    def generator(self, run: Run | None = None) -> Generator | None:
        """The generator; `none` in the settings is not loaded, whatever was learned."""
        if self._settings.generator == "none":
            return None
        from retrieval.llm.generator import load_generator
        from retrieval.llm.late_generator import load_late

        with loading("generator", self._settings.generator):
            if self._writes_late and run is None:
                return load_late(self._settings, on_progress=self._on_progress)
            return load_generator(self._settings, run=run, on_progress=self._on_progress)

    def judge(self, embedder: Embedder, run: Run | None = None) -> Judge:
        """As `ModelLoader.judge`."""
        return load_judge(self._settings.models_folder, embedder, run=run)

    def reranker(self, run: Run | None = None) -> Reranker | None:
        """As `ModelLoader.reranker`."""
        return load_reranker(self._settings, run=run)

    def retriever(self, run: Run) -> Embedder:
        """As `ModelLoader.retriever`."""
        return load_run(self._settings, run, on_progress=self._on_progress)


def load_answerer(
    settings: Settings,
    *,
    library: Library | None = None,
    on_progress: Tell | None = None,
    writes_late: bool = False,
) -> Answerer:
    """Load the models that serve and the index, unless a library is given.

    The generator `none` is not loaded: then the documents are only quoted. With `writes_late` a
    generator is not loaded before there is something to write.

    Raises:
        IndexNotFoundError: If no index was built yet.
    """
    models = InstalledModels(settings, on_progress=on_progress, writes_late=writes_late)
    library = library or Library.load(settings, load_embedder(settings, on_progress=on_progress))
    searcher = library.searcher()
    judge = models.judge(searcher.embedder)
    reader = load_support_reader(settings)
    return Answerer(searcher, judge, settings, models.generator(), reader)

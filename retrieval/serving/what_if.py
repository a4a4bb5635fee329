"""Answerers as they would be with something else: a learned model, or other documents.

What they share with the one that serves is loaded once. Nothing of it is published.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from retrieval.answering.answerer import Answerer
from retrieval.errors import ModelNotFoundError
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.index.store import index_store
from retrieval.progress import Progress
from retrieval.registry.runs import Run, retirement
from retrieval.serving.model_loader import ModelLoader
from retrieval.serving.trial_search import TrialSearch
from retrieval.settings import Settings


def with_run(served: Answerer, run: Run, settings: Settings, loader: ModelLoader) -> Answerer:
    """The answerer with a run in the place of what plays its part now.

    Args:
        served: The answerer of what is published.
        run: A retriever has the index made anew in memory, which may take minutes.
        settings: Those of `served`.
        loader: Loads the run.

    Raises:
        ModelNotFoundError: If the run was retired, or its kind plays no part in answers here.
        ModelCorruptError: If the run is not what was written.
    """
    if why := retirement(settings.runs_folder, run):
        raise ModelNotFoundError(f"run {run.id} was retired: {why}")
    searcher = served.searcher
    if run.kind == "retriever":
        embedder = loader.retriever(run)
        moved = TrialSearch(settings, retriever=(run, embedder)).prepare(searcher)
        return replace(served, searcher=moved, judge=loader.judge(embedder))
    if run.kind == "reranker":
        return replace(served, searcher=searcher.reranked_by(loader.reranker(run)))
    if run.kind == "judge":
        return replace(served, judge=loader.judge(searcher.embedder, run))
    if run.kind == "generator" and served.generator is not None:
        return replace(served, generator=loader.generator(run))
    raise ModelNotFoundError(f"a {run.kind} plays no part in answers here")


def with_documents(
    served: Answerer,
    folder: Path,
    settings: Settings,
    *,
    home: Path,
    on_progress: Progress = lambda *_: None,
) -> Answerer:
    """The answerer with an index of a folder's documents in the place of the one it has now.

    Args:
        served: The answerer of what is published.
        folder: What is indexed, and nothing else; what is the same as now is not embedded again.
        settings: Those of `served`.
        home: An empty folder for the index, which must stay while questions are asked.
        on_progress: Is told how far indexing is.

    Raises:
        UnreadableError: If the folder does not exist.
    """
    searcher = served.searcher
    own = settings.apart(home)
    index_store(settings).copy(own.index_folder)
    update_index([folder], own, searcher.embedder, on_progress=on_progress)
    library = Library(own, searcher.embedder, reranker=searcher.reranker)
    return replace(served, searcher=library.searcher())

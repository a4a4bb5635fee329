"""Answerers as they would be with something else: a learned model, or other documents.

What they share with the one that serves is loaded once. Nothing of it is published.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from retrieval.answering.answerer import Answerer
from retrieval.errors import ModelNotFoundError
from retrieval.index.building import update_index
from retrieval.index.library import Library, TrialLibrary
from retrieval.progress import Progress
from retrieval.registry.runs import Run, retirement
from retrieval.serving.model_loader import ModelLoader
from retrieval.settings import Settings


def with_run(served: Answerer, run: Run, settings: Settings, roles: ModelLoader) -> Answerer:
    """The answerer with a run in the place of what plays its part now.

    Args:
        served: The answerer of what is published.
        run: A retriever has the index made anew in memory, which may take minutes.
        settings: Those of `served`.
        roles: Loads the run.

    Raises:
        ModelNotFoundError: If the run was retired, or its kind plays no part in answers here.
        ModelCorruptError: If the run is not what was written.
    """
    if why := retirement(settings.runs_folder, run):
        raise ModelNotFoundError(f"run {run.id} was retired: {why}")
    library, judge, generator = served.library, served.judge, served.generator
    if run.kind == "retriever":
        embedder = roles.retriever(run)
        library, judge = TrialLibrary(library, retriever=(run, embedder)), roles.judge(embedder.id)
    elif run.kind == "reranker":
        library = TrialLibrary(library, reranker=roles.reranker(run))
    elif run.kind == "judge":
        judge = roles.judge(library.embedder.id, run)
    elif run.kind == "generator" and generator is not None:
        generator = roles.generator(run)
    else:
        raise ModelNotFoundError(f"a {run.kind} plays no part in answers here")
    if isinstance(library, TrialLibrary):
        library.prepare()
    return Answerer(library, judge, settings, generator)


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
    searcher = served.library.searcher()
    own = settings.model_copy(update={"home": home})
    shutil.copytree(settings.index_folder, own.index_folder, symlinks=True)
    update_index([folder], own, searcher.embedder, on_progress=on_progress)
    library = Library(own, searcher.embedder, reranker=searcher.reranker)
    return Answerer(library, served.judge, settings, served.generator)

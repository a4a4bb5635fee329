"""Lets a learned retriever serve, or takes it back: the index gets the vectors of what serves.

Nothing is embedded anew where a map was learned: its work is done or undone on the vectors that
are there.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace

from retrieval.embedding import Embedder
from retrieval.index import Index, load_index, read_manifest
from retrieval.indexing import publish_vectors
from retrieval.models.runs import (
    Run,
    all_runs,
    base_of,
    publish,
    retirement,
    serving,
    withdraw,
)
from retrieval.records import Vectors
from retrieval.registry import building, kept
from retrieval.retriever import load_run, served_run
from retrieval.settings import Settings


@dataclass(frozen=True, slots=True)
class Unlearned:
    """The served passages with the vectors that the configured model, nothing else, gives them."""

    index: Index
    embedder: Embedder


def unlearned(settings: Settings, embedder: Embedder) -> Unlearned:
    """What is served, as it would be if nothing had been learned.

    Args:
        settings: Where the index is.
        embedder: The one that made the served index.

    Raises:
        IndexNotFoundError: If nothing has been published.
        IndexMismatchError: If another embedder made the index.
    """
    index = load_index(settings.index_folder, embedder)
    if embedder.map is not None:
        vectors = embedder.map.undone_of_passages(index.vectors)
        return Unlearned(replace(index, vectors=vectors), embedder.unmoved())
    if base_of(embedder.id) == embedder.id:
        return Unlearned(index, embedder)
    base = Embedder.load(settings)
    vectors = base.embed_passages([each.indexed_text for each in index.passages])
    return Unlearned(replace(index, vectors=vectors), base)


def serve_run(settings: Settings, embedder: Embedder, run: Run | None, *, reason: str) -> str:
    """Serve the index with a run's vectors, or the configured model's; the generation's name.

    Args:
        settings: Where index and runs are.
        embedder: The one that made the served index.
        run: What is to serve; None for the configured model alone.
        reason: What the history of models says.

    Raises:
        ModelNotFoundError: If the run was retired.
        BusyError: If the index is being built.
    """
    learned, vectors = _made_by(run, unlearned(settings, embedder), settings)
    if run is None:
        withdraw(settings.runs_folder, "retriever", reason=reason)
    else:
        publish(settings.runs_folder, run, reason=reason)
    return publish_vectors(settings, learned, vectors)


def take_back_retired(settings: Settings, embedder: Embedder) -> bool:
    """Let no index hold what a retired run made of it; True if the served one did.

    What the history of models names takes over. Doing it again finishes what was broken off.

    Args:
        settings: Where index and runs are.
        embedder: The one that made the served index.

    Raises:
        BusyError: If the index is being built.
    """
    run = served_run(settings)
    is_served = run is not None and retirement(settings.runs_folder, run) is not None
    if is_served:
        now = serving(settings.runs_folder, "retriever")
        publish_vectors(settings, *_made_by(now, unlearned(settings, embedder), settings))
    _forget_kept(settings)
    return is_served


def _made_by(run: Run | None, corpus: Unlearned, settings: Settings) -> tuple[Embedder, Vectors]:
    if run is None:
        return corpus.embedder, corpus.index.vectors
    learned = load_run(settings, run)
    if learned.map is not None:
        return learned, learned.map.of_passages(corpus.index.vectors)
    return learned, learned.embed_passages([each.indexed_text for each in corpus.index.passages])


def _forget_kept(settings: Settings) -> None:
    """Delete the generation that a rollback would serve if a retired run made it."""
    home = settings.runs_folder
    retired = {run.id for run in all_runs(home) if retirement(home, run) is not None}
    other = kept(settings.index_folder) if retired else None
    if other and read_manifest(other).recipe.embedder.partition("+")[2] in retired:
        with building(settings.index_folder):
            shutil.rmtree(other)

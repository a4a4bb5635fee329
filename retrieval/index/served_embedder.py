"""The embedder that the served index was made with: the configured one, or a run learned from it.

An index generation names its embedder. So a learned embedder and its index are published, and
rolled back, by one pointer: the index's.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from retrieval.errors import BusyError, IndexCorruptError, IndexMismatchError, IndexNotFoundError
from retrieval.index.store import FolderStore, IndexStore, index_store
from retrieval.models.catalogue import from_folder, resolve
from retrieval.models.endpoint import is_endpoint
from retrieval.progress import Tell
from retrieval.registry.runs import (
    BASE,
    KINDS,
    MODEL,
    ModelKind,
    Run,
    base_of,
    find_run,
    folder_of,
    pointed,
    run_of,
    verify,
)
from retrieval.search.embedding import Embedder, configured, load_model
from retrieval.search.fusion import lexical_weight_of
from retrieval.search.linear_map import FILE, LinearMap
from retrieval.settings import Settings


def load_embedder(settings: Settings, *, on_progress: Tell | None = None) -> Embedder:
    """The embedder that searches the served index, or the configured one where none is served.

    Raises:
        ModelNotFoundError: If there is no such model or run.
        ModelCorruptError: If a model's bytes are not what was published.
    """
    run = served_run(settings)
    if run is None:
        return configured(settings, on_progress=on_progress)
    return load_run(settings, run, on_progress=on_progress)


def load_run(settings: Settings, run: Run, *, on_progress: Tell | None = None) -> Embedder:
    """The embedder of a run: the configured model with its map, or a model of the run's own."""
    verify(settings.runs_folder, run)
    folder = folder_of(settings.runs_folder, run)
    if (folder / FILE).is_file():
        base = configured(settings, on_progress=on_progress)
        weight = lexical_weight_of(folder)
        return base.moved(LinearMap.load(folder), name=run.id, lexical_weight=weight)
    tuned = load_tuned(settings, folder / MODEL, name=run.id)
    return tuned.weighing(lexical_weight_of(folder))


def load_tuned(settings: Settings, folder: Path, *, name: str) -> Embedder:
    """The embedder in a folder that was fine-tuned from the configured model, by this name."""
    base = resolve(settings.embedder, models_folder=settings.models_folder)
    learned = replace(from_folder(folder), name=base.name, id=f"{base.id}+{name}")
    return Embedder(learned, load_model(learned, settings))


def served_run(settings: Settings) -> Run | None:
    """The run that made the served index, unless it was learned from another model than ours."""
    name = served_embedder(settings)
    if run_of(name) == BASE:
        return None
    if is_endpoint(settings.embedder):
        base = configured(settings).id
    else:
        base = resolve(settings.embedder, models_folder=settings.models_folder).id
    if base_of(name) != base:
        return None
    return find_run(settings.runs_folder, run_of(name))


def served_runs(settings: Settings) -> dict[ModelKind, Run]:
    """The runs that serve, by their kind; a kind is missing where the base model does.

    A retriever serves where the index is of its making, whatever its pointer says.
    """
    home = settings.runs_folder
    serving: dict[ModelKind, Run] = {}
    for kind in KINDS:
        name = pointed(home, kind)
        if kind != "retriever" and name != BASE:
            serving[kind] = find_run(home, name)
    retriever = served_run(settings)
    return serving if retriever is None else {"retriever": retriever, **serving}


def served_embedder(settings: Settings) -> str:
    """The id of the embedder that made the served index; empty where none can be read."""
    return _embedder_of(index_store(settings))


def _embedder_of(store: IndexStore) -> str:
    try:
        return store.manifest().recipe.embedder
    except (IndexCorruptError, IndexMismatchError, IndexNotFoundError):
        return ""  # whoever reads the index says what is wrong with it


def refuse_outdated(index: Path, embedder: Embedder) -> None:
    """Refuse an embedder that another one, learned from the same model, has taken over from.

    Raises:
        BusyError: If that was published, or taken back, since the embedder was loaded.
    """
    made_by = _embedder_of(FolderStore(index))
    if made_by != embedder.id and base_of(made_by) == base_of(embedder.id):
        raise BusyError(f"{made_by} was published in place of {embedder.id} meanwhile; try again")

"""Lets a learned retriever serve, or takes it back: the index gets the vectors of what serves.

Nothing is embedded anew where a map was learned: its work is done or undone on the vectors that
are there.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from retrieval.index.building import publish_vectors
from retrieval.index.content import read_sources
from retrieval.index.generation import Rollback, current, load_index, rollback
from retrieval.index.manifest import read_manifest
from retrieval.index.memory import Index
from retrieval.index.searched import SearchedIndex
from retrieval.index.served_embedder import load_run, refuse_outdated, served_run
from retrieval.index.store import index_store
from retrieval.progress import Tell
from retrieval.records import Passage, Vectors
from retrieval.registry import runs
from retrieval.registry.folders import kept
from retrieval.registry.runs import (
    Deployment,
    Run,
    acknowledge,
    all_runs,
    base_of,
    folder_of,
    publish,
    retirement,
    run_of,
    serving,
    withdraw,
)
from retrieval.search.embedding import Embedder, configured
from retrieval.settings import Settings

VECTORS = "vectors.npz"
"""Beside a run's files: what it made of the passages, by their content hashes."""


@dataclass(frozen=True, slots=True)
class Unlearned:
    """The served passages with the vectors that the configured model, nothing else, gives them."""

    index: Index
    embedder: Embedder


def unlearned(index: SearchedIndex, embedder: Embedder, settings: Settings) -> Unlearned:
    """An index as it would be if nothing had been learned; `embedder` made it."""
    if embedder.map is not None:
        vectors = embedder.map.undone_of_passages(index.vectors)
        return Unlearned(replace(index.in_memory(), vectors=vectors), embedder.unmoved())
    if base_of(embedder.id) == embedder.id:
        return Unlearned(index.in_memory(), embedder)
    base = configured(settings)
    vectors = base.embed_passages([passage.indexed_text for passage in index.passages])
    return Unlearned(replace(index.in_memory(), vectors=vectors), base)


def serve_run(
    settings: Settings,
    embedder: Embedder,
    run: Run | None,
    *,
    reason: str,
    on_progress: Tell | None = None,
) -> Deployment:
    """Serve the index with a run's vectors, or the configured model's.

    Nobody else changes the index meanwhile, so what is embedded is what is served.

    Args:
        settings: Where index and runs are.
        embedder: The one that made the served index.
        run: What is to serve; None for the configured model alone.
        reason: What the history of models says.
        on_progress: Is told how many passages are embedded anew, where that has to be.

    Raises:
        ModelNotFoundError: If the run was retired.
        BusyError: If the index is being built, or another retriever was published since the
            embedder was loaded.
    """
    with index_store(settings).building():
        index = _served_index(settings, embedder)
        learned, vectors = _made_by(
            run, unlearned(index, embedder, settings), settings, on_progress
        )
        if run is None:
            done = withdraw(settings.runs_folder, "retriever", reason=reason)
        else:
            done = publish(settings.runs_folder, run, reason=reason)
        publish_vectors(settings.index_folder, index, learned, vectors)
    return done


def _served_index(settings: Settings, embedder: Embedder) -> Index:
    refuse_outdated(settings.index_folder, embedder)
    return load_index(settings.index_folder, embedder)


def roll_back(settings: Settings, embedder: Embedder | None = None, *, reason: str) -> Rollback:
    """Serve the generation before, with the retriever that made it.

    Args:
        settings: Where index and runs are.
        embedder: The one that made the served index; None to go back to any.
        reason: What the history of models says if that is another retriever.

    Raises:
        IndexNotFoundError: If no other generation was kept.
        IndexCorruptError: If it is not what was written.
        IndexMismatchError: If neither the embedder nor one learned from the same model made it.
        BusyError: If the index is being built.
    """
    with index_store(settings).building():
        done = rollback(settings.index_folder, embedder, sources=settings.sources)
        made_by = run_of(done.after.recipe.embedder)
        acknowledge(settings.runs_folder, "retriever", made_by, reason=reason)
    return done


def take_back(settings: Settings, embedder: Embedder, *, reason: str) -> None:
    """Serve the same documents with the retriever that served before.

    That takes no time if the generation before was made by it of the same documents.

    Args:
        settings: Where index and runs are.
        embedder: The one that made the served index.
        reason: What the history of models says.

    Raises:
        BusyError: If the index is being built, or another retriever was published since the
            embedder was loaded.
    """
    with index_store(settings).building():
        refuse_outdated(settings.index_folder, embedder)
        runs.roll_back(settings.runs_folder, "retriever", reason=reason)
        _follow_history(settings, embedder)


def _follow_history(settings: Settings, embedder: Embedder) -> None:
    """Serve the index with the vectors of the retriever that the history of models names last."""
    now = serving(settings.runs_folder, "retriever")
    if _is_kept(settings, f"{base_of(embedder.id)}+{now.id}" if now else base_of(embedder.id)):
        rollback(settings.index_folder, embedder, sources=settings.sources)
    else:
        index = _served_index(settings, embedder)
        made = _made_by(now, unlearned(index, embedder, settings), settings)
        publish_vectors(settings.index_folder, index, *made)


def _is_kept(settings: Settings, embedder: str) -> bool:
    """Whether the generation before is of the same documents under the embedder of this id."""
    other = kept(settings.index_folder)
    if other is None:
        return False
    served_now = current(settings.index_folder)
    now, before = read_manifest(served_now).recipe, read_manifest(other).recipe
    is_alike = replace(now, embedder=embedder, revision=before.revision) == before
    return is_alike and read_sources(served_now) == read_sources(other)


def take_back_retired(settings: Settings, embedder: Embedder) -> bool:
    """Let no index hold what a retired run made of it; True if the served one did.

    What the history of models names takes over. Doing it again finishes what was broken off.

    Args:
        settings: Where index and runs are.
        embedder: The one that made the served index.

    Raises:
        BusyError: If the index is being built.
    """
    home = settings.runs_folder
    retired = {run.id for run in all_runs(home) if retirement(home, run) is not None}
    if not retired:
        return False
    with index_store(settings).building():
        run = served_run(settings)
        is_served = run is not None and run.id in retired
        if is_served:
            _follow_history(settings, embedder)
        other = kept(settings.index_folder)
        if other and run_of(read_manifest(other).recipe.embedder) in retired:
            shutil.rmtree(other)
    return is_served


def _made_by(
    run: Run | None,
    corpus: Unlearned,
    settings: Settings,
    on_progress: Tell | None = None,
) -> tuple[Embedder, Vectors]:
    if run is None:
        return corpus.embedder, corpus.index.vectors
    learned = load_run(settings, run)
    if learned.map is not None:
        return learned, learned.map.of_passages(corpus.index.vectors)
    return learned, _embedded(settings, run, learned, corpus.index.passages, on_progress)


def vectors_by(
    run: Run, learned: Embedder, settings: Settings, embedder: Embedder, index: SearchedIndex
) -> Vectors:
    """The vectors that a run would give the passages of an index, in their order.

    What has to be embedded for that is kept beside the run: asked again, or published after it,
    it embeds what is new alone.

    Args:
        run: A retriever.
        learned: Its embedder.
        settings: Where index and runs are.
        embedder: The one that made the index.
        index: Of any generation.
    """
    if learned.map is not None:
        return learned.map.of_passages(unlearned(index, embedder, settings).index.vectors)
    return _embedded(settings, run, learned, index.passages)


def _embedded(
    settings: Settings,
    run: Run,
    learned: Embedder,
    passages: Sequence[Passage],
    on_progress: Tell | None = None,
) -> Vectors:
    path = folder_of(settings.runs_folder, run) / VECTORS
    texts = {passage.content_hash: passage.indexed_text for passage in passages}
    known = _read_vectors(path)
    new = [hash_ for hash_ in texts if hash_ not in known]
    if new:
        vectors = embed_telling(learned, [texts[hash_] for hash_ in new], on_progress)
        known |= zip(new, vectors, strict=True)
    if new or len(known) > len(texts):  # what no document holds any more is not kept
        _write_vectors(path, {hash_: known[hash_] for hash_ in texts})
    rows = [known[passage.content_hash] for passage in passages]
    return np.array(rows, np.float32).reshape(-1, learned.dimension)


def embed_telling(embedder: Embedder, texts: Sequence[str], on_progress: Tell | None) -> Vectors:
    """A row for each text; `on_progress` is told of each twentieth of them that is done."""
    told = 0

    def tell(done: int) -> None:
        nonlocal told
        if on_progress is not None and done * 20 // len(texts) > told:
            told = done * 20 // len(texts)
            on_progress(f"embedded {done} of {len(texts)} passages")

    return embedder.embed_passages(texts, on_batch=tell)


def keep_vectors(
    settings: Settings, run: Run, passages: Sequence[Passage], vectors: Vectors
) -> None:
    """Keep beside a run what it makes of passages, so that publishing it embeds nothing again."""
    hashes = [passage.content_hash for passage in passages]
    path = folder_of(settings.runs_folder, run) / VECTORS
    _write_vectors(path, dict(zip(hashes, vectors, strict=True)))


def _read_vectors(path: Path) -> dict[str, Vectors]:
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as kept_:
        return dict(zip(kept_["hashes"].tolist(), kept_["vectors"], strict=True))


def _write_vectors(path: Path, vectors: Mapping[str, Vectors]) -> None:
    # A trial and a publication of one run may write at the same time.
    beside = path.with_name(f".{path.name}-{secrets.token_hex(3)}")
    with beside.open("wb") as file:
        np.savez(file, hashes=np.array([*vectors]), vectors=np.array([*vectors.values()]))
    beside.replace(path)

"""Lets a learned retriever serve, or takes it back: the index gets the vectors of what serves.

Nothing is embedded anew where a map was learned: its work is done or undone on the vectors that
are there.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from retrieval.index.building import publish_vectors
from retrieval.index.content import read_sources
from retrieval.index.generation import Index, Rollback, current, load_index, read_manifest, rollback
from retrieval.index.served_embedder import load_run, served_run
from retrieval.progress import Tell
from retrieval.records import Passage, Vectors
from retrieval.registry.folders import building, kept
from retrieval.registry.runs import (
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
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings

VECTORS = "vectors.npz"
"""Beside a run's files: what it made of the passages, by their content hashes."""


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


def serve_run(
    settings: Settings,
    embedder: Embedder,
    run: Run | None,
    *,
    reason: str,
    on_progress: Tell | None = None,
) -> str:
    """Serve the index with a run's vectors, or the configured model's; the generation's name.

    Args:
        settings: Where index and runs are.
        embedder: The one that made the served index.
        run: What is to serve; None for the configured model alone.
        reason: What the history of models says.
        on_progress: Is told how many passages are embedded anew, where that has to be.

    Raises:
        ModelNotFoundError: If the run was retired.
        BusyError: If the index is being built.
    """
    learned, vectors = _made_by(run, unlearned(settings, embedder), settings, on_progress)
    if run is None:
        withdraw(settings.runs_folder, "retriever", reason=reason)
    else:
        publish(settings.runs_folder, run, reason=reason)
    return publish_vectors(settings, learned, vectors)


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
    """
    done = rollback(settings.index_folder, embedder)
    made_by = run_of(done.after.recipe.embedder)
    acknowledge(settings.runs_folder, "retriever", made_by, reason=reason)
    return done


def follow_history(settings: Settings, embedder: Embedder) -> None:
    """Serve the index with the vectors of the retriever that the history of models names last.

    That takes no time if the generation before was made by it of the same documents.

    Args:
        settings: Where index and runs are.
        embedder: The one that made the served index.

    Raises:
        BusyError: If the index is being built.
    """
    now = serving(settings.runs_folder, "retriever")
    if _is_kept(settings, f"{base_of(embedder.id)}+{now.id}" if now else base_of(embedder.id)):
        rollback(settings.index_folder, embedder)
    else:
        publish_vectors(settings, *_made_by(now, unlearned(settings, embedder), settings))


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
    run = served_run(settings)
    is_served = run is not None and retirement(settings.runs_folder, run) is not None
    if is_served:
        follow_history(settings, embedder)
    _forget_kept(settings)
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
    run: Run, learned: Embedder, settings: Settings, embedder: Embedder, index: Index
) -> Vectors:
    """The vectors that a run would give the passages of the served index, in their order.

    What has to be embedded for that is kept beside the run: asked again, or published after it,
    it embeds what is new alone.

    Args:
        run: A retriever.
        learned: Its embedder.
        settings: Where index and runs are.
        embedder: The one that made the served index.
        index: The served index.
    """
    if learned.map is not None:
        return learned.map.of_passages(unlearned(settings, embedder).index.vectors)
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
    beside = path.with_name(f".{path.name}")
    with beside.open("wb") as file:
        np.savez(file, hashes=np.array([*vectors]), vectors=np.array([*vectors.values()]))
    beside.replace(path)


def _forget_kept(settings: Settings) -> None:
    """Delete the generation that a rollback would serve if a retired run made it."""
    home = settings.runs_folder
    retired = {run.id for run in all_runs(home) if retirement(home, run) is not None}
    other = kept(settings.index_folder) if retired else None
    if other and run_of(read_manifest(other).recipe.embedder) in retired:
        with building(settings.index_folder):
            shutil.rmtree(other)

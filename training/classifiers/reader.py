"""From data sets to a reader: the embedder's encoder is taught to tell answers from near misses."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from retrieval.errors import DataError
from retrieval.evaluation.dataset import read_dataset
from retrieval.evaluation.evaluate import build_library
from retrieval.models.catalogue import resolve
from retrieval.progress import Progress, Tell
from retrieval.search.embedding import Embedder
from retrieval.search.reading import AdapterFacts, facts_of, read_weights, save_adapter
from retrieval.settings import Settings
from training.classifiers.adapter import (
    FURTHER,
    LORA_SCALE,
    LabelledTexts,
    ReaderConfig,
    fine_tune_adapter,
    midway,
)
from training.classifiers.near_misses import ReadingGroup, reading_groups
from training.data.augmentation import Augmentation
from training.trainer import TrainerSetup

if TYPE_CHECKING:
    import torch

OTHERS = 5
"""Near misses that stand beside each passage that answers."""

REHEARSED = 70
"""Of a data set that an adapter knows, so many questions of each kind are learned again."""

_NEAREST = 8
"""All but one of them are among so many first hits: what is read when the bot is asked."""


def learn_to_read(
    folders: Sequence[Path],
    settings: Settings,
    to: Path,
    *,
    licence: str,
    seed: int = 0,
    limit: int | None = None,
    augments: bool = False,
    config: ReaderConfig | None = None,
    begin: Path | None = None,
    on_progress: Progress,
    tell: Tell,
) -> None:
    """Write an adapter that reads question and passage, for the embedder that the settings name.

    Args:
        folders: Data sets in the format of `retrieval.evaluation.dataset`. One that is named twice
            counts twice, with other near misses.
        settings: Which embedder, and where models run and evaluations are kept.
        to: The file to write.
        licence: Of the adapter; it stands in the file.
        seed: Of what is drawn and how weights begin.
        limit: Take only so many questions of each kind from a folder; of one that the adapter to
            go on from knows, `REHEARSED` are taken.
        augments: Whether to learn from noisy twins of the questions, too, with near misses of
            their own.
        config: How to learn.
        begin: The adapter's file to go on from, or None for an untrained one. What is written is
            halfway between it and what is learned.
        on_progress: Told of embedding.
        tell: Told of learning.

    Raises:
        DataError: If the folders have no questions to learn from.
        ModelCorruptError: If the adapter to go on from does not fit the embedder.
    """
    embedder = Embedder.load(settings, on_progress=tell)
    weights = _begun(begin, embedder) if begin else None
    known = facts_of(begin).data.split(", ") if begin else []
    groups: list[ReadingGroup] = []
    for drawn, folder in enumerate(folders):
        library = build_library(read_dataset(folder), settings, embedder, on_progress)
        most = REHEARSED if folder.resolve().name in known else limit
        found = list(reading_groups(folder, library.searcher(), seed + drawn, most))
        tell(f"{folder.name}: {len(found)} questions with passages near them")
        groups += found
    if not groups:
        raise DataError("these folders have no questions to learn from")
    if augments:
        twin = Augmentation(seed).twin
        groups += [replace(group, question=twin(group.question)) for group in groups]
    asked = list(labelled_texts(groups, random.Random(seed)))
    start = resolve(settings.embedder, models_folder=settings.models_folder)
    with TemporaryDirectory() as work:
        setup = TrainerSetup(Path(work), seed, on_progress=tell)
        config = config or (FURTHER if weights else ReaderConfig())
        learned = fine_tune_adapter(
            start.path, asked, setup, settings, config=config, begin=weights
        )
    data = dict.fromkeys([*known, *(folder.resolve().name for folder in folders)])
    kept = midway(weights, learned) if weights else learned
    save_adapter(to, kept, AdapterFacts(start.id, LORA_SCALE, ", ".join(data), licence))


def _begun(adapter: Path, embedder: Embedder) -> dict[str, torch.Tensor]:
    facts = facts_of(adapter)
    if (facts.base, facts.scale) != (embedder.weights_id, LORA_SCALE):
        raise DataError(
            f"{adapter} is for {facts.base} with products times {facts.scale:g}; "
            f"wanted {embedder.weights_id} and {LORA_SCALE:g}"
        )
    return read_weights(adapter, embedder.encoder)


def labelled_texts(
    groups: Sequence[ReadingGroup], random_: random.Random
) -> Iterator[LabelledTexts]:
    """A passage that answers each question, where there is one, and some of those that do not.

    For a question without an answer they are the nearest but for one: those look most as if they
    had it.
    """
    for group in groups:
        right = [random_.choice(group.answering)] if group.answering else []
        nearest, rest = list(group.others[:_NEAREST]), list(group.others[_NEAREST:])
        if right:
            random_.shuffle(nearest)
        random_.shuffle(rest)
        others = [*group.cut, *rest[:1], *nearest, *rest[1:]][:OTHERS]
        if texts := (*right, *others):
            labels = (1.0,) * len(right) + (0.0,) * len(others)
            yield LabelledTexts(group.question, texts, labels)

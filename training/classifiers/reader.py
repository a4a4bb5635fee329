"""From data sets to a reader: the embedder's encoder is taught to tell answers from near misses."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from retrieval.errors import DataError
from retrieval.evaluation.dataset import read_dataset
from retrieval.evaluation.evaluate import build_library
from retrieval.models.catalogue import resolve
from retrieval.progress import Progress, Tell
from retrieval.search.embedding import Embedder
from retrieval.search.reading import AdapterFacts, save_adapter
from retrieval.settings import Settings
from training.classifiers.adapter import (
    LORA_SCALE,
    LabelledTexts,
    ReaderConfig,
    fine_tune_adapter,
)
from training.classifiers.near_misses import ReadingGroup, reading_groups
from training.data.augmentation import Augmentation
from training.trainer import TrainerSetup

OTHERS = 5
"""Near misses that stand beside each passage that answers."""


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
        limit: Take only so many questions of each kind from a folder.
        augments: Whether to learn from noisy twins of the questions, too, with near misses of
            their own.
        config: How to learn.
        on_progress: Told of embedding.
        tell: Told of learning.

    Raises:
        DataError: If the folders have no questions to learn from.
    """
    embedder = Embedder.load(settings, on_progress=tell)
    groups: list[ReadingGroup] = []
    for drawn, folder in enumerate(folders):
        library = build_library(read_dataset(folder), settings, embedder, on_progress)
        found = list(reading_groups(folder, library.searcher(), seed + drawn, limit))
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
        config = config or ReaderConfig()
        weights = fine_tune_adapter(start.path, asked, setup, settings, config=config)
    data = ", ".join(dict.fromkeys(folder.resolve().name for folder in folders))
    save_adapter(to, weights, AdapterFacts(start.id, LORA_SCALE, data, licence))


def labelled_texts(
    groups: Sequence[ReadingGroup], random_: random.Random
) -> Iterator[LabelledTexts]:
    """A passage that answers each question, where there is one, and some of those that do not."""
    for group in groups:
        right = [random_.choice(group.answering)] if group.answering else []
        near = random_.sample(group.others, min(OTHERS, len(group.others)))
        others = [*group.cut, *near][:OTHERS]
        if texts := (*right, *others):
            labels = (1.0,) * len(right) + (0.0,) * len(others)
            yield LabelledTexts(group.question, texts, labels)

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from retrieval.examples import read_examples
from retrieval.index.generation import load_index
from retrieval.models.catalogue import resolve
from retrieval.progress import Tell
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings
from tests.training.breaking_off import break_off
from training.data.labelled_queries import split
from training.retriever.fine_tune import FineTuneConfig, TunedEmbedder, fine_tune, load_base
from training.retriever.training_pairs import held_back_of, texts_of, with_negatives
from training.trainer import TrainerSetup

pytestmark = pytest.mark.slow

SMALL = FineTuneConfig(learning_rate=3e-4, shown=0, headings=0, epochs=1, max_tokens=32)


def test_what_is_broken_off_goes_on_from_the_last_epoch(
    settings: Settings, model: Embedder, dataset: Path, tmp_path: Path
) -> None:
    break_off(partial(small, settings, model, dataset, tmp_path), at="step 5 ")
    told: list[str] = []
    gone_on = small(settings, model, dataset, tmp_path, told.append)
    assert told[1].startswith("step 5 of 8")
    assert len(gone_on.losses) == 8
    assert len(gone_on.curve) == 3


def test_learning_stops_when_its_time_is_over(
    settings: Settings, model: Embedder, dataset: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    tuned = small(settings, model, dataset, tmp_path, told.append, max_minutes=0)
    assert len(tuned.losses) == 1
    assert len(tuned.curve) == 2
    assert tuned.ndcg == tuned.curve[1]


def test_a_batch_that_is_read_in_parts_teaches_too(
    settings: Settings, model: Embedder, dataset: Path, tmp_path: Path
) -> None:
    learn = partial(small, settings, model, dataset, on_progress=lambda _: None, is_mined=True)
    whole = learn(work=tmp_path / "whole", config=SMALL)
    parts = learn(work=tmp_path / "parts", config=replace(SMALL, at_once=8))
    assert parts.losses[0] == pytest.approx(whole.losses[0], rel=0.1)
    assert parts.losses[-1] < parts.losses[0] / 4


def small(
    settings: Settings,
    model: Embedder,
    dataset: Path,
    work: Path,
    on_progress: Tell,
    *,
    config: FineTuneConfig | None = None,
    is_mined: bool = False,
    max_minutes: float | None = None,
) -> TunedEmbedder:
    """Two epochs of four steps on the half of the questions."""
    index = load_index(settings.index_folder, model)
    queries, held_back = split(read_examples(dataset, "train"), [], index.passages, seed=0)
    base = resolve(settings.embedder, models_folder=settings.models_folder)
    texts = texts_of(queries[:128], index.passages, least=0, headings=0, seed=0)
    if is_mined:
        texts = with_negatives(texts, index.passages, index.vectors, model, seed=0)
    return fine_tune(
        load_base(base.path, index.vectors, settings),
        texts,
        held_back_of(held_back, index.passages, index.vectors, model, seed=0),
        TrainerSetup(work, 0, max_minutes, on_progress),
        prefixes=model.prefixes,
        config=config or replace(SMALL, epochs=2),
    )

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from retrieval.errors import DataError, SettingsError
from retrieval.index.generation import load_index
from retrieval.registry.folders import sha256
from retrieval.registry.runs import folder_of, publish, serving
from retrieval.search.embedding import Embedder
from retrieval.search.reranking import load_reranker
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder
from tests.training.classifiers import tiny_cross_encoder
from tests.training.classifiers.rated_company import (
    build,
    judgement,
    pair,
    passage_text,
    write_dataset,
)
from training.classifiers.cross_encoder import CrossConfig
from training.classifiers.reranker import labelled, learn_reranker
from training.gate.candidate import LearnedRun

pytestmark = pytest.mark.slow

QUICK = CrossConfig(epochs=1, learning_rate=1e-3, batch=32, max_tokens=48)


@pytest.fixture(scope="module")
def model() -> Embedder:
    return WordEmbedder(dimension=512)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, model: Embedder) -> Settings:
    home = tmp_path_factory.mktemp("company")
    start = tiny_cross_encoder.write(home / "tiny")
    settings = build(home, model)
    return settings.model_copy(update={"reranker": str(start), "device": "cpu"})


@pytest.fixture(scope="module")
def dataset(settings: Settings, model: Embedder) -> Path:
    return write_dataset(settings.home.parent / "dataset", settings, model)


@pytest.fixture(scope="module")
def learned(settings: Settings, model: Embedder, dataset: Path) -> LearnedRun:
    return learn_reranker(dataset, settings, model, at_least=100, config=QUICK)


def test_a_run_holds_the_model_its_losses_and_what_the_gate_said(
    learned: LearnedRun, settings: Settings
) -> None:
    folder = folder_of(settings.runs_folder, learned.run)
    names = {path.name for path in folder.iterdir()}
    assert {"model", "losses.json", "losses.png", "gate.md", "gate.json"} <= names
    losses = json.loads((folder / "losses.json").read_text())
    assert fmean(losses[-10:]) < fmean(losses[:10])


def test_it_is_tried_on_every_question_held_out(learned: LearnedRun) -> None:
    assert learned.run.kind == "reranker"
    assert learned.decision.comparison.questions == 64


def test_a_published_reranker_serves(learned: LearnedRun, settings: Settings) -> None:
    publish(settings.runs_folder, learned.run, reason="by hand")
    reranker = load_reranker(settings)
    assert reranker is not None
    assert reranker.id.endswith(learned.run.id)


def test_what_is_not_surely_better_is_kept_as_what_serves(
    settings: Settings, model: Embedder, dataset: Path
) -> None:
    still = replace(QUICK, learning_rate=0.0)
    same = learn_reranker(dataset, settings, model, at_least=100, config=still)
    assert same.run.facts.metrics["is_what_serves"]
    now = serving(settings.runs_folder, "reranker")
    start = folder_of(settings.runs_folder, now) / "model" if now else Path(str(settings.reranker))
    kept = folder_of(settings.runs_folder, same.run) / "model"
    assert sha256(kept / "model.safetensors") == sha256(start / "model.safetensors")


def test_without_a_cross_encoder_to_start_from_nothing_is_learned(
    settings: Settings, model: Embedder, dataset: Path
) -> None:
    bare = settings.model_copy(update={"reranker": None})
    with pytest.raises(SettingsError, match="WHIMBREL_RERANKER"):
        learn_reranker(dataset, bare, model)


def test_too_few_labelled_pairs_say_how_many_are_missing(
    settings: Settings, model: Embedder, dataset: Path
) -> None:
    with pytest.raises(DataError, match=r"a reranker needs 1000, \d+ more"):
        learn_reranker(dataset, settings, model)


def test_a_bad_answer_blames_its_passage_only_where_people_did(
    settings: Settings, model: Embedder
) -> None:
    passages = load_index(settings.index_folder, model).passages
    bad = judgement(pair(0, passages[0]), passages[1])
    assert [found.label for found in labelled([bad])] == [0.0]
    assert labelled([replace(bad, spares_passages=True)]) == []


def test_a_pair_is_counted_once_and_names_what_is_wrong(
    settings: Settings, model: Embedder
) -> None:
    passages = load_index(settings.index_folder, model).passages
    right, wrong = pair(0, passages[0]), passage_text(passages[1])
    corrected = replace(right, passages=(*right.passages, wrong))
    pairs = labelled([corrected, judgement(right, passages[0]), replace(right, source="synthetic")])
    assert [(pair.text.partition("\n")[0], pair.label) for pair in pairs] == [
        (right.passages[0].title, 1.0),
        (wrong.title, 0.0),
    ]


def test_noisy_twins_of_pairs_are_learned_from_and_told_of(
    learned: LearnedRun, settings: Settings, model: Embedder, dataset: Path
) -> None:
    augmented = learn_reranker(dataset, settings, model, augments=True, at_least=100, config=QUICK)
    assert "typos" in augmented.run.facts.config["augment"]
    assert augmented.run.facts.metrics == learned.run.facts.metrics

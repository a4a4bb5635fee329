from __future__ import annotations

import json
from pathlib import Path

import pytest

from retrieval.errors import DataError
from retrieval.examples import read_examples, write_examples
from retrieval.index.library import Library
from retrieval.registry.runs import all_runs, folder_of, serving
from retrieval.search.embedding import Embedder
from retrieval.serving.retriever import serve_run
from retrieval.settings import Settings
from tests.training import jargon
from training.data.labelled_queries import labelled_queries
from training.gate.candidate import LearnedRun
from training.retriever.learned_map import learn_map
from training.retriever.linear_map import MapConfig
from training.trainer import LearnOptions

SEEDED = LearnOptions(seed=1)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dataset(settings: Settings, model: Embedder) -> Path:
    return jargon.write_dataset(settings.home.parent / "dataset", settings, model)


@pytest.fixture(scope="module")
def learned(settings: Settings, model: Embedder, dataset: Path) -> LearnedRun:
    return learn_map(dataset, settings, model, SEEDED, config=MapConfig(learning_rate=3e-3))


def test_a_map_learned_from_votes_passes_the_gate_on_questions_held_out(
    learned: LearnedRun,
) -> None:
    assert learned.decision.is_passed
    assert learned.decision.comparison.gain > 0.05


def test_a_run_holds_its_curve_and_what_the_gate_said(
    learned: LearnedRun, settings: Settings
) -> None:
    folder = folder_of(settings.runs_folder, learned.run)
    names = {path.name for path in folder.iterdir()}
    assert {"map.safetensors", "curve.png", "gate.md", "gate.png"} <= names
    assert json.loads((folder / "gate.json").read_text())["is_passed"]


def test_the_same_seed_makes_the_same_run(
    learned: LearnedRun, settings: Settings, model: Embedder, dataset: Path
) -> None:
    config = MapConfig(learning_rate=3e-3)
    again = learn_map(dataset, settings, model, SEEDED, config=config)
    assert again.run.files["map.safetensors"] == learned.run.files["map.safetensors"]


def test_a_candidate_serves_nobody_until_it_is_published_and_can_be_withdrawn(
    learned: LearnedRun, settings: Settings, model: Embedder
) -> None:
    library = Library(settings, model)
    question = "Who looks after the printer in the attic?"
    before = library.searcher().search(question)
    serve_run(settings, library.following(), learned.run, reason="passed")
    after = library.searcher().search(question)
    assert Path(after[0].passage.source.id).stem == "zorbel-attic"
    assert serving(settings.runs_folder, "retriever") == learned.run
    serve_run(settings, library.following(), None, reason="people say so")
    again = library.searcher().search(question)
    assert [hit.passage for hit in again] == [hit.passage for hit in before]
    assert library.embedder.id == model.id


def test_too_few_questions_say_how_many_are_missing(
    settings: Settings, model: Embedder, dataset: Path, tmp_path: Path
) -> None:
    write_examples(tmp_path, "train", read_examples(dataset, "train")[:30])
    write_examples(tmp_path, "dev", [])
    write_examples(tmp_path, "held-out", read_examples(dataset, "held-out"))
    with pytest.raises(DataError, match="70 more"):
        learn_map(tmp_path, settings, model, LearnOptions())


def test_a_data_set_that_holds_nothing_out_is_refused_before_anything_is_learned(
    settings: Settings, model: Embedder, dataset: Path, tmp_path: Path
) -> None:
    write_examples(tmp_path, "train", read_examples(dataset, "train"))
    write_examples(tmp_path, "dev", [])
    write_examples(tmp_path, "held-out", [])
    before = all_runs(settings.runs_folder)
    with pytest.raises(DataError, match="holds no questions out"):
        learn_map(tmp_path, settings, model, LearnOptions())
    assert all_runs(settings.runs_folder) == before


def test_what_the_index_no_longer_holds_teaches_nothing(dataset: Path) -> None:
    assert labelled_queries(read_examples(dataset, "train"), []) == []


def test_a_search_lists_what_it_tried_beside_a_map_learned_with_the_best(
    settings: Settings, model: Embedder, dataset: Path
) -> None:
    said: list[str] = []
    short = MapConfig(rounds=1, least_steps=2)
    options = LearnOptions(trials=2, on_progress=said.append)
    learned = learn_map(dataset, settings, model, options, config=short)
    folder = folder_of(settings.runs_folder, learned.run)
    listed = json.loads((folder / "search.json").read_text())
    best = max(listed["trials"], key=lambda trial: trial["score"])
    assert listed["config"] == learned.run.facts.config
    assert best["values"].items() <= listed["config"].items()
    told = [line.partition(":")[0] for line in said if line.startswith("trial")]
    assert told == ["trial 1 of 2", "trial 2 of 2"]
    assert "search.png" in learned.run.files


def test_where_nothing_can_be_learned_the_run_holds_what_serves(
    settings: Settings, model: Embedder, dataset: Path, tmp_path: Path
) -> None:
    """Whoever publishes it by force changes nothing."""
    write_examples(tmp_path, "train", jargon.shuffled(read_examples(dataset, "train")))
    write_examples(tmp_path, "dev", [])
    write_examples(tmp_path, "held-out", read_examples(dataset, "held-out"))
    learned = learn_map(tmp_path, settings, model, SEEDED, config=MapConfig(learning_rate=3e-3))
    assert learned.run.facts.metrics["is_what_serves"]
    assert learned.decision.is_no_difference
    library = Library(settings, model)
    before = library.searcher().search("Who looks after the printer in the attic?")
    serve_run(settings, library.following(), learned.run, reason="by force")
    after = library.searcher().search("Who looks after the printer in the attic?")
    assert [hit.passage for hit in after] == [hit.passage for hit in before]
    serve_run(settings, library.following(), None, reason="the end")

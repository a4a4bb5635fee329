from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from retrieval.answering.judge import load_judge
from retrieval.errors import DataError
from retrieval.examples import read_examples, write_examples
from retrieval.index.generation import rollback
from retrieval.index.library import Library
from retrieval.registry.runs import UNFINISHED, folder_of, serving
from retrieval.search.embedding import Embedder
from retrieval.serving.retriever import serve_run
from retrieval.settings import Settings
from tests.training import jargon
from training.gate.candidate import LearnedRun
from training.retriever.fine_tune import FineTuneConfig
from training.retriever.learned_retriever import learn_retriever
from training.trainer import LearnOptions

pytestmark = pytest.mark.slow

SMALL = FineTuneConfig(learning_rate=3e-4, shown=0, headings=0, epochs=1, max_tokens=32)


@pytest.fixture(scope="module")
def learned(settings: Settings, model: Embedder, dataset: Path) -> LearnedRun:
    found = learn_retriever(dataset, settings, model, LearnOptions(seed=1), config=SMALL)
    assert found is not None
    return found


def test_a_model_fine_tuned_on_votes_passes_the_gate_on_questions_held_out(
    learned: LearnedRun,
) -> None:
    assert learned.decision.is_passed
    assert learned.decision.comparison.gain > 0.05


def test_a_run_holds_a_model_its_curve_and_a_judge_of_its_own(
    learned: LearnedRun, settings: Settings, model: Embedder
) -> None:
    folder = folder_of(settings.runs_folder, learned.run)
    names = {path.name for path in folder.iterdir()}
    assert {"model", "judge.json", "curve.png", "gate.md"} <= names
    assert json.loads((folder / "gate.json").read_text())["is_passed"]
    tuned = copy.copy(model)
    tuned.id = f"{model.id}+{learned.run.id}"
    assert load_judge(settings.models_folder, tuned).embedder == tuned.id
    assert not list((settings.runs_folder / UNFINISHED).glob("*/*"))


def test_a_published_model_serves_with_its_index_and_can_be_taken_back_at_once(
    learned: LearnedRun, settings: Settings, model: Embedder
) -> None:
    library = Library(settings, model)
    question = "Who looks after the printer in the attic?"
    before = library.searcher().search(question)
    told: list[str] = []
    serve_run(settings, library.following(), learned.run, reason="passed", on_progress=told.append)
    assert not told, "the trial has embedded the passages already"
    after = library.searcher().search(question)
    assert Path(after[0].passage.source.id).stem == "zorbel-attic"
    assert serving(settings.runs_folder, "retriever") == learned.run
    served = library.searcher().index.manifest.name
    assert rollback(settings.index_folder, library.embedder).before == served
    again = library.searcher().search(question)
    assert [hit.passage for hit in again] == [hit.passage for hit in before]
    assert library.embedder.id == model.id


def test_where_nothing_can_be_learned_the_run_holds_the_model_that_serves(
    learned: LearnedRun, settings: Settings, model: Embedder, dataset: Path, tmp_path: Path
) -> None:
    write_examples(tmp_path, "train", jargon.shuffled(read_examples(dataset, "train")))
    write_examples(tmp_path, "dev", [])
    write_examples(tmp_path, "held-out", read_examples(dataset, "held-out"))
    library = Library(settings, model)
    serve_run(settings, library.following(), learned.run, reason="passed")
    before = library.searcher().search("Who looks after the printer in the attic?")
    same = learn_retriever(tmp_path, settings, library.embedder, LearnOptions(), config=SMALL)
    assert same is not None
    assert same.run.facts.metrics["is_what_serves"]
    assert same.decision.is_no_difference
    serve_run(settings, library.following(), same.run, reason="by force")
    after = library.searcher().search("Who looks after the printer in the attic?")
    assert library.embedder.id.endswith(same.run.id)
    assert after == before
    serve_run(settings, library.following(), None, reason="the end")


def test_too_few_questions_say_how_many_are_missing(
    settings: Settings, model: Embedder, dataset: Path, tmp_path: Path
) -> None:
    write_examples(tmp_path, "train", read_examples(dataset, "train")[:30])
    write_examples(tmp_path, "dev", [])
    write_examples(tmp_path, "held-out", read_examples(dataset, "held-out"))
    with pytest.raises(DataError, match="170 more"):
        learn_retriever(tmp_path, settings, model, LearnOptions())


def test_a_search_is_kept_beside_what_was_learned_with_the_best_of_it(
    settings: Settings, model: Embedder, dataset: Path
) -> None:
    learned = learn_retriever(dataset, settings, model, LearnOptions(trials=1), config=SMALL)
    assert learned is not None
    folder = folder_of(settings.runs_folder, learned.run)
    (trial,) = json.loads((folder / "search.json").read_text())["trials"]
    assert trial["values"]["learning_rate"] == SMALL.learning_rate
    assert trial["score"] == pytest.approx(learned.run.facts.metrics["held_back_ndcg"])

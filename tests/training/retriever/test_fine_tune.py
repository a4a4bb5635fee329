from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from retrieval.answering.judge import load_judge
from retrieval.errors import DataError
from retrieval.examples import read_examples, write_examples
from retrieval.index.generation import load_index, rollback
from retrieval.index.library import Library
from retrieval.models.catalogue import resolve
from retrieval.progress import Tell
from retrieval.registry.runs import UNFINISHED, folder_of, serving
from retrieval.search.embedding import Embedder
from retrieval.serving.retriever import serve_run
from retrieval.settings import Settings
from tests.training import jargon
from tests.training.breaking_off import break_off
from training.gate.candidate import LearnedRun
from training.retriever.fine_tune import FineTuneConfig, Tuned, fine_tune, load_base
from training.retriever.learned_retriever import learn_retriever
from training.retriever.training_pairs import held_back_of, split, texts_of, with_negatives

pytestmark = pytest.mark.slow

SMALL = FineTuneConfig(learning_rate=3e-4, shown=0, headings=0, epochs=1, max_tokens=32)


@pytest.fixture(scope="module")
def dataset(settings: Settings, model: Embedder) -> Path:
    folder = settings.home.parent / "dataset"
    return jargon.write_dataset(folder, settings, model, held_out_every=5)


@pytest.fixture(scope="module")
def learned(settings: Settings, model: Embedder, dataset: Path) -> LearnedRun:
    found = learn_retriever(dataset, settings, model, config=SMALL, seed=1)
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
    id_ = f"{model.id}+{learned.run.id}"
    assert load_judge(settings.models_folder, id_).embedder == id_
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
    began = time.process_time()
    rollback(settings.index_folder, library.embedder)
    assert time.process_time() - began < 1
    again = library.searcher().search(question)
    assert [hit.passage for hit in again] == [hit.passage for hit in before]
    assert library.embedder.id == model.id


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
    assert parts.losses[0] == pytest.approx(whole.losses[0], rel=0.05)
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
) -> Tuned:
    """Two epochs of four steps on the half of the questions."""
    index = load_index(settings.index_folder, model)
    taught, held_back = split(read_examples(dataset, "train"), [], index.passages, seed=0)
    base = resolve(settings.embedder, models_folder=settings.models_folder)
    texts = texts_of(taught[:128], index.passages, least=0, headings=0, seed=0)
    if is_mined:
        texts = with_negatives(texts, index.passages, index.vectors, model, seed=0)
    return fine_tune(
        load_base(base.path, index.vectors, settings),
        texts,
        held_back_of(held_back, index.passages, index.vectors, model, seed=0),
        prefixes=model.prefixes,
        work=work,
        config=config or replace(SMALL, epochs=2),
        max_minutes=max_minutes,
        on_progress=on_progress,
    )


def test_too_few_questions_say_how_many_are_missing(
    settings: Settings, model: Embedder, dataset: Path, tmp_path: Path
) -> None:
    write_examples(tmp_path, "train", read_examples(dataset, "train")[:30])
    write_examples(tmp_path, "dev", [])
    write_examples(tmp_path, "held-out", read_examples(dataset, "held-out"))
    with pytest.raises(DataError, match="170 more"):
        learn_retriever(tmp_path, settings, model)


def test_questions_that_mean_the_same_are_held_back_together(
    settings: Settings, model: Embedder, dataset: Path
) -> None:
    passages = load_index(settings.index_folder, model).passages
    train = [
        replace(one, cluster=one.question.removesuffix("?")[-9:])
        for one in read_examples(dataset, "train")
    ]
    taught, held_back = split(train, [], passages, seed=0)
    learned_from, kept_back = ({one.question[-10:] for one in each} for each in (taught, held_back))
    assert kept_back
    assert not learned_from & kept_back


def test_a_search_is_kept_beside_what_was_learned_with_the_best_of_it(
    settings: Settings, model: Embedder, dataset: Path
) -> None:
    learned = learn_retriever(dataset, settings, model, config=SMALL, trials=1)
    assert learned is not None
    folder = folder_of(settings.runs_folder, learned.run)
    (trial,) = json.loads((folder / "search.json").read_text())["trials"]
    assert trial["values"]["learning_rate"] == SMALL.learning_rate
    assert trial["score"] == pytest.approx(learned.run.facts.metrics["held_back_ndcg"])

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from retrieval.answering.judge import load_judge
from retrieval.errors import DataError
from retrieval.examples import REGRESSION, read_examples, write_examples
from retrieval.registry.runs import folder_of, publish
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder
from tests.training.classifiers.rated_company import build, write_dataset
from tests.training.federation import coordination, membership, write_credentials
from training.classifiers.judge import learn_abstention
from training.federated import coordinate
from training.gate.candidate import LearnedRun
from training.gate.decision import REGRESSION as REGRESSION_SET

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model() -> Embedder:
    return WordEmbedder(dimension=512)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, model: Embedder) -> Settings:
    return build(tmp_path_factory.mktemp("company"), model)


@pytest.fixture(scope="module")
def dataset(settings: Settings, model: Embedder) -> Path:
    return write_dataset(settings.home.parent / "dataset", settings, model)


@pytest.fixture(scope="module")
def learned(settings: Settings, model: Embedder, dataset: Path) -> LearnedRun:
    return learn_abstention(dataset, settings, model)


def test_a_judge_learned_from_ratings_passes_the_gate(learned: LearnedRun) -> None:
    assert learned.decision.is_passed
    guards = {guard.name for guard in learned.decision.guards}
    assert {"silence where there is no answer", "answers where there is one"} <= guards
    assert learned.run.facts.metrics["auroc"] > 0.9


def test_a_run_holds_the_judge_its_scores_and_pictures(
    learned: LearnedRun, settings: Settings
) -> None:
    folder = folder_of(settings.runs_folder, learned.run)
    names = {path.name for path in folder.iterdir()}
    assert {"judge.json", "scores.json", "scores.png", "gate.md", "gate.png"} <= names
    assert json.loads((folder / "gate.json").read_text())["is_passed"]


def test_the_same_data_set_makes_the_same_judge(
    learned: LearnedRun, settings: Settings, model: Embedder, dataset: Path
) -> None:
    again = learn_abstention(dataset, settings, model)
    assert again.run.files["judge.json"] == learned.run.files["judge.json"]


def test_a_published_judge_serves_the_embedder_that_it_learned_from(
    learned: LearnedRun, settings: Settings, model: Embedder
) -> None:
    before = load_judge(settings.models_folder, model)
    publish(settings.runs_folder, learned.run, reason="passed")
    assert load_judge(settings.models_folder, model) != before
    other = WordEmbedder()
    other.id = "another@1"
    assert load_judge(settings.models_folder, other) == before


def test_too_few_ratings_say_how_many_are_missing(
    settings: Settings, model: Embedder, dataset: Path, tmp_path: Path
) -> None:
    write_examples(tmp_path, "train", read_examples(dataset, "train")[:50])
    write_examples(tmp_path, "dev", [])
    write_examples(tmp_path, "held-out", read_examples(dataset, "held-out"))
    with pytest.raises(DataError, match=r"a judge needs 300, 2\d\d more"):
        learn_abstention(tmp_path, settings, model)


def test_a_data_set_that_holds_nothing_out_is_refused(
    settings: Settings, model: Embedder, dataset: Path, tmp_path: Path
) -> None:
    write_examples(tmp_path, "train", read_examples(dataset, "train"))
    write_examples(tmp_path, "dev", [])
    write_examples(tmp_path, "held-out", [])
    with pytest.raises(DataError, match=r"answers held out in .* 0 of 0 are right"):
        learn_abstention(tmp_path, settings, model)


def test_what_was_frozen_is_tried_beside_what_is_held_out(
    settings: Settings, model: Embedder, dataset: Path
) -> None:
    frozen = read_examples(dataset, "held-out")
    gone = replace(frozen[0].passages[0], content_hash="gone")
    outdated = replace(frozen[0], id="x", question="Who had it?", passages=(gone,))
    settings.dataset_folder.mkdir()
    write_examples(settings.dataset_folder, REGRESSION, [*frozen, outdated])
    decision = learn_abstention(dataset, settings, model).decision
    assert REGRESSION_SET in {guard.name for guard in decision.guards}
    assert decision.outdated == 1


@pytest.mark.skipif(find_spec("flwr") is None, reason="the extra `federated` is not installed")
def test_a_judge_learned_together_goes_through_each_members_own_gate(
    settings: Settings, model: Embedder, dataset: Path, tmp_path: Path
) -> None:
    write_credentials(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with ThreadPoolExecutor(4) as pool:
        coordinated = pool.submit(coordinate, coordination(tmp_path, address))
        members = [
            pool.submit(
                learn_abstention,
                dataset,
                settings,
                model,
                membership=membership(tmp_path, address, number),
            )
            for number in range(3)
        ]
    coordinated.result()
    for member in members:
        run, comparison = member.result().run, member.result().decision.comparison
        assert comparison.candidate >= comparison.baseline - 0.01
        assert run.facts.config["federated"]
        assert run.facts.metrics["auroc"] > 0.9


def test_noisy_twins_are_learned_from_and_told_of(
    learned: LearnedRun, settings: Settings, model: Embedder, dataset: Path
) -> None:
    augmented = learn_abstention(dataset, settings, model, augments=True)
    assert augmented.run.files["judge.json"] != learned.run.files["judge.json"]
    assert "typos" in augmented.run.facts.config["augment"]
    assert augmented.run.facts.metrics["rows"] == learned.run.facts.metrics["rows"]

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.answering.judge import load_judge
from retrieval.errors import DataError
from retrieval.examples import Example, write_examples
from retrieval.index.library import Library
from retrieval.registry.runs import folder_of, publish, roll_back
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder
from tests.training.classifiers.rated_company import build, judgement, pair
from training.classifiers.confidence import SERVED_FILE, learn_confidence
from training.classifiers.evidence import answered

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model() -> Embedder:
    return WordEmbedder(dimension=512)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, model: Embedder) -> Settings:
    return build(tmp_path_factory.mktemp("company"), model)


def dataset(folder: Path, examples: list[Example]) -> Path:
    folder.mkdir()
    write_examples(folder, "train", examples)
    write_examples(folder, "dev", [])
    write_examples(folder, "held-out", [])
    return folder


@pytest.fixture(scope="module")
def rated(settings: Settings, model: Embedder) -> list[Example]:
    """Two in three questions about the documents; the others are about what is in none of them."""
    passages = Library(settings, model).searcher().index.passages
    examples = []
    for n, passage in enumerate(passages):
        asked = judgement(pair(0, passage), passage)
        if n % 3 == 0:
            question = f"How many biscuits does number {n} get?"
            asked = replace(asked, id=question, question=question, kind="answer", is_good=False)
        examples.append(replace(asked, weight=1.0))
    return examples


def test_what_people_rate_is_learned_published_and_undone(
    settings: Settings, model: Embedder, rated: list[Example], tmp_path: Path
) -> None:
    before = load_judge(settings.models_folder, model)
    learned = learn_confidence(dataset(tmp_path / "0", rated), settings, model)
    folder = folder_of(settings.runs_folder, learned.run)
    assert "each was tried with a fit that had seen" in (folder / "gate.md").read_text()
    assert "cannot be shown" in (folder / "gate.md").read_text()
    publish(settings.runs_folder, learned.run, reason="to see it")
    after = load_judge(settings.models_folder, model)
    assert (after.threshold == 0.5) == learned.decision.is_passed
    again = learn_confidence(dataset(tmp_path / "1", rated), settings, model)
    # What was fitted is not fitted again: both began from the same judge.
    assert again.run.files[SERVED_FILE] == learned.run.files[SERVED_FILE]
    assert again.run.facts.metrics == learned.run.facts.metrics
    roll_back(settings.runs_folder, "judge", reason="as it was")
    assert load_judge(settings.models_folder, model) == before


def test_too_few_ratings_say_how_many_are_missing(
    settings: Settings, model: Embedder, rated: list[Example], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"15 more are needed"):
        learn_confidence(dataset(tmp_path / "0", rated[:5]), settings, model)


def test_a_threshold_that_somebody_set_is_not_learned(
    settings: Settings, model: Embedder, rated: list[Example], tmp_path: Path
) -> None:
    own = settings.model_copy(update={"threshold": 0.2})
    with pytest.raises(DataError, match="WHIMBREL_THRESHOLD"):
        learn_confidence(dataset(tmp_path / "0", rated), own, model)


def test_what_people_say_of_an_answer_is_not_said_of_its_passage(
    settings: Settings, model: Embedder
) -> None:
    searcher = Library(settings, model).searcher()
    by_name = {Path(p.source.id).stem: p for p in searcher.index.passages}
    shown, other = by_name["kettle-attic"], by_name["piano-garage"]
    asked = pair(0, shown)
    corrected = replace(asked, source="correction")
    wrong_value = replace(corrected, kind="preference", answer="Team 1.", rejected="Team 2.")
    told = {
        "good": judgement(asked, shown),
        "of another answer": judgement(asked, other),
        "silent although it is there": corrected,
        "silent, and it is not found": replace(pair(0, other), question=asked.question),
        "rightly silent": replace(asked, kind="answer", is_good=False, passages=()),
    }
    told["silent, and it is not found"] = replace(
        told["silent, and it is not found"], source="correction"
    )
    found = {
        name: [row.is_answerable for row in answered([example], searcher, read=4)]
        for name, example in told.items()
    }
    assert found == {
        "good": [True],
        "of another answer": [],
        "silent although it is there": [True],
        "silent, and it is not found": [False],
        "rightly silent": [False],
    }
    both = answered([corrected, wrong_value], searcher, read=4)
    assert [row.is_answerable for row in both] == [False]
    assert answered([replace(asked, source="synthetic"), asked], searcher, read=4) == []

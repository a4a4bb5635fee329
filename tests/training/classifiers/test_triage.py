from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from retrieval.answering.triage import SEEDS, clean, load_separator, read_labelled
from retrieval.errors import DataError
from retrieval.examples import Example, write_examples
from retrieval.registry.runs import folder_of, publish
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder
from training.classifiers.triage import (
    encoder_of,
    learn_triage,
    misleading,
    read_messages,
)
from training.gate.candidate import LearnedRun

pytestmark = pytest.mark.slow

PLACES = ("attic", "harbour", "library", "workshop", "garden", "garage", "archive", "kitchen")
ASKED = (
    "zorbel quota {place} pls",
    "drovic form {place} still valid",
    "marfin rules {place}",
    "{place} quintle deadline",
    "yelpan budget {place} who signs",
)
SAID = (
    "What a view of the {place} today?",
    "How was your evening in the {place}?",
    "Who wants the last cake in the {place}?",
    "When do we leave the {place} for lunch?",
    "Where is everybody, at the {place}?",
)
EXAMPLE = Example("x", "pair", "zorbel quota attic pls", "en", (), "votes", "2026-01-02")


def lines() -> str:
    """What this company's questions look like, and talk that looks like questions elsewhere."""
    asked = [f"1\t{text.format(place=place)}" for text, place in product(ASKED, PLACES)]
    said = [f"0\t{text.format(place=place)}" for text, place in product(SAID, PLACES)]
    return "\n".join([*asked, *said]) + "\n"


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("messages") / "messages.tsv"
    path.write_text(lines())
    return path


@pytest.fixture(scope="module")
def settings(messages: Path) -> Settings:
    return Settings(home=messages.parent / "home")


@pytest.fixture(scope="module")
def model() -> Embedder:
    return WordEmbedder(dimension=512)


@pytest.fixture(scope="module")
def learned(messages: Path, settings: Settings, model: Embedder) -> LearnedRun:
    return learn_triage(messages, settings, model)


def test_what_people_say_here_makes_a_better_triage_in_both_directions(learned: LearnedRun) -> None:
    assert learned.decision.is_passed
    assert learned.run.facts.metrics["auroc"] > 0.9


def test_a_run_holds_the_model_its_scores_and_pictures(
    learned: LearnedRun, settings: Settings
) -> None:
    folder = folder_of(settings.runs_folder, learned.run)
    names = {path.name for path in folder.iterdir()}
    assert {"triage.json", "scores.json", "scores.png", "gate.md"} <= names


def test_the_same_messages_and_seed_make_the_same_model(
    learned: LearnedRun, messages: Path, settings: Settings, model: Embedder
) -> None:
    again = learn_triage(messages, settings, model)
    assert again.run.files["triage.json"] == learned.run.files["triage.json"]


def test_a_published_model_serves(learned: LearnedRun, settings: Settings, model: Embedder) -> None:
    publish(settings.runs_folder, learned.run, reason="passed")
    served = load_separator(settings.models_folder, model)
    assert served.score(model.embed_queries(["zorbel quota shed pls"]))[0] >= served.threshold


def test_a_data_set_holds_questions_and_messages_that_were_mistaken_for_one(
    tmp_path: Path,
) -> None:
    mistaken = replace(EXAMPLE, kind="message", question="lunch?", is_good=False)
    taken = replace(EXAMPLE, kind="message", question="zorbel?")
    made = replace(EXAMPLE, question="Made up?", source="synthetic")
    write_examples(tmp_path, "train", [EXAMPLE, replace(EXAMPLE, kind="answer"), mistaken, made])
    write_examples(tmp_path, "dev", [])
    write_examples(tmp_path, "held-out", [taken])
    found = read_messages(tmp_path)
    both = {message.text: message.is_question for message in (*found.train, *found.held_out)}
    assert both == {EXAMPLE.question: True, "lunch?": False, "zorbel?": True}
    assert "zorbel?" in [message.text for message in found.held_out]


def test_too_few_messages_say_how_many_are_missing(
    tmp_path: Path, settings: Settings, model: Embedder
) -> None:
    (tmp_path / "few.tsv").write_text(lines()[:2_000].rpartition("\n")[0] + "\n")
    with pytest.raises(DataError, match=r"other messages; triage needs 30, \d+ more"):
        learn_triage(tmp_path / "few.tsv", settings, model)


def test_noisy_twins_are_learned_from_and_told_of(
    learned: LearnedRun, messages: Path, settings: Settings, model: Embedder
) -> None:
    augmented = learn_triage(messages, settings, model, augments=True)
    assert augmented.decision.comparison.candidate > 0.9
    assert "typos" in augmented.run.facts.config["augment"]
    assert augmented.run.files["triage.json"] != learned.run.files["triage.json"]


def test_words_near_in_meaning_mislead_a_model_that_has_not_learned_from_them() -> None:
    settings = Settings(embedder="all-minilm-l6-v2", device="cpu")
    model = Embedder.load(settings)
    encoder = encoder_of(model, settings)
    assert encoder is not None
    messages = read_labelled(SEEDS)[::10]
    separator = load_separator(settings.models_folder, model)
    twins = misleading(messages, separator, model, encoder)
    before, after = (
        separator.score(model.embed_queries([clean(text) for text in texts]))
        for texts in ([message.text for message in messages], twins)
    )
    is_misled = [
        bool(now < then) == message.is_question
        for message, then, now, twin in zip(messages, before, after, twins, strict=True)
        if clean(message.text) != twin
    ]
    assert len(is_misled) > 5
    assert sum(is_misled) > 0.8 * len(is_misled)


def test_an_embedder_that_is_not_the_configured_one_has_no_gradient(
    model: Embedder, settings: Settings
) -> None:
    assert encoder_of(model, settings) is None

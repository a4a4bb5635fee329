from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.robustness.twins import losses, noisy_sets, save
from training.data.augmentation import Augmentation
from training.data.noise import NOISES

DRAWN = {"typos", "paraphrase", "mixed"}
QUESTIONS = [
    f"How do I request annual leave, or a new password, for {days} days by email or ticket?"
    for days in range(2, 40)
]


def test_what_measures_is_said_otherwise_than_what_is_learned_from() -> None:
    sets = noisy_sets(QUESTIONS)
    assert {noise.kind for noise in sets} == set(NOISES)
    learned = {Augmentation(seed).twin(text) for seed in range(3) for text in QUESTIONS}
    # There is but one way to be careless.
    measured = {text for noise in sets if noise.kind in DRAWN for text in noise.texts}
    assert not learned & measured


def test_a_loss_is_of_the_questions_that_have_a_twin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = ["Where is the password kept?", "Zorbel marfin quintle yelpan drovic tascot"]

    def scores(texts: Sequence[str], rows: Sequence[int]) -> list[float]:
        return [float(texts == questions and row == 0) for row in rows]

    mixed = [noise for noise in noisy_sets(questions) if noise.kind == "careless"]
    found = losses("here", questions, mixed, scores)
    save(found, tmp_path / "losses.json", tmp_path / "losses.svg")
    (row,) = json.loads((tmp_path / "losses.json").read_text())
    assert row["questions"] == len(mixed[0].rows)
    assert "here: 0.500 on 2 questions" in capsys.readouterr().out
    assert {path.name for path in tmp_path.glob("*.svg")} == {
        "losses-light.svg",
        "losses-dark.svg",
    }

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from retrieval.errors import DataError, ModelCorruptError, ModelUnsuitableError
from retrieval.evaluation.metrics import auroc
from retrieval.llm.chat_format import load_chat_format
from retrieval.llm.generator import load_model
from retrieval.models.device import Device
from tests.retrieval.llm.tiny_models import save_causal, save_seq2seq
from tests.training.generator.test_tuning import likelihood, rows, weights
from training.generator.hyperparameters import likelihood as likelihood_of
from training.generator.private import (
    PRIVATE,
    PrivacyPlan,
    check_saved,
    learn_privately,
    plan,
    spent,
)
from training.generator.rows import TokenRow
from training.generator.tuning import with_adapter
from training.trainer import TrainerSetup

pytestmark = pytest.mark.slow

CPU = Device("cpu", torch.float32, 1)
CONFIG = replace(PRIVATE, upper=1.0, learning_rate=3e-2, at_once=16)
QUIET = PrivacyPlan(8, 1e-4, noise_multiplier=0.0, sample_rate=1.0, steps=3)


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_causal(tmp_path_factory.mktemp("causal"))


def trained(folder: Path, planned: PrivacyPlan, *, times: int = 1, at_once: int = 16) -> PeftModel:
    """An adapter that has learned the same four answers so many times."""
    chat_format = load_chat_format(folder)
    config = replace(CONFIG, at_once=at_once)
    model = with_adapter(load_model(folder, CPU, chat_format.kind), config, seed=0)
    known = [
        replace(row, prompt=row.prompt[: len(row.prompt) - n])  # of different lengths
        for row in rows(chat_format)
        for n in range(times)
    ]
    setup = TrainerSetup(folder / "work")
    learn_privately(model, chat_format, known, planned, setup, device=CPU, config=config)
    return model


def test_answers_are_learned_through_the_noise(causal: Path) -> None:
    planned = PrivacyPlan(8, 1e-3, noise_multiplier=1.2, sample_rate=0.5, steps=40)
    model = trained(causal, planned, times=40)
    with model.disable_adapter():
        before = likelihood(model, causal, "y")
    assert likelihood(model, causal, "y") > before + 1


def test_rows_that_are_read_together_teach_what_they_teach_one_by_one(causal: Path) -> None:
    together = trained(causal, QUIET, times=3)
    alone = trained(causal, QUIET, times=3, at_once=1)
    assert torch.allclose(weights(together), weights(alone), atol=1e-4)


def test_the_seed_does_not_tell_the_noise(causal: Path) -> None:
    loud = replace(QUIET, noise_multiplier=1.0, sample_rate=0.5, steps=2)
    assert not torch.equal(*(weights(trained(causal, loud)) for _ in range(2)))


class Drawn(list[TokenRow]):
    """Rows that know how often each was drawn."""

    def __init__(self, some: Sequence[TokenRow]) -> None:
        super().__init__(some)
        self.times: Counter[int] = Counter()

    def __getitem__(self, place: Any) -> Any:
        self.times[place] += 1
        return super().__getitem__(place)


def test_each_row_is_drawn_by_itself(causal: Path) -> None:
    chat_format = load_chat_format(causal)
    model = with_adapter(load_model(causal, CPU, chat_format.kind), CONFIG, seed=0)
    known = Drawn(rows(chat_format) * 5)
    half = replace(QUIET, sample_rate=0.5, steps=30)
    setup = TrainerSetup(causal / "work")
    assert learn_privately(model, chat_format, known, half, setup, device=CPU, config=CONFIG) == 30
    assert 200 < known.times.total() < 400
    assert len(set(known.times.values())) > 3


def told_apart(folder: Path, noise: float) -> float:
    """How well codes that were learned are told from others by how much likelier they became."""
    chat_format = load_chat_format(folder)

    def code(number: int) -> TokenRow:
        drawn = "".join(random.Random(number).choices("abcdefghijklmnop", k=6))
        prompt = chat_format.encode(f"{number}?", has_special=False)
        return TokenRow(tuple(prompt), tuple(chat_format.encode(drawn, has_special=False)))

    def losses() -> list[float]:
        return [-likelihood_of(model, chat_format, [row]) for row in codes]

    codes = [code(number) for number in range(40)]
    model = with_adapter(load_model(folder, CPU, chat_format.kind), CONFIG, seed=0)
    before = losses()
    planned = replace(QUIET, noise_multiplier=noise, steps=100)
    setup = TrainerSetup(folder / "work")
    learn_privately(model, chat_format, codes[:20], planned, setup, device=CPU, config=CONFIG)
    gains = [one - other for one, other in zip(before, losses(), strict=True)]
    return auroc(gains[:20], gains[20:])


def test_planted_codes_are_told_from_others_and_not_when_there_is_noise(causal: Path) -> None:
    assert told_apart(causal, 0.0) > 0.95
    assert told_apart(causal, 20.0) < 0.85


def test_a_step_that_nobody_was_drawn_for_is_noise_alone(causal: Path) -> None:
    model = trained(causal, replace(QUIET, sample_rate=1e-9, noise_multiplier=1.0))
    assert weights(model).isfinite().all()


def test_the_adapter_that_is_kept_must_be_the_one_that_was_trained(
    causal: Path, tmp_path: Path
) -> None:
    model = trained(causal, QUIET)
    model.save_pretrained(str(tmp_path))
    check_saved(tmp_path, model)
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    name = next(iter(tensors))
    save_file(tensors | {name: tensors[name] + 1}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(ModelCorruptError, match="is not what was trained"):
        check_saved(tmp_path, model)


def test_an_adapter_that_nothing_has_moved_is_not_kept(causal: Path, tmp_path: Path) -> None:
    model = with_adapter(load_model(causal, CPU, "causal"), CONFIG, seed=0)
    model.save_pretrained(str(tmp_path))
    with pytest.raises(ModelCorruptError, match="was never trained"):
        check_saved(tmp_path, model)


def test_a_plan_has_as_much_noise_as_epsilon_needs() -> None:
    strict, loose = (plan(5000, epsilon, PRIVATE, weights=300_000) for epsilon in (2, 8))
    assert strict.noise_multiplier > loose.noise_multiplier > 0
    assert strict.delta == 1 / 50_000
    assert strict.sample_rate * 5000 == PRIVATE.batch
    assert spent(loose, loose.steps // 4) < spent(loose, loose.steps) <= 8


def test_too_few_answers_are_refused_with_the_arithmetic() -> None:
    with pytest.raises(
        DataError,
        match=r"300 answers are too few for epsilon 8: 23 steps, each of which takes a row with "
        r"probability 0\.427, need noise of 1\.\d+ times .*300,000 weights that is 1\.\d times",
    ):
        plan(300, 8, PRIVATE, weights=300_000)


def test_encoder_decoders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnsuitableError, match="--dp"):
        trained(save_seq2seq(tmp_path / "model"), QUIET)

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from retrieval.errors import ModelUnsuitableError
from retrieval.llm.chat_format import ChatFormat, load_chat_format
from retrieval.llm.generator import load_model
from retrieval.models.device import Device
from tests.retrieval.llm.tiny_models import save_causal, save_seq2seq
from training.generator.rows import Method, TokenRow
from training.generator.trainers import AdapterConfig, TrainingStage
from training.generator.tuning import StageResult, learn, upper_layers, with_adapter
from training.trainer import TrainerSetup

pytestmark = pytest.mark.slow

CPU = Device("cpu", torch.float32, 1)
CONFIG = AdapterConfig(
    learning_rate=3e-2, preference_learning_rate=3e-2, at_once=4, batch=4, epochs=3, upper=1.0
)


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_causal(tmp_path_factory.mktemp("causal"))


def rows(chat_format: ChatFormat) -> list[TokenRow]:
    """Four questions with an answer each, and what is not to be said."""
    end = (int(chat_format.tokenizer.eos_token_id),)

    def tokens(text: str) -> tuple[int, ...]:
        return tuple(chat_format.encode(text, has_special=False))

    return [
        TokenRow(tokens(f"ask {n}:"), tokens("yes") + end, tokens("no") + end, is_good=n % 2 == 0)
        for n in range(4)
    ]


def trained(
    folder: Path, work: Path, *methods: Method, config: AdapterConfig = CONFIG, seed: int = 0,
    max_minutes: float | None = None,
) -> tuple[PeftModel, list[StageResult]]:  # fmt: skip
    chat_format = load_chat_format(folder)
    model = with_adapter(load_model(folder, CPU, chat_format.kind), config, seed=seed)
    stages = [TrainingStage(method, rows(chat_format)) for method in methods]
    setup = TrainerSetup(work, seed, max_minutes)
    results = learn(model, chat_format, stages, setup, device=CPU, config=config)
    return model, results


def weights(model: PeftModel) -> torch.Tensor:
    learned = [parameter for name, parameter in model.named_parameters() if ".default." in name]
    return torch.cat([parameter.detach().flatten() for parameter in learned])


@torch.no_grad()
def likelihood(model: PeftModel, folder: Path, text: str) -> float:
    """The mean log probability of the first letter of an answer."""
    chat_format = load_chat_format(folder)
    (letter,) = chat_format.encode(text, has_special=False)
    scores = [
        model(input_ids=torch.tensor([row.prompt])).logits[0, -1] for row in rows(chat_format)
    ]
    return float(torch.stack(scores).log_softmax(-1)[:, letter].mean())


def test_answers_are_learned(causal: Path, tmp_path: Path) -> None:
    _, (result,) = trained(causal, tmp_path, "sft", config=replace(CONFIG, epochs=6))
    assert result.losses[-1] < result.losses[0] - 1
    assert result.wanted_steps == len(result.losses) == 6
    assert result.figures()["sft_steps"] == 6


def test_after_preferences_the_wanted_answer_is_likelier(causal: Path, tmp_path: Path) -> None:
    model, results = trained(causal, tmp_path, "sft", "dpo")
    assert [result.method for result in results] == ["sft", "dpo"]
    with model.disable_adapter():
        before = likelihood(model, causal, "y") - likelihood(model, causal, "n")
    assert likelihood(model, causal, "y") - likelihood(model, causal, "n") > before


def test_votes_are_learned_from(causal: Path, tmp_path: Path) -> None:
    model, (result,) = trained(causal, tmp_path, "kto")
    assert len(result.losses) == 3
    assert weights(model).abs().sum() > 0


def test_encoder_decoder_models_learn_answers_and_nothing_else(tmp_path: Path) -> None:
    folder = save_seq2seq(tmp_path / "model")
    _, (result,) = trained(folder, tmp_path / "sft", "sft")
    assert result.losses[-1] < result.losses[0]
    with pytest.raises(ModelUnsuitableError, match="--method sft"):
        trained(folder, tmp_path / "dpo", "dpo")


def test_what_is_broken_off_goes_on_to_the_same_end(causal: Path, tmp_path: Path) -> None:
    _, (result,) = trained(causal, tmp_path / "broken", "sft", max_minutes=0)
    assert len(result.losses) == 1
    resumed, (whole,) = trained(causal, tmp_path / "broken", "sft")
    unbroken, _ = trained(causal, tmp_path / "unbroken", "sft")
    assert len(whole.losses) == 3
    assert torch.allclose(weights(resumed), weights(unbroken), atol=1e-5)


def test_only_the_upper_layers_learn(causal: Path) -> None:
    model = load_model(causal, CPU, "causal")
    names = upper_layers(model, 0.5)
    assert len(names) == 7
    assert all(name.startswith("model.layers.1.") for name in names)

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from retrieval.llm.chat_format import load_chat_format
from retrieval.llm.generator import load_model
from retrieval.models.device import Device
from tests.retrieval.llm.tiny_models import save_causal
from training.generator.rows import TokenRow
from training.generator.strength import MOST_SILENCED, STRENGTHS, SilencePair, settle
from training.generator.trainers import AdapterConfig, TrainingStage
from training.generator.tuning import learn, with_adapter
from training.trainer import TrainerSetup

pytestmark = pytest.mark.slow

CPU = Device("cpu", torch.float32, 1)
CONFIG = AdapterConfig(learning_rate=3e-2, at_once=4, batch=4, epochs=6, upper=1.0)


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_causal(tmp_path_factory.mktemp("causal"))


def pairs(folder: Path) -> list[SilencePair]:
    """Questions to be answered with `yes` and, after other passages, to be declined."""
    chat_format = load_chat_format(folder)

    def row(prompt: str, text: str) -> TokenRow:
        read, written = (chat_format.encode(part, has_special=False) for part in (prompt, text))
        return TokenRow(tuple(read), (*written, int(chat_format.tokenizer.eos_token_id)))

    return [(row(f"told {n}:", "yes"), row(f"lost {n}:", "none")) for n in range(4)]


def learned(folder: Path, work: Path, rows: list[TokenRow]) -> PeftModel:
    chat_format = load_chat_format(folder)
    model = with_adapter(load_model(folder, CPU, chat_format.kind), CONFIG, seed=0)
    stages = [TrainingStage("sft", rows)]
    learn(model, chat_format, stages, TrainerSetup(work), device=CPU, config=CONFIG)
    return model


def products(model: PeftModel) -> torch.Tensor:
    learned = [value for name, value in model.named_parameters() if ".lora_B." in name]
    return torch.cat([value.detach().flatten() for value in learned])


def test_what_declines_only_where_it_should_is_used_as_it_is(causal: Path, tmp_path: Path) -> None:
    asked = pairs(causal)
    model = learned(causal, tmp_path, [row for pair in asked for row in pair] * 4)
    before = products(model)
    settled = settle(model, asked)
    assert (settled.strength, settled.false_silence) == (1.0, 0.0)
    assert settled.right_silence == 1.0
    assert torch.equal(products(model), before)


def test_what_was_taught_to_decline_everything_is_weakened_until_it_speaks(
    causal: Path, tmp_path: Path
) -> None:
    asked = pairs(causal)
    silenced = [replace(told, completion=lost.completion) for told, lost in asked]
    model = learned(causal, tmp_path, silenced * 4)
    before = products(model)
    settled = settle(model, asked)
    assert settled.strength < 1
    assert settled.false_silence <= MOST_SILENCED or settled.strength == min(STRENGTHS)
    assert torch.allclose(products(model), before * settled.strength)

"""Trains a low-rank adapter of a generator on rows of tokens.

That is LoRA (Hu et al. 2021). Only the upper layers learn: nothing has to be carried back through
the others. What is broken off goes on from its last checkpoint. Under `accelerate launch` several
processors or GPUs share each step, and a step learns from as many rows as on one.
"""

from __future__ import annotations

import math
import re
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retrieval.errors import ModelUnsuitableError
from retrieval.llm.chat_format import ChatFormat
from retrieval.models.device import Device
from training.generator.rows import Method
from training.generator.trainers import AdapterConfig, TrainingStage, make_trainer
from training.trainer import TrainerSetup

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class StageResult:
    """What became of a stage; times are of this process, memory is the most it ever held."""

    method: Method
    losses: tuple[float, ...]
    wanted_steps: int
    seconds: float
    cpu_seconds: float
    tokens: int
    peak_gib: float

    def figures(self) -> Mapping[str, float]:
        """What a step takes, by name."""
        steps = max(1, len(self.losses))
        return {
            f"{self.method}_steps": len(self.losses),
            f"{self.method}_wanted_steps": self.wanted_steps,
            f"{self.method}_seconds_a_step": round(self.seconds / steps, 2),
            f"{self.method}_cpu_seconds_a_step": round(self.cpu_seconds / steps, 2),
            f"{self.method}_tokens_a_cpu_second": round(self.tokens / max(self.cpu_seconds, 1e-9)),
            f"{self.method}_peak_gib": self.peak_gib,
        }


def with_adapter(model: PreTrainedModel, config: AdapterConfig, *, seed: int) -> PeftModel:
    """The model with a new adapter that changes nothing yet; the model's own weights stay."""
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    set_seed(seed)
    return get_peft_model(
        model,
        LoraConfig(
            r=config.rank,
            lora_alpha=config.alpha,
            lora_dropout=0.0,
            target_modules=upper_layers(model, config.upper),
        ),
    )


def upper_layers(model: PreTrainedModel, share: float) -> list[str]:
    """The names of all products in the last `share` of a model's layers, each stack by itself."""
    from torch import nn

    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    found = [(match[1], int(match[2]), name) for name in linear if (match := _LAYER.match(name))]
    if not found:
        raise ModelUnsuitableError(f"{model.config.model_type} has no layers that could learn")
    count = {stack: 1 + max(n for other, n, _ in found if other == stack) for stack, _, _ in found}
    return [name for stack, n, name in found if n >= math.floor((1 - share) * count[stack])]


_LAYER = re.compile(r"(.*?\.)(\d+)\.")


def learn(
    model: PeftModel,
    chat_format: ChatFormat,
    stages: Sequence[TrainingStage],
    setup: TrainerSetup,
    *,
    device: Device,
    config: AdapterConfig,
) -> list[StageResult]:
    """Let the adapter learn one stage after the other, in place.

    Args:
        model: What `with_adapter` gave.
        chat_format: How the model reads.
        stages: What to learn.
        setup: Where checkpoints are written, and how long all of it may take.
        device: Where.
        config: How.

    Raises:
        ModelUnsuitableError: If an encoder-decoder model is to learn preferences or votes.
    """
    if chat_format.kind == "seq2seq" and any(stage.method != "sft" for stage in stages):
        raise ModelUnsuitableError(
            "encoder-decoder models learn from answers alone; use --method sft"
        )
    minutes = None if setup.max_minutes is None else setup.max_minutes / len(stages)
    results = []
    for stage in stages:
        own = replace(setup, work=setup.work / stage.method, max_minutes=minutes)
        trainer = make_trainer(model, chat_format, stage, own, device=device, config=config)
        began, cpu = time.monotonic(), time.process_time()
        losses = own.train(trainer, f"{stage.method}: ")
        results.append(
            StageResult(
                stage.method,
                losses,
                trainer.state.max_steps,
                time.monotonic() - began,
                time.process_time() - cpu,
                round(sum(row.tokens for row in stage.rows) * trainer.state.epoch),
                round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 1),
            )
        )
    return results

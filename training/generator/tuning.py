"""Teaches a generator a low-rank adapter from rows of tokens.

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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.errors import ModelUnsuitableError
from retrieval.llm.chat_format import ChatFormat
from retrieval.models.device import Device
from retrieval.progress import Tell
from training.generator.rows import Method
from training.generator.trainers import AdapterConfig, TrainingStage, make_trainer
from training.trainer import last_whole

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, TrainerCallback

TOLD = 20
"""About so many steps are told of."""


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

    linear = [name for name, each in model.named_modules() if isinstance(each, nn.Linear)]
    found = [(match[1], int(match[2]), name) for name in linear if (match := _LAYER.match(name))]
    if not found:
        raise ModelUnsuitableError(f"{model.config.model_type} has no layers that could learn")
    count = {stack: 1 + max(n for each, n, _ in found if each == stack) for stack, _, _ in found}
    return [name for stack, n, name in found if n >= math.floor((1 - share) * count[stack])]


_LAYER = re.compile(r"(.*?\.)(\d+)\.")


def learn(
    model: PeftModel,
    wording: ChatFormat,
    stages: Sequence[TrainingStage],
    *,
    device: Device,
    work: Path,
    config: AdapterConfig | None = None,
    seed: int = 0,
    max_minutes: float | None = None,
    on_progress: Tell = lambda _: None,
) -> list[StageResult]:
    """Let the adapter learn one stage after the other, in place.

    Args:
        model: What `with_adapter` gave.
        wording: How the model reads.
        stages: What to learn.
        device: Where.
        work: Where checkpoints are written; what is there already is gone on with.
        config: How.
        seed: The same seed gives the same adapter on the same machine.
        max_minutes: Stop after so long, with what is learned until then.
        on_progress: Is told about steps.

    Raises:
        ModelUnsuitableError: If an encoder-decoder model is to learn preferences or votes.
    """
    if wording.kind == "seq2seq" and any(stage.method != "sft" for stage in stages):
        raise ModelUnsuitableError(
            "encoder-decoder models learn from answers alone; use --method sft"
        )
    from transformers import PrinterCallback

    config = config or AdapterConfig()
    minutes = math.inf if max_minutes is None else max_minutes / len(stages)
    courses = []
    for stage in stages:
        teller = Teller(stage.method, until=time.monotonic() + 60 * minutes, say=on_progress)
        folder = work / stage.method
        trainer = make_trainer(model, wording, stage, device, folder, config, seed)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(_callback(teller))
        began, cpu = time.monotonic(), time.process_time()
        trainer.train(resume_from_checkpoint=last_whole(folder))
        courses.append(
            StageResult(
                stage.method,
                tuple(line["loss"] for line in trainer.state.log_history if "loss" in line),
                trainer.state.max_steps,
                time.monotonic() - began,
                time.process_time() - cpu,
                round(sum(row.tokens for row in stage.rows) * trainer.state.epoch),
                round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 1),
            )
        )
    return courses


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells how far a stage is, and stops it when its time is over."""

    method: Method
    until: float
    say: Tell

    def tell(self, step: int, steps: int, loss: float) -> None:
        if step % max(1, steps // TOLD) == 0 or step == steps:
            self.say(f"{self.method}: step {step} of {steps}, loss {loss:.3f}")

    def is_over(self) -> bool:
        """Whether time is up for any of the processes that share the work."""
        from accelerate.utils import gather_object

        return any(gather_object([time.monotonic() > self.until]))


def _callback(teller: Teller) -> TrainerCallback:
    from transformers import TrainerCallback, TrainerControl, TrainerState

    class Told(TrainerCallback):
        def on_log(  # type: ignore[override]  # the logs are among what is given by name
            self,
            _: object,
            state: TrainerState,
            *__: object,
            logs: Mapping[str, float],
            **___: object,
        ) -> None:
            if "loss" in logs and state.is_world_process_zero:
                teller.tell(state.global_step, state.max_steps, logs["loss"])

        def on_step_end(  # type: ignore[override]  # nor is anything else looked at
            self, _: object, __: object, control: TrainerControl, **___: object
        ) -> None:
            if teller.is_over():
                control.should_training_stop = control.should_save = True

    return Told()

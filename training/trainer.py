"""What the trainers of transformers have in common: checkpoints, progress, and an end in time."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.progress import Tell

if TYPE_CHECKING:
    from transformers import Trainer, TrainerCallback

STATE = "trainer_state.json"
"""The last file of a checkpoint to be written: without it the checkpoint is not whole."""

TOLD = 20
"""About so many steps are told of."""


@dataclass(frozen=True, slots=True)
class LearnOptions:
    """What seeds a learner, how much it may do, and whom it tells.

    The same seed and data set give the same run on the same machine. So many `trials` are made
    before, of other configurations, on questions held back. Each time, learning stops after
    `max_minutes`. One that `augments` learns from noisy twins of the questions, too.
    """

    seed: int = 0
    trials: int = 0
    max_minutes: float | None = None
    on_progress: Tell = lambda _: None
    augments: bool = False

    def setup(self, work: Path) -> TrainerSetup:
        """For a trainer that writes its checkpoints to `work`."""
        return TrainerSetup(work, self.seed, self.max_minutes, self.on_progress)


@dataclass(frozen=True, slots=True)
class TrainerSetup:
    """Where a trainer writes its checkpoints, what seeds it, when it stops, and whom it tells.

    What is in `work` already is gone on with. The same seed gives the same model on the same
    machine. After `max_minutes` it stops, with what is learned until then.
    """

    work: Path
    seed: int = 0
    max_minutes: float | None = None
    on_progress: Tell = lambda _: None

    def train(self, trainer: Trainer, name: str = "") -> tuple[float, ...]:
        """Let a trainer learn, from its last checkpoint on; the losses that it logs.

        Args:
            trainer: Writes its checkpoints to `work`.
            name: Stands before what is told.
        """
        from transformers import PrinterCallback

        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(_reporter(self, name))
        trainer.train(resume_from_checkpoint=last_whole(self.work))
        return tuple(line["loss"] for line in trainer.state.log_history if "loss" in line)


def _reporter(setup: TrainerSetup, name: str) -> TrainerCallback:
    """What tells how far a trainer is, and stops it when its time is over."""
    from accelerate.utils import gather_object
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

    minutes = math.inf if setup.max_minutes is None else setup.max_minutes
    until = time.monotonic() + 60 * minutes

    class Reporter(TrainerCallback):
        told = 0

        def on_log(  # type: ignore[override]  # the logs are among what is given by name
            self,
            _: object,
            state: TrainerState,
            *__: object,
            logs: Mapping[str, float],
            **___: object,
        ) -> None:
            step, steps = state.global_step, state.max_steps
            is_due = step == steps or step - self.told >= steps / TOLD
            if "loss" in logs and state.is_world_process_zero and is_due:
                setup.on_progress(f"{name}step {step} of {steps}, loss {logs['loss']:.3f}")
                self.told = step

        def on_step_end(  # type: ignore[override]  # nor is anything else looked at
            self, args: TrainingArguments, _: object, control: TrainerControl, **__: object
        ) -> None:
            # Processes that share the work must all stop after the same step.
            if any(gather_object([time.monotonic() > until])):
                control.should_training_stop = True
                if args.save_strategy == "steps":  # the end of an epoch saves by itself
                    control.should_save = True

    return Reporter()


def last_whole(folder: Path) -> str | None:
    """The last checkpoint in a folder that was written to its end."""
    whole = [state.parent for state in folder.glob(f"checkpoint-*/{STATE}")]
    return str(max(whole, key=lambda path: int(path.name.partition("-")[2]))) if whole else None


def is_helper() -> bool:
    """Whether this process only shares the work of another, which keeps what comes out of it."""
    return int(os.environ.get("RANK", "0")) > 0

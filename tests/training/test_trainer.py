from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments

from training.trainer import TOLD, TrainerSetup

STEPS = 4 * TOLD


class Numbers(Dataset[dict[str, torch.Tensor]]):
    """As many numbers as there are steps, each to be made nothing."""

    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, row: int) -> dict[str, torch.Tensor]:
        return {"number": torch.tensor([float(row)])}


class Multiple(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, number: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": (self.weight * number).square().mean()}


def trainer(work: Path) -> Trainer:
    arguments = TrainingArguments(
        output_dir=str(work), per_device_train_batch_size=1, num_train_epochs=1, logging_steps=1,
        save_strategy="steps", save_steps=STEPS, use_cpu=True, report_to="none",
        disable_tqdm=True, dataloader_pin_memory=False, remove_unused_columns=False,
    )  # fmt: skip
    return Trainer(model=Multiple(), args=arguments, train_dataset=Numbers())


def test_of_many_steps_about_twenty_are_told_of_and_all_losses_kept(tmp_path: Path) -> None:
    told: list[str] = []
    losses = TrainerSetup(tmp_path, on_progress=told.append).train(trainer(tmp_path), "sft: ")
    assert len(losses) == STEPS
    assert len(told) == TOLD
    assert told[-1].startswith(f"sft: step {STEPS} of {STEPS}, loss ")


@pytest.mark.slow
def test_a_trainer_whose_time_is_over_goes_on_from_where_it_stopped(tmp_path: Path) -> None:
    assert len(TrainerSetup(tmp_path, max_minutes=0).train(trainer(tmp_path))) == 1
    assert len(TrainerSetup(tmp_path).train(trainer(tmp_path))) == STEPS

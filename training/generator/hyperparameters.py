"""Searches an adapter's hyperparameters: how likely does it make answers held back?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from retrieval.errors import DataError
from retrieval.llm.chat_format import ChatFormat, load_chat_format
from retrieval.llm.generator import load_model
from retrieval.models.device import Device
from training.generator.rows import TokenRow
from training.generator.trainers import IGNORED, AdapterConfig, TrainingStage
from training.generator.tuning import learn, with_adapter
from training.hyperparameters import Study, search
from training.trainer import LearnOptions

if TYPE_CHECKING:
    from optuna import Trial
    from peft import PeftModel

MIN_HELD_BACK = 10
"""Fewer rows than this tell nothing of which configuration is better."""


def suggest(trial: Trial, usual: AdapterConfig) -> AdapterConfig:
    """What a search may try; all else is as usual."""
    rank = trial.suggest_categorical("rank", sorted({4, 8, 16, 32, usual.rank}))
    return replace(
        usual,
        rank=rank,
        alpha=round(rank * usual.alpha / usual.rank),
        upper=trial.suggest_float("upper", 0.1, 1.0),
        learning_rate=trial.suggest_float("learning_rate", 3e-5, 3e-2, log=True),
        epochs=trial.suggest_float("epochs", 1.0, 8.0),
    )


def search_config(
    model: Path,
    train: Sequence[TokenRow],
    held_back: Sequence[TokenRow],
    options: LearnOptions,
    *,
    start: AdapterConfig,
    device: Device,
) -> Study[AdapterConfig]:
    """The configuration after which the answers held back are most likely.

    Args:
        model: The folder of the generator.
        train: Rows with answers to learn.
        held_back: Rows with answers to other questions.
        options: Say how many to try; each takes as long as learning.
        start: The usual configuration.
        device: Where.

    Raises:
        DataError: If too few rows are held back.
        ExtraMissingError: If Optuna is not installed.
    """
    if len(held_back) < MIN_HELD_BACK:
        raise DataError(
            f"a search needs {MIN_HELD_BACK} answers in dev.jsonl, which it does not learn from; "
            f"found {len(held_back)}"
        )
    chat_format = load_chat_format(model)

    def score(config: AdapterConfig) -> float:
        adapted = with_adapter(
            load_model(model, device, chat_format.kind), config, seed=options.seed
        )
        with TemporaryDirectory() as work:
            learn(
                adapted,
                chat_format,
                [TrainingStage("sft", train)],
                replace(options, max_minutes=None).setup(Path(work)),
                device=device,
                config=config,
            )
        return likelihood(adapted, chat_format, held_back)

    return search(suggest, score, start=start, options=options)


def likelihood(model: PeftModel, chat_format: ChatFormat, rows: Sequence[TokenRow]) -> float:
    """The mean logarithm of the likelihood of the rows' completions, a token."""
    import torch

    model.eval()
    total = count = 0.0
    with torch.inference_mode():
        for row in rows:
            prompt, wanted = list(row.prompt), list(row.completion)
            if chat_format.kind == "seq2seq":
                read, labels = prompt, wanted
            else:
                read, labels = prompt + wanted, [IGNORED] * len(prompt) + wanted
            loss = model(
                input_ids=torch.tensor([read], device=model.device),
                labels=torch.tensor([labels], device=model.device),
            ).loss
            total -= float(loss) * len(wanted)
            count += len(wanted)
    return total / count

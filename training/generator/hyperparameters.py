"""Looks for a better way to teach an adapter: how likely does it make answers it was not taught?"""

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
from retrieval.progress import Tell
from training.generator.rows import TokenRow
from training.generator.trainers import IGNORED, AdapterConfig, TrainingStage
from training.generator.tuning import learn, with_adapter
from training.hyperparameters import Found, search

if TYPE_CHECKING:
    from optuna import Trial
    from peft import PeftModel

MIN_HELD_BACK = 10
"""Fewer rows than this tell nothing of which way is better."""


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


def search_ways(
    model: Path,
    taught: Sequence[TokenRow],
    held_back: Sequence[TokenRow],
    *,
    start: AdapterConfig,
    trials: int,
    device: Device,
    seed: int,
    on_progress: Tell,
) -> Found[AdapterConfig]:
    """The configuration after which the answers held back are most likely.

    Args:
        model: The folder of the generator.
        taught: Rows with answers to learn.
        held_back: Rows with answers to other questions.
        start: The usual configuration.
        trials: How many to try; each takes as long as learning.
        device: Where.
        seed: The same seed gives the same trials on the same machine.
        on_progress: Is told what is being done.

    Raises:
        DataError: If too few rows are held back.
        ExtraMissingError: If Optuna is not installed.
    """
    if len(held_back) < MIN_HELD_BACK:
        raise DataError(
            f"a search needs {MIN_HELD_BACK} answers in dev.jsonl, which it does not learn from; "
            f"found {len(held_back)}"
        )
    wording = load_chat_format(model)

    def score(config: AdapterConfig) -> float:
        pupil = with_adapter(load_model(model, device, wording.kind), config, seed=seed)
        with TemporaryDirectory() as work:
            learn(
                pupil,
                wording,
                [TrainingStage("sft", taught)],
                device=device,
                work=Path(work),
                config=config,
                seed=seed,
                on_progress=on_progress,
            )
        return likelihood(pupil, wording, held_back)

    return search(suggest, score, start=start, trials=trials, seed=seed, on_progress=on_progress)


def likelihood(model: PeftModel, wording: ChatFormat, rows: Sequence[TokenRow]) -> float:
    """The mean logarithm of the likelihood of the rows' completions, a token."""
    import torch

    model.eval()
    total = count = 0.0
    with torch.inference_mode():
        for row in rows:
            prompt, wanted = list(row.prompt), list(row.completion)
            if wording.kind == "seq2seq":
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

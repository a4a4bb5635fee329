"""The trainers of TRL and transformers, each given rows of tokens just as serving has them.

Answers are learned by themselves (sft), answers that were preferred to others by DPO with a share
of the first (Rafailov et al. 2023; Pang et al. 2024), votes by KTO (Ethayarajh et al. 2024); the
latter two hold on to what the adapter was before.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from retrieval.llm.chat_format import ChatFormat
from retrieval.models.device import Device
from training.generator.head import score_labels_only
from training.generator.rows import Method, TokenRow
from training.trainer import TrainerSetup

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from peft import PeftModel
    from transformers import PreTrainedModel, Trainer

CHECKPOINTS = 20
"""About so many are written in a stage, and the last is kept."""

DISTILLED = 256
"""Tokens at the end of a row that are learned of: the rest of a prompt would cost as much again."""

IGNORED = -100
"""The label of tokens that are read and not learned."""


_Parts = tuple["Callable[..., Trainer]", object, list[dict[str, Any]]]
"""A trainer, its own arguments, and the rows as it wants them."""


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """How an adapter is learned.

    `upper` is the share of the layers, from the last one down, that learn; `beta` holds what is
    learned from preferences and votes near what there was before. A step learns from `batch` rows,
    of which each device takes `at_once` at a time.
    """

    rank: int = 16
    alpha: int = 32
    upper: float = 0.5
    learning_rate: float = 3e-4
    preference_learning_rate: float = 1e-4
    beta: float = 0.1
    epochs: float = 2.0
    batch: int = 8
    at_once: int = 1
    warmup: float = 0.1


@dataclass(frozen=True, slots=True)
class TrainingStage:
    """Rows, and how they are learned."""

    method: Method
    rows: Sequence[TokenRow]


def make_trainer(
    model: PeftModel | PreTrainedModel,
    chat_format: ChatFormat,
    stage: TrainingStage,
    setup: TrainerSetup,
    *,
    device: Device,
    config: AdapterConfig,
) -> Trainer:
    """What trains an adapter, or a whole model, in one stage."""
    if stage.method == "kto" and config.at_once == 1:
        config = replace(config, at_once=2)  # one answer alone has nothing to be compared with
    arguments = _arguments(stage, setup, device, config)
    # Padding is masked; but a tokenizer's own token for it may be one that the model has not.
    chat_format.tokenizer.pad_token = chat_format.tokenizer.eos_token
    if chat_format.kind == "seq2seq":
        return _seq2seq_trainer(model, chat_format, stage.rows, arguments)
    parts = {"sft": _sft, "dpo": _dpo, "kto": _kto}[stage.method]
    make, args, texts = parts(stage.rows, arguments, config)
    trainer = make(
        model=model,
        args=args,
        train_dataset=_dataset(texts),
        processing_class=chat_format.tokenizer,
    )
    if device.name == "cpu":
        score_labels_only(_base_of(model))
    return trainer


def make_distiller(
    model: PeftModel,
    teacher: PreTrainedModel,
    rows: Sequence[TokenRow],
    setup: TrainerSetup,
    *,
    device: Device,
    config: AdapterConfig,
) -> Trainer:
    """What trains an adapter to say of each next token of rows what a teacher says.

    The loss is the divergence of what both say (Hinton et al. 2015) of the last `DISTILLED` tokens.
    """
    import torch
    from torch.nn.functional import kl_div
    from transformers import Trainer, TrainingArguments

    arguments = _arguments(TrainingStage("sft", rows), setup, device, replace(config, at_once=1))

    class Distiller(Trainer):
        def compute_loss(self, model: Any, inputs: Any, **_: object) -> torch.Tensor:  # type: ignore[override]  # noqa: ANN401
            with torch.no_grad():
                wanted = teacher(**inputs, logits_to_keep=DISTILLED).logits
            said = model(**inputs, logits_to_keep=DISTILLED).logits
            wanted, said = (logits.float().log_softmax(dim=-1) for logits in (wanted, said))
            return kl_div(said, wanted, log_target=True, reduction="none").sum(dim=-1).mean()

    texts = [{"input_ids": [*row.prompt, *row.completion]} for row in rows]
    return Distiller(
        model=model,
        args=TrainingArguments(**arguments),
        train_dataset=_dataset(texts),
    )


def _arguments(
    stage: TrainingStage, setup: TrainerSetup, device: Device, config: AdapterConfig
) -> dict[str, Any]:
    """What all trainers are told alike."""
    import torch

    on_cpu = device.name == "cpu"
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    steps = math.ceil(len(stage.rows) / config.batch) * config.epochs
    return {
        "output_dir": str(setup.work),
        "seed": setup.seed,
        "use_cpu": on_cpu,
        "bf16": device.dtype == torch.bfloat16,
        "activation_checkpointing": not on_cpu,  # costs a pass, where memory is not what is short
        "learning_rate": (
            config.learning_rate if stage.method == "sft" else config.preference_learning_rate
        ),
        "lr_scheduler_type": "cosine",
        "warmup_steps": math.ceil(config.warmup * steps),
        "num_train_epochs": config.epochs,
        "per_device_train_batch_size": config.at_once,
        "gradient_accumulation_steps": max(1, config.batch // (config.at_once * processes)),
        "save_strategy": "steps",
        "save_steps": max(1, round(steps) // CHECKPOINTS),
        "save_total_limit": 1,
        "logging_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": not on_cpu,
        "ddp_find_unused_parameters": False,
    }


def _sft(rows: Sequence[TokenRow], arguments: dict[str, Any], _: AdapterConfig) -> _Parts:
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    texts = [
        {
            "input_ids": [*row.prompt, *row.completion],
            "labels": [IGNORED] * len(row.prompt) + [*row.completion],
        }
        for row in rows
    ]
    return SFTTrainer, SFTConfig(**arguments, max_length=None), texts


def _dpo(rows: Sequence[TokenRow], arguments: dict[str, Any], config: AdapterConfig) -> _Parts:
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer

    texts = [
        {
            "prompt_ids": [*row.prompt],
            "chosen_ids": [*row.completion],
            "rejected_ids": [*row.rejected],
        }
        for row in rows
    ]
    # The second term keeps the preferred answer itself likely.
    losses: dict[str, Any] = {
        "loss_type": ["sigmoid", "sft"],
        "loss_weights": [1.0, 0.2],
        "beta": config.beta,
    }
    return _of_tokens(DPOTrainer), DPOConfig(**arguments, **losses, max_length=None), texts


def _kto(rows: Sequence[TokenRow], arguments: dict[str, Any], config: AdapterConfig) -> _Parts:
    from trl.trainer.kto_config import KTOConfig
    from trl.trainer.kto_trainer import KTOTrainer

    some = int(arguments["per_device_train_batch_size"])
    batches = [rows[n : n + some] for n in range(0, len(rows) - some + 1, some)]
    texts = [
        {
            "prompt_ids": [*row.prompt],
            "completion_ids": [*row.completion],
            # Each prompt's neighbour's answer, to tell how far the model has drifted.
            "KL_completion_ids": [*batch[place - 1].completion],
            "label": row.is_good,
        }
        for batch in batches
        for place, row in enumerate(batch)
    ]
    good = sum(row.is_good for row in rows)
    args = KTOConfig(
        **arguments,
        beta=config.beta,
        desirable_weight=(len(rows) - good) / good,
        max_length=None,
        train_sampling_strategy="sequential",
        dataloader_drop_last=True,
    )
    return _of_tokens(KTOTrainer), args, texts


def _base_of(model: PeftModel | PreTrainedModel) -> PreTrainedModel:
    """The model itself, without an adapter."""
    own = getattr(model, "get_base_model", None)
    return cast("PreTrainedModel", own() if own else model)


def _seq2seq_trainer(
    model: PeftModel | PreTrainedModel,
    chat_format: ChatFormat,
    rows: Sequence[TokenRow],
    arguments: dict[str, Any],
) -> Trainer:
    from transformers import DataCollatorForSeq2Seq, Seq2SeqTrainer, Seq2SeqTrainingArguments

    base = _base_of(model)
    assert base.generation_config is not None, "it writes"
    # What writing begins with is known to `generate` alone in some models; learning reads it here.
    base.config.decoder_start_token_id = base.generation_config.decoder_start_token_id
    texts = [{"input_ids": [*row.prompt], "labels": [*row.completion]} for row in rows]
    return Seq2SeqTrainer(
        model=model,
        args=Seq2SeqTrainingArguments(**arguments),
        train_dataset=_dataset(texts),
        data_collator=DataCollatorForSeq2Seq(chat_format.tokenizer, model=base),
        processing_class=chat_format.tokenizer,
    )


def _of_tokens(trainer: Any) -> Callable[..., Trainer]:  # noqa: ANN401  TRL has no types
    """A trainer of TRL that takes rows as they are: tokens already, just as serving has them."""

    class TokenTrainer(trainer):  # type: ignore[misc]  # whichever it is
        def _prepare_dataset(self, dataset: Any, *_: object) -> Any:  # noqa: ANN401  TRL's own
            return dataset

    return TokenTrainer


def _dataset(rows: list[dict[str, Any]]) -> Dataset:
    from datasets import Dataset

    return Dataset.from_list(rows)

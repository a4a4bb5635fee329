"""Fine-tunes an encoder that reads a question and a passage together and says if they belong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.models.device import choose_device, reads_fast_in_bfloat16, use_threads
from retrieval.registry.runs import MODEL
from retrieval.settings import Settings
from training.trainer import TrainerSetup

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder import CrossEncoderTrainingArguments

ATTACKED = "attacked"
"""The folder of the checkpoints of what is learned from attacks."""

SAVED_SHARE = 0.1
"""A checkpoint is written once in such a share of all steps, and the last is kept."""


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """A question, a passage's text, and how surely it answers, 0 to 1."""

    question: str
    text: str
    label: float


@dataclass(frozen=True, slots=True)
class CrossConfig:
    """How an encoder is fine-tuned.

    One that `attacks` learns for another epoch, with words beside that mislead what it became.
    """

    epochs: int = 2
    learning_rate: float = 2e-5
    batch: int = 16
    max_tokens: int = 256
    attacks: bool = False


def fine_tune(
    start: str | Path,
    pairs: Sequence[LabelledPair],
    setup: TrainerSetup,
    settings: Settings,
    *,
    config: CrossConfig,
) -> tuple[float, ...]:
    """Fine-tune an encoder on labelled pairs and write it, as safetensors, to `setup.work / MODEL`.

    Args:
        start: A cross-encoder, or any encoder, which gets an untrained last layer.
        pairs: What to learn from; they are shuffled.
        setup: Where checkpoints are written as well, and how long it may take.
        settings: Where models run.
        config: How to learn.

    Returns:
        The loss, evenly spaced over the epochs.
    """
    import torch
    from datasets import Dataset
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder import CrossEncoderTrainer
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss

    device = choose_device(settings)
    use_threads(device)
    torch.manual_seed(setup.seed)  # an untrained last layer is drawn at random
    model = CrossEncoder(str(start), num_labels=1, max_length=config.max_tokens, device=device.name)

    def learn(
        pairs: Sequence[LabelledPair], config: CrossConfig, setup: TrainerSetup
    ) -> tuple[float, ...]:
        columns = {
            "question": [pair.question for pair in pairs],
            "passage": [pair.text for pair in pairs],
            "label": [pair.label for pair in pairs],
        }
        trainer = CrossEncoderTrainer(
            model=model,
            args=_arguments(config, setup, on_cpu=device.name == "cpu"),
            train_dataset=Dataset.from_dict(columns),
            loss=BinaryCrossEntropyLoss(model),
        )
        return setup.train(trainer)

    losses = learn(pairs, config, setup)
    if config.attacks:
        beside = replace(setup, work=setup.work / ATTACKED)
        losses += learn([*pairs, *misleading(model, pairs)], replace(config, epochs=1), beside)
    model.save_pretrained(str(setup.work / MODEL))
    return losses


def misleading(model: CrossEncoder, pairs: Sequence[LabelledPair]) -> list[LabelledPair]:
    """The pairs of which a word or two can be swapped, so that the model is less right."""
    import torch

    from training.classifiers.adversarial import Attack

    def loss(numbers: Sequence[int]) -> torch.Tensor:
        some = [pairs[number] for number in numbers]
        features = {
            name: value.to(model.device) if hasattr(value, "to") else value
            for name, value in model.preprocess([(p.question, p.text) for p in some]).items()
        }
        said = model(features)["scores"].view(-1).float()
        truth = torch.tensor([pair.label for pair in some], device=said.device)
        total: torch.Tensor = torch.nn.functional.binary_cross_entropy_with_logits(
            said, truth, reduction="sum"
        )
        return total

    model.eval()
    twins = Attack(model, model.tokenizer).on([pair.question for pair in pairs], loss)
    return [
        replace(pair, question=twin)
        for pair, twin in zip(pairs, twins, strict=True)
        if twin != pair.question
    ]


def _arguments(
    config: CrossConfig, setup: TrainerSetup, *, on_cpu: bool
) -> CrossEncoderTrainingArguments:
    from sentence_transformers.cross_encoder import CrossEncoderTrainingArguments

    return CrossEncoderTrainingArguments(
        output_dir=str(setup.work),
        seed=setup.seed,
        use_cpu=on_cpu,
        bf16=reads_fast_in_bfloat16() if on_cpu else True,
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch,
        learning_rate=config.learning_rate,
        warmup_steps=0.1,
        save_strategy="steps",
        save_steps=SAVED_SHARE,
        save_total_limit=1,
        logging_steps=0.02,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=not on_cpu,
    )

"""Fine-tunes low-rank products of an encoder's weights to tell what answers a question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.errors import ModelCorruptError
from retrieval.models.device import choose_device, reads_fast_in_bfloat16, use_threads
from retrieval.settings import Settings
from training.trainer import TrainerSetup

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

LORA_SCALE = 2.0
"""What low-rank products are multiplied with."""

_LINEAR = ["query", "key", "value", "dense"]
_HEAD = {"pooler", "classifier"}
_NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
"""Low-rank products learn little by heart, and drawing takes a third of the time on a processor."""

_AT_ONCE = 4
"""Questions whose texts are in memory together; gradients of more are added up."""

_LENGTHS = 3
"""Texts that are in memory together are read in so many parts, by their length."""


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """A question, and which of some texts answer it, 0 or 1 each."""

    question: str
    texts: tuple[str, ...]
    labels: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ReaderConfig:
    """How an adapter is learned.

    A text that answers weighs `positives` times as much as one that does not. `ranking` is what it
    counts that it comes before the others of its question.
    """

    epochs: int = 2
    learning_rate: float = 6e-4
    questions: int = 32
    max_tokens: int = 320
    rank: int = 16
    positives: float = 3.0
    ranking: float = 0.5


FURTHER = ReaderConfig(epochs=1, learning_rate=4e-4, questions=16)
"""For going on from an adapter, which has something to forget."""


def fine_tune_adapter(
    start: Path,
    asked: Sequence[LabelledTexts],
    setup: TrainerSetup,
    settings: Settings,
    *,
    config: ReaderConfig,
    begin: Mapping[str, torch.Tensor] | None = None,
) -> dict[str, torch.Tensor]:
    """Learn an adapter of an encoder: its weights, by the names that layers have in the encoder.

    Args:
        start: A BERT encoder, which gets an untrained head.
        asked: What to learn from; it is shuffled.
        setup: How long it may take. Nothing is kept of what is broken off.
        settings: Where models run.
        config: How to learn.
        begin: The adapter to go on from, or None for an untrained one. Its rank is kept.

    Raises:
        ModelCorruptError: If learning diverged.
    """
    import torch
    from datasets import Dataset
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder import (
        CrossEncoderTrainer,
        CrossEncoderTrainingArguments,
    )

    device = choose_device(settings)
    use_threads(device)
    torch.manual_seed(setup.seed)  # the head is drawn at random
    model = CrossEncoder(
        str(start),
        num_labels=1,
        max_length=config.max_tokens,
        device=device.name,
        config_kwargs=_NO_DROPOUT,
    )
    _pair(model.tokenizer)
    _adapt(model.transformers_model, _rank(begin) if begin else config.rank)
    if begin:
        _begin(model.transformers_model, begin)
    on_cpu = device.name == "cpu"
    at_once = min(_AT_ONCE, config.questions) if on_cpu else config.questions
    arguments = CrossEncoderTrainingArguments(
        output_dir=str(setup.work),
        seed=setup.seed,
        use_cpu=on_cpu,
        bf16=reads_fast_in_bfloat16() if on_cpu else True,
        num_train_epochs=config.epochs,
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=config.questions // at_once,
        learning_rate=config.learning_rate,
        warmup_steps=0.1,
        save_strategy="no",
        logging_steps=0.02,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=not on_cpu,
    )
    columns = {
        "question": [labelled.question for labelled in asked],
        "texts": [list(labelled.texts) for labelled in asked],
        "labels": [list(labelled.labels) for labelled in asked],
    }
    trainer = CrossEncoderTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(columns),
        loss=_loss(model, config),
    )
    setup.train(trainer)
    weights = _learned(model.transformers_model)
    if not all(torch.isfinite(tensor).all() for tensor in weights.values()):
        raise ModelCorruptError("learning ended in what is no number; try another seed")
    return weights


def midway(
    before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The means of two adapters' weights.

    What lies between a model and what was fine-tuned from it forgets less (Wortsman et al. 2022,
    "Robust fine-tuning of zero-shot models"). Means of factors are near those of their products
    where little has moved.
    """
    return {
        name: ((before[name].float() + after[name].float()) / 2).to(after[name].dtype)
        for name in after
    }


def _loss(model: Any, config: ReaderConfig) -> torch.nn.Module:  # noqa: ANN401
    """Binary cross-entropy of each text, and cross-entropy among the texts of each question."""
    import torch
    from torch.nn import functional

    class GroupLoss(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model  # the trainer learns what its loss holds

        def forward(
            self, inputs: tuple[list[str], list[list[str]]], labels: list[torch.Tensor]
        ) -> torch.Tensor:
            groups = list(zip(*inputs, strict=True))
            pairs = [(question, text) for question, texts in groups for text in texts]
            said = self._said(pairs)
            truth = torch.cat([row.float() for row in labels]).to(said.device)
            weights = torch.where(truth > 0, config.positives, 1.0)
            loss = functional.binary_cross_entropy_with_logits(said, truth, weight=weights)
            sizes = [len(row) for row in labels]
            ranked = [
                functional.cross_entropy(row, is_right.argmax())
                for row, is_right in zip(
                    torch.split(said, sizes), torch.split(truth, sizes), strict=True
                )
                if is_right.any()
            ]
            return loss + config.ranking * torch.stack(ranked).mean() if ranked else loss

        def _said(self, pairs: list[tuple[str, str]]) -> torch.Tensor:
            """The logits of pairs, in their order.

            Those of like length are read together: what is short would be padded to the longest.
            """
            order = sorted(range(len(pairs)), key=lambda n: len(pairs[n][1]))
            size = -(-len(pairs) // _LENGTHS)
            logits = []
            for begin in range(0, len(pairs), size):
                some = [pairs[n] for n in order[begin : begin + size]]
                features = {
                    name: value.to(self.model.device) if hasattr(value, "to") else value
                    for name, value in self.model.preprocess(some).items()
                }
                logits.append(self.model(features)["scores"].view(-1).float())
            return torch.cat(logits)[torch.tensor(order).argsort()]

    return GroupLoss()


def _pair(tokenizer: PreTrainedTokenizerFast) -> None:
    """Have a tokenizer set special tokens around pairs as `Embedder.pairs` does."""
    from tokenizers.processors import TemplateProcessing

    first, behind = tokenizer.cls_token, tokenizer.sep_token
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{first} $A {behind}",
        pair=f"{first} $A {behind} $B:0 {behind}:0",
        special_tokens=[(first, tokenizer.cls_token_id), (behind, tokenizer.sep_token_id)],
    )


def _adapt(model: PreTrainedModel, rank: int) -> None:
    """Freeze all but low-rank products of the linear layers, the pooler and the last layer."""
    from peft import LoraConfig, inject_adapter_in_model

    for parameter in model.parameters():
        parameter.data = parameter.data.float()
    config = LoraConfig(
        r=rank,
        lora_alpha=int(rank * LORA_SCALE),
        target_modules=_LINEAR,
        exclude_modules=r".*pooler.*",
    )
    inject_adapter_in_model(config, model)
    for name, parameter in model.named_parameters():
        if _HEAD & {*name.split(".")}:
            parameter.requires_grad_()


def _rank(weights: Mapping[str, torch.Tensor]) -> int:
    return next(len(weights[name]) for name in weights if name.endswith(".lora_A.weight"))


def _begin(model: PreTrainedModel, weights: Mapping[str, torch.Tensor]) -> None:
    for name, parameter in _trained(model):
        parameter.data.copy_(weights[name])


def _learned(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    learned = _trained(model)
    return {name: weight.detach().half().cpu().contiguous() for name, weight in learned}


def _trained(model: PreTrainedModel) -> Iterator[tuple[str, torch.nn.Parameter]]:
    """What is learned of a model, by the names that it has in an adapter's file."""
    prefix = f"{model.base_model_prefix}."
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            yield name.removeprefix(prefix).replace(".default.", "."), parameter

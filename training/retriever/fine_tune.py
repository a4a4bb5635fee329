"""Fine-tunes a whole embedder on questions and the texts of the passages that answer them.

A question is to be nearer to its passage than to the other passages of its batch
(MultipleNegativesRankingLoss: Henderson et al. 2017). What has been learned is written down after
every epoch, so that what is broken off goes on from there; the epoch is kept that answers the
questions held back best as it would serve: beside words. Under `accelerate launch` several
processors or GPUs share the work, and each contrasts with the passages of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.models.device import choose_device, reads_fast_in_bfloat16, use_threads
from retrieval.records import Vectors
from retrieval.search.fusion import LEXICAL_WEIGHT
from retrieval.settings import Settings
from training.retriever.linear_map import MapConfig, whitening
from training.retriever.served_order import Scores
from training.retriever.training_pairs import HeldBack, TrainingTexts
from training.trainer import TrainerSetup, is_helper

if TYPE_CHECKING:
    from datasets import Dataset
    from optuna import Trial
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.evaluation import BaseEvaluator
    from sentence_transformers.sentence_transformer.training_args import (
        SentenceTransformerTrainingArguments,
    )
    from torch.nn import Module

METRIC = "ndcg"
ASKED, FOUND, OTHER = "asked", "found", "other"
LOGGED_SHARE = 0.02
"""The loss is told and drawn once in such a share of all steps."""

MATRIX = r"\.linear\.weight$"
"""The name of the whitening matrix among a model's parameters."""


@dataclass(frozen=True, slots=True)
class FineTuneConfig:
    """How an embedder is fine-tuned.

    An epoch shows each of people's pairs, over again until about `shown` of them have been, and
    `headings` beside them. The whitening matrix learns at a rate of its own. Texts are cut after
    `max_tokens`, where serving cuts passages: a model that has learned from less finds worse.
    A batch of more than `at_once` is read in parts, so that memory does not grow with it. Hard
    negatives are left out: with them learning took twice as long and found worse.
    """

    learning_rate: float = 5e-5
    matrix_learning_rate: float = 3e-4
    warmup: float = 0.1
    epochs: int = 2
    shown: int = 400
    headings: int = 400
    hard_negatives: bool = False
    batch: int = 32
    at_once: int = 64
    max_tokens: int = 256


def suggest(trial: Trial, usual: FineTuneConfig) -> FineTuneConfig:
    """What a search may try; all else is as usual."""
    return replace(
        usual,
        learning_rate=trial.suggest_float("learning_rate", 1e-5, 5e-4, log=True),
        matrix_learning_rate=trial.suggest_float("matrix_learning_rate", 3e-5, 3e-3, log=True),
        epochs=trial.suggest_int("epochs", 1, 4),
        headings=trial.suggest_int("headings", 0, 800),
        hard_negatives=trial.suggest_categorical("hard_negatives", (False, True)),
        batch=trial.suggest_categorical("batch", (32, 64, 128)),
    )


@dataclass(frozen=True, slots=True)
class TunedEmbedder:
    """What came out of it.

    `curve` is nDCG@10 on the questions held back, before and after each epoch, `losses` are evenly
    spaced over the same epochs.
    """

    model: SentenceTransformer
    curve: tuple[float, ...]
    losses: tuple[float, ...]

    @property
    def ndcg(self) -> float:
        """Of the epoch that was kept."""
        return max(self.curve[1:])


def load_base(folder: Path, passages: Vectors, settings: Settings) -> SentenceTransformer:
    """The model to start from, in full precision: the folder's own, then a whitening matrix.

    Args:
        folder: A sentence-transformers model.
        passages: Its vectors of the corpus, whose common directions the matrix shrinks.
        settings: Where models run.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense

    device = choose_device(settings)
    use_threads(device)
    model = SentenceTransformer(
        str(folder), device=device.name, model_kwargs={"dtype": torch.float32}
    )
    model.model_card_data.widget = [{}]  # else it makes examples for a card that nobody reads
    # Words keep their meaning in all languages, and most of the weights need no gradient.
    transformer: Any = model[0]
    transformer.auto_model.get_input_embeddings().requires_grad_(requires_grad=False)
    matrix = torch.from_numpy(whitening(passages, MapConfig()))
    d = len(matrix)
    model.append(
        Dense(d, d, bias=False, activation_function=None, init_weight=matrix).to(device.name)
    )
    return model


def fine_tune(
    model: SentenceTransformer,
    train: TrainingTexts,
    held_back: HeldBack,
    setup: TrainerSetup,
    *,
    prefixes: tuple[str, str],
    config: FineTuneConfig,
) -> TunedEmbedder:
    """Fine-tune a model, in place.

    Args:
        model: What to start from.
        train: What to learn, shown once an epoch.
        held_back: What chooses the epoch.
        setup: Where checkpoints are written, and how long it may take.
        prefixes: What serving puts before a query and before a passage.
        config: How to learn.
    """
    from sentence_transformers import SentenceTransformerTrainer

    longest, model.max_seq_length = model.max_seq_length, config.max_tokens

    def measure(model: SentenceTransformer) -> float:
        return float(fused_ndcg(model, held_back, prefixes).mean())

    before = measure(model)
    if not is_helper():
        setup.on_progress(f"nDCG@10 {before:.3f} on questions held back, before")
    arguments = _arguments(model, config, prefixes, setup)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=_columns(train),
        loss=_loss(model, config, is_shared=arguments.world_size > 1),
        evaluator=_evaluator(measure),
    )
    losses = setup.train(trainer)
    model.max_seq_length = longest
    log = trainer.state.log_history
    curve = [line[f"eval_{METRIC}"] for line in log if f"eval_{METRIC}" in line]
    return TunedEmbedder(model, (before, *curve), losses)


def _columns(train: TrainingTexts) -> Dataset:
    from datasets import Dataset

    columns = {ASKED: train.questions, FOUND: train.passages}
    if train.negatives:
        columns[OTHER] = train.negatives
    return Dataset.from_dict(columns)


def _loss(model: SentenceTransformer, config: FineTuneConfig, *, is_shared: bool) -> Module:
    """A batch that does not fit in memory is read in parts (Gao et al. 2021), which costs more."""
    from sentence_transformers.sentence_transformer.losses import (
        CachedMultipleNegativesRankingLoss,
        MultipleNegativesRankingLoss,
    )

    if config.batch <= config.at_once:
        return MultipleNegativesRankingLoss(model, gather_across_devices=is_shared)
    return CachedMultipleNegativesRankingLoss(
        model, mini_batch_size=config.at_once, gather_across_devices=is_shared
    )


def _arguments(
    model: SentenceTransformer,
    config: FineTuneConfig,
    prefixes: tuple[str, str],
    setup: TrainerSetup,
) -> SentenceTransformerTrainingArguments:
    from sentence_transformers import SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.training_args import BatchSamplers

    on_cpu = model.device.type == "cpu"
    return SentenceTransformerTrainingArguments(
        output_dir=str(setup.work),
        seed=setup.seed,
        use_cpu=on_cpu,
        bf16=reads_fast_in_bfloat16() if on_cpu else model.device.type == "cuda",
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch,
        batch_sampler=BatchSamplers.NO_DUPLICATES,  # a question's own passage is no negative
        prompts={ASKED: prefixes[0], FOUND: prefixes[1], OTHER: prefixes[1]},
        learning_rate=config.learning_rate,
        learning_rate_mapping={MATRIX: config.matrix_learning_rate},
        warmup_steps=config.warmup,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model=METRIC,
        logging_steps=LOGGED_SHARE,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=not on_cpu,
    )


def fused_ndcg(
    model: SentenceTransformer,
    held_back: HeldBack,
    prefixes: tuple[str, str],
    lexical_weights: Sequence[float] = (LEXICAL_WEIGHT,),
) -> Scores:
    """A model's nDCG@10 after fusion: a row for each weight of the words, a column a question."""
    import torch

    is_fast = model.device.type == "cuda" or reads_fast_in_bfloat16()
    with torch.autocast(model.device.type, torch.bfloat16, enabled=is_fast):
        asked, found = (
            model.encode([*group], prompt=prefix, show_progress_bar=False)
            for group, prefix in zip(
                (held_back.questions, held_back.passages), prefixes, strict=True
            )
        )
    return held_back.fused.ndcg(asked, found, lexical_weights)


def _evaluator(measure: Callable[[SentenceTransformer], float]) -> BaseEvaluator:
    from sentence_transformers.base.evaluation import BaseEvaluator

    class Evaluator(BaseEvaluator):
        def __call__(
            self,
            model: Any,  # noqa: ANN401 - narrower than the library's
            output_path: str | None = None,  # noqa: ARG002 - the library's signature
            epoch: int = -1,  # noqa: ARG002
            steps: int = -1,  # noqa: ARG002
        ) -> dict[str, float]:
            return {METRIC: measure(model)}

    return Evaluator()  # type: ignore[no-untyped-call]

"""Fine-tunes a whole embedder on questions and the texts of the passages that answer them.

A question is to be nearer to its passage than to the other passages of its batch
(MultipleNegativesRankingLoss: Henderson et al. 2017). What has been learned is written down after
every epoch, so that what is broken off goes on from there; the epoch that answers the questions
held back best is kept. Under `accelerate launch` several processors or GPUs share the work, and
each contrasts with the passages of all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from retrieval.models.device import choose_device, has_fast_bfloat16, use_threads
from retrieval.progress import Tell
from retrieval.records import Vectors
from retrieval.settings import Settings
from training.gate.retriever_trial import dense_ndcg
from training.retriever.linear_map import MapConfig, whitening
from training.retriever.training_pairs import HeldBack, Texts
from training.trainer import is_helper, last_whole

if TYPE_CHECKING:
    from datasets import Dataset
    from optuna import Trial
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.evaluation import BaseEvaluator
    from sentence_transformers.sentence_transformer.training_args import (
        SentenceTransformerTrainingArguments,
    )
    from torch.nn import Module
    from transformers import TrainerCallback

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
class Tuned:
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
    taught: Texts,
    held_back: HeldBack,
    *,
    prefixes: tuple[str, str],
    work: Path,
    config: FineTuneConfig | None = None,
    seed: int = 0,
    max_minutes: float | None = None,
    on_progress: Tell = lambda _: None,
) -> Tuned:
    """Fine-tune a model, in place.

    Args:
        model: What to start from.
        taught: What to learn, shown once an epoch.
        held_back: What chooses the epoch.
        prefixes: What serving puts before a query and before a passage.
        work: Where checkpoints are written; what is there already is gone on with.
        config: How to learn.
        seed: The same seed gives the same model on the same machine.
        max_minutes: Stop after so long, with the best epoch until then.
        on_progress: Is told about loss and epochs.
    """
    from sentence_transformers import SentenceTransformerTrainer
    from transformers import PrinterCallback

    config = config or FineTuneConfig()
    longest, model.max_seq_length = model.max_seq_length, config.max_tokens
    measure = _measure(held_back, prefixes)
    before = measure(model)
    if not is_helper():
        on_progress(f"nDCG@10 {before:.3f} on questions held back, before")
    arguments = _arguments(model, config, prefixes, work, seed)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=_columns(taught),
        loss=_loss(model, config, is_shared=arguments.world_size > 1),
        evaluator=_evaluator(measure),
        callbacks=[_told(max_minutes, on_progress)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=last_whole(work))
    model.max_seq_length = longest
    log = trainer.state.log_history
    curve = [line[f"eval_{METRIC}"] for line in log if f"eval_{METRIC}" in line]
    losses = [line["loss"] for line in log if "loss" in line]
    return Tuned(model, (before, *curve), tuple(losses))


def _columns(taught: Texts) -> Dataset:
    from datasets import Dataset

    columns = {ASKED: taught.questions, FOUND: taught.passages}
    if taught.negatives:
        columns[OTHER] = taught.negatives
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
    work: Path,
    seed: int,
) -> SentenceTransformerTrainingArguments:
    from sentence_transformers import SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.training_args import BatchSamplers

    on_cpu = model.device.type == "cpu"
    return SentenceTransformerTrainingArguments(
        output_dir=str(work),
        seed=seed,
        use_cpu=on_cpu,
        bf16=has_fast_bfloat16() if on_cpu else model.device.type == "cuda",
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


def _measure(
    held_back: HeldBack, prefixes: tuple[str, str]
) -> Callable[[SentenceTransformer], float]:
    """What gives a model's nDCG@10 on the questions held back."""
    import torch

    texts = (held_back.questions, held_back.passages)

    def measure(model: SentenceTransformer) -> float:
        is_fast = model.device.type == "cuda" or has_fast_bfloat16()
        with torch.autocast(model.device.type, torch.bfloat16, enabled=is_fast):
            asked, found = (
                model.encode([*each], prompt=prefix, show_progress_bar=False)
                for each, prefix in zip(texts, prefixes, strict=True)
            )
        return fmean(dense_ndcg(asked, found, held_back.relevant))

    return measure


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


def _told(max_minutes: float | None, on_progress: Tell) -> TrainerCallback:
    """What tells how far it is, and stops it when its time is over."""
    from accelerate.utils import broadcast_object_list
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

    until = math.inf if max_minutes is None else time.monotonic() + 60 * max_minutes

    class Told(TrainerCallback):
        def on_log(
            self,
            args: TrainingArguments,  # noqa: ARG002 - the library's signature
            state: TrainerState,
            control: TrainerControl,  # noqa: ARG002
            **kwargs: Any,  # noqa: ANN401
        ) -> None:
            if "loss" in kwargs["logs"] and state.is_world_process_zero:
                loss = kwargs["logs"]["loss"]
                on_progress(f"step {state.global_step} of {state.max_steps}: loss {loss:.3f}")

        def on_step_end(
            self,
            args: TrainingArguments,  # noqa: ARG002
            state: TrainerState,  # noqa: ARG002
            control: TrainerControl,
            **kwargs: Any,  # noqa: ANN401, ARG002
        ) -> None:
            # Processes that share the work must all stop after the same step.
            if broadcast_object_list([time.monotonic() > until])[0]:
                control.should_training_stop = True

    return Told()

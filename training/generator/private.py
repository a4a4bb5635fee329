"""Trains an adapter with differential privacy: noise hides what any one answer has taught.

That is DP-SGD (Abadi et al. 2016) by Opacus: each step learns from rows that are drawn one by one
(Poisson sampling), what each teaches is cut to a fixed length, and Gaussian noise is added to the
sum. The accountant (Gopi et al. 2021) says how much noise so many steps need.

The unit of privacy is a row, and a row is one answer: with or without it, what is learned is nearly
as likely. Ratings carry no names when they are learned from, so nobody's answers can be counted:
who gave k of them is protected by k times epsilon alone.
"""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from retrieval.errors import DataError, ModelCorruptError, ModelUnsuitableError
from retrieval.llm.chat_format import ChatFormat
from retrieval.models.device import Device
from training.generator.rows import TokenRow
from training.generator.trainers import IGNORED, AdapterConfig
from training.trainer import TOLD, TrainerSetup

if TYPE_CHECKING:
    import torch
    from peft import PeftModel

UNIT = "one answer of the data set"

PRIVATE = AdapterConfig(rank=4, alpha=8, upper=0.25, learning_rate=2e-3, epochs=10.0, batch=128)
"""Noise falls on every weight alike: fewer of them, and larger batches, keep more of what is
taught."""

CLIP = 0.1
"""No row moves the sum of a step further than this, in the length of its gradient."""

MOST_NOISE = 1.0
"""Noise that is longer in all than all that rows may teach together leaves nothing of that."""


@dataclass(frozen=True, slots=True)
class PrivacyPlan:
    """What is promised and what it takes: the card of a run has it.

    Each of `steps` learns from every row with the probability `sample_rate`; its noise has
    `noise_multiplier` times the length of what one row may teach. `delta` is how likely the promise
    fails, `clip` the length.
    """

    epsilon: float
    delta: float
    noise_multiplier: float
    sample_rate: float
    steps: int
    clip: float = CLIP
    unit: str = UNIT

    def drowned(self, weights: int, rows: int) -> float:
        """How much longer the noise is in all than what `rows` can teach so many weights."""
        # Noise of all steps and weights adds up by its squares, what rows teach at most by itself.
        batch = self.sample_rate * rows
        return self.noise_multiplier / batch * math.sqrt(weights / self.steps)


def plan(
    rows: int,
    epsilon: float,
    config: AdapterConfig,
    *,
    weights: int,
    most_noise: float = MOST_NOISE,
) -> PrivacyPlan:
    """How much noise makes `rows` answers private by `epsilon` that so many weights learn.

    Raises:
        DataError: If so much would drown what they teach; the message has the arithmetic.
    """
    from opacus.accountants.utils import get_noise_multiplier

    batch = min(config.batch, rows / 2)
    rate, delta = batch / rows, 1 / (10 * rows)
    steps = max(1, round(config.epochs / rate))
    with _accounting():
        noise = get_noise_multiplier(
            target_epsilon=epsilon,
            target_delta=delta,
            sample_rate=rate,
            steps=steps,
            accountant="prv",
        )
    planned = PrivacyPlan(epsilon, delta, math.ceil(noise * 1e4) / 1e4, rate, steps)
    ratio = planned.drowned(weights, rows)
    if ratio > most_noise:
        raise DataError(
            f"{rows} answers are too few for epsilon {epsilon:g}: {steps} steps, each of which "
            f"takes a row with probability {rate:.3f}, need noise of {noise:.2f} times what a row "
            f"may teach; in {weights:,} weights that is {ratio:.1f} times all that {batch:.0f} "
            "rows a step can teach. Take more answers or a higher epsilon"
        )
    return planned


def spent(planned: PrivacyPlan, steps: int) -> float:
    """The epsilon that so many steps of a plan cost."""
    from opacus.accountants import PRVAccountant

    accountant = PRVAccountant()
    accountant.history = [(planned.noise_multiplier, planned.sample_rate, steps)]
    with _accounting():
        return float(accountant.get_epsilon(planned.delta))


@contextmanager
def _accounting() -> Iterator[None]:
    """Without a warning about the older bound, which only narrows the accountant's search."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Optimal order is the")
        yield


def learn_privately(
    model: PeftModel,
    chat_format: ChatFormat,
    rows: Sequence[TokenRow],
    planned: PrivacyPlan,
    setup: TrainerSetup,
    *,
    device: Device,
    config: AdapterConfig,
) -> int:
    """Let an adapter learn answers, in place; the number of steps that it took.

    Nothing of it but the adapter knows the rows: no losses are told or kept, nothing stops early
    but the clock, and neither what is drawn nor the noise can be made again from the seed.

    Args:
        model: What `with_adapter` gave.
        chat_format: How the model reads.
        rows: What to learn; each depends on one answer alone.
        planned: How much noise.
        setup: How long it may take, and whom it tells.
        device: Where.
        config: How.

    Raises:
        ModelUnsuitableError: If the model is an encoder-decoder.
    """
    import torch
    from opacus.grad_sample import GradSampleModule
    from opacus.optimizers import DPOptimizer
    from opacus.utils.uniform_sampler import UniformWithReplacementSampler

    if chat_format.kind == "seq2seq":
        raise ModelUnsuitableError("encoder-decoder models cannot learn with --dp")
    # Opacus keeps hold of the parameters that it is given: the model moves first (its issue 820).
    model.to(device.name).train()
    wrapped = GradSampleModule(model, strict=True)
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = DPOptimizer(
        torch.optim.Adam(learned, lr=config.learning_rate),
        noise_multiplier=planned.noise_multiplier,
        max_grad_norm=planned.clip,
        expected_batch_size=max(1, round(planned.sample_rate * len(rows))),
        generator=_secret(device.name),
    )
    drawn = UniformWithReplacementSampler(
        num_samples=len(rows),
        sample_rate=planned.sample_rate,
        generator=_secret("cpu"),
        steps=planned.steps,
    )
    began = time.monotonic()
    with warnings.catch_warnings():
        # The lowest layer that learns stands on one that does not.
        warnings.filterwarnings("ignore", "Full backward hook is firing")
        for step, places in enumerate(drawn, start=1):
            _step(model, optimizer, [rows[place] for place in places], config.at_once)
            if step % max(1, planned.steps // TOLD) == 0:
                setup.on_progress(f"step {step} of {planned.steps}")
            if setup.max_minutes is not None and time.monotonic() - began > 60 * setup.max_minutes:
                break
    wrapped.to_standard_module()
    return step


def _step(model: PeftModel, optimizer: Any, rows: Sequence[TokenRow], at_once: int) -> None:  # noqa: ANN401
    """One step from rows, few or none at a time: noise is added either way."""
    parts = [rows[n : n + at_once] for n in range(0, len(rows), at_once)] or [rows]
    for n, part in enumerate(parts, start=1):
        optimizer.zero_grad()
        if part:
            _loss(model, part).backward()  # type: ignore[no-untyped-call]
        else:
            for parameter in optimizer.params:
                parameter.grad_sample = parameter.new_zeros((0, *parameter.shape))
        optimizer.signal_skip_step(do_skip=n < len(parts))
        optimizer.step()
    optimizer.zero_grad()


def _loss(model: PeftModel, rows: Sequence[TokenRow]) -> torch.Tensor:
    """The mean of the rows' losses, each of which is the mean of its completion's tokens."""
    import torch
    from torch.nn.functional import cross_entropy
    from torch.nn.utils.rnn import pad_sequence

    device = model.device
    texts = [torch.tensor([*row.prompt, *row.completion]) for row in rows]
    labels = [torch.tensor([IGNORED] * len(row.prompt) + [*row.completion]) for row in rows]
    read = pad_sequence(texts, batch_first=True).to(device)
    mask = pad_sequence([torch.ones_like(text) for text in texts], batch_first=True).to(device)
    wanted = pad_sequence(labels, batch_first=True, padding_value=IGNORED).to(device)[:, 1:]
    base = cast("Any", model.get_base_model())
    states = base.base_model(input_ids=read, attention_mask=mask, use_cache=False)
    is_wanted = wanted != IGNORED
    # As `score_labels_only`: prompts are not scored against the whole vocabulary.
    scores = base.get_output_embeddings()(states.last_hidden_state[:, :-1][is_wanted]).float()
    losses = cross_entropy(scores, wanted[is_wanted], reduction="none")
    shares = (is_wanted / is_wanted.sum(dim=1, keepdim=True))[is_wanted]
    return (losses * shares).sum() / len(rows)


def _secret(device: str) -> torch.Generator:
    """A generator that nobody can set up again: who knew the noise could take it away."""
    import torch

    return torch.Generator(device).manual_seed(int.from_bytes(os.urandom(8)) >> 1)


def check_saved(folder: Path, model: PeftModel) -> None:
    """Make sure that the adapter in a folder is the one that was trained.

    Raises:
        ModelCorruptError: If a tensor is another, or one that began as zero still is.
    """
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import load_file

    saved = load_file(folder / "adapter_model.safetensors")
    trained = get_peft_model_state_dict(model, save_embedding_layers=False)
    if saved.keys() != trained.keys():
        raise ModelCorruptError(f"{folder} does not hold the tensors that were trained")
    for name, tensor in saved.items():
        if not torch.equal(tensor, trained[name].detach().to("cpu", tensor.dtype)):
            raise ModelCorruptError(f"{name} in {folder} is not what was trained")
        if "lora_B" in name and not tensor.any():
            raise ModelCorruptError(f"{name} in {folder} was never trained")

"""How much of what an adapter learned is used: as much as does not silence it wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.generator.rows import TokenRow

if TYPE_CHECKING:
    from peft import PeftModel

STRENGTHS = (1.0, 0.75, 0.5, 0.25)
"""Shares of what was learned, the strongest first."""

MOST_SILENCED = 0.1
"""Of questions that the passages answer, no more may be declined than this share."""

MIN_PAIRS, MOST_PAIRS = 10, 40
"""Fewer questions tell nothing of a share; more of them would take long."""

BEGINNING = 4
"""So many tokens of a refusal: what begins with them is one, however it goes on."""

SilencePair = tuple[TokenRow, TokenRow]
"""A question with the passages that answer it, and with others, so that it is to be declined."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A share of what was learned; with it so much is declined, wrongly and rightly, of 0 to 1."""

    strength: float
    false_silence: float
    right_silence: float


def settle(model: PeftModel, pairs: Sequence[SilencePair]) -> Settled:
    """Keep the largest share of an adapter that hardly declines what it could answer, in place.

    Where each share declines too much, the smallest is kept.

    Args:
        model: Causal, with an adapter that has learned.
        pairs: Questions that it has not learned from.
    """
    for share in STRENGTHS:
        _scale(model, share)
        false = _declined(model, pairs)
        if false <= MOST_SILENCED:
            break
    right = _declined(model, [(declined, declined) for _, declined in pairs])
    _fold(model, share)
    return Settled(share, false, right)


def _declined(model: PeftModel, asked: Sequence[SilencePair]) -> float:
    """Of prompts, the share that the model's likeliest tokens decline in the second one's words."""
    import torch

    model.eval()
    count = 0
    with torch.inference_mode():
        for row, silent in asked:
            wanted = silent.completion[:BEGINNING]
            read = torch.tensor([[*row.prompt, *wanted[:-1]]], device=model.device)
            written = model(input_ids=read).logits[0, -len(wanted) :].argmax(dim=-1)
            count += written.tolist() == [*wanted]
    return count / len(asked)


def _scale(model: PeftModel, share: float) -> None:
    from peft.tuners.lora import LoraLayer

    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.set_scale("default", share)


def _fold(model: PeftModel, share: float) -> None:
    """Make the share a part of the weights, as they are saved."""
    import torch

    _scale(model, 1.0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_B.default." in name:
                parameter.mul_(share)

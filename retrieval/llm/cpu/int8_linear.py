"""Linear layers in 8-bit integers, for processors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import nn

ZERO = 128
"""What 0 becomes among unsigned bytes: VNNI and AMX multiply unsigned by signed ones."""

LARGEST = 127
"""The largest level of either sign."""

CACHED = 1 << 18
"""Weights that are turned into bytes at once."""


class Levels(NamedTuple):
    """Rows in bytes, shape (rows, width), and the largest magnitude of each, (rows, 1).

    Scales a token keep what one scale a tensor loses: a single loud token would silence the rest.
    """

    bytes: torch.Tensor
    scales: torch.Tensor


def levels_of(rows: torch.Tensor) -> Levels:
    """The float32 `rows` in as few passes as torch needs."""
    scales = rows.abs().amax(dim=1, keepdim=True).clamp_min_(1e-30)
    # The half makes the cut to whole numbers round. Cutting to signed bytes wraps at 128, which
    # gives the bits of the unsigned byte five times faster than cutting to that.
    shifted = torch.addcdiv(shift(rows.shape[1]), rows, scales, value=LARGEST)
    return Levels(shifted.to(torch.int8).view(torch.uint8), scales)


@cache
def shift(width: int) -> torch.Tensor:
    """A row of what makes levels positive; adding a single number would be ten times slower."""
    return torch.full((width,), ZERO + 0.5)


class Int8Linear:
    """Linear layers that read the same rows, as one matrix with a scale for each output.

    Their outputs stand side by side, in float32.
    """

    def __init__(self, *linears: nn.Linear) -> None:
        weights, scales = zip(*(in_bytes(linear.weight) for linear in linears), strict=True)
        self.scales = torch.cat(scales).div_(LARGEST)
        self.bias = joined_bias(linears)
        self._zeros = torch.zeros(len(self.scales), dtype=torch.int32)
        self._packed = torch.ops.onednn.qlinear_prepack(torch.cat(weights), None)

    def __call__(self, levels: Levels) -> torch.Tensor:
        """The outputs, shape (rows, out)."""
        outputs = self.without_scales(levels)
        if self.bias is None:
            return outputs.mul_(levels.scales)
        return torch.addcmul(self.bias, outputs, levels.scales)

    def add_to(self, sums: torch.Tensor, levels: Levels) -> None:
        """Add the outputs to `sums`, shape (rows, out), in place."""
        sums.addcmul_(self.without_scales(levels), levels.scales)
        if self.bias is not None:
            sums.add_(self.bias)

    def without_scales(self, levels: Levels) -> torch.Tensor:
        """The outputs, without the bias, before the scale of each row."""
        outputs: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            levels.bytes, 1.0, ZERO, self._packed, self.scales, self._zeros,
            None, 1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        return outputs


def joined_bias(linears: Sequence[nn.Linear]) -> torch.Tensor | None:
    """The biases side by side, zeros for a layer without; None if no layer has one."""
    if all(linear.bias is None for linear in linears):
        return None
    biases = [
        torch.zeros(linear.out_features) if linear.bias is None else linear.bias.detach().float()
        for linear in linears
    ]
    return torch.cat(biases)


def in_bytes(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows of `weight` in signed bytes and the scale of each, in float32."""
    levels, scales = torch.empty_like(weight, dtype=torch.int8), []
    # As many rows as the processor's cache holds in float32; the whole would go through memory.
    rows = max(1, CACHED // weight.shape[1])
    for start in range(0, len(weight), rows):
        floats = weight[start : start + rows].float()
        scale = floats.abs().amax(dim=1).div_(LARGEST).clamp_min_(1e-8)
        levels[start : start + rows] = (floats * scale.reciprocal()[:, None]).round_()
        scales.append(scale)
    return levels, torch.cat(scales)


def is_supported() -> bool:
    """Whether this processor has fast 8-bit integer products, and this torch what they need."""
    names = ("_is_vnni_supported", "_is_avx512_vnni_supported", "_is_amx_tile_supported")
    has_instructions = any(getattr(torch.cpu, name, lambda: False)() for name in names)
    return has_instructions and hasattr(torch.ops.onednn, "qlinear_prepack") and wraps()


def wraps() -> bool:
    """Whether cutting a float to a signed byte keeps its lowest bits, as `levels_of` needs."""
    every = torch.arange(256) + 0.5
    return torch.equal(every.to(torch.int8).view(torch.uint8), every.to(torch.uint8))

"""Linear layers in 8-bit integers, for processors."""

from __future__ import annotations

import torch
from torch import nn

ZERO = 128
"""What 0 becomes among unsigned bytes: VNNI and AMX multiply unsigned by signed ones."""

CACHED = 1 << 18
"""Weights that are turned into bytes at once."""


class Levels:
    """Inputs in bytes. Remembers the last: the query, key and value layers all read the same."""

    def __init__(self) -> None:
        self._inputs: torch.Tensor | None = None
        self._result: tuple[torch.Tensor, torch.Tensor] = (torch.empty(0), torch.empty(0))

    def of(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The rows of `inputs` in bytes, shape (rows, width), and their scales, (rows, 1)."""
        if inputs is not self._inputs:
            rows = inputs.reshape(-1, inputs.shape[-1])
            scales = rows.abs().amax(dim=1, keepdim=True).div_(127).clamp_min_(1e-8)
            # Adding a half before the cut to whole numbers rounds.
            levels = (rows * scales.reciprocal()).add_(ZERO + 0.5).to(torch.uint8)
            self._inputs, self._result = inputs, (levels, scales)
        return self._result


class Int8Linear(nn.Module):
    """A linear layer with one scale an output channel and, found anew each call, one a token.

    Scales a token keep what one scale a tensor loses: a single loud token would silence the rest.
    Takes and gives float32, shape (..., in) to (..., out).
    """

    def __init__(self, linear: nn.Linear, levels: Levels | None = None) -> None:
        super().__init__()
        self._levels = levels or Levels()
        weight, scales = in_bytes(linear.weight)
        self.scales = nn.Buffer(scales)
        self.zeros = nn.Buffer(torch.zeros(len(scales), dtype=torch.int32))
        self.bias = None if linear.bias is None else nn.Buffer(linear.bias.detach().float())
        self.out_features = linear.out_features
        self._packed = torch.ops.onednn.qlinear_prepack(weight, None)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        levels, scales = self._levels.of(inputs)
        outputs: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            levels, 1.0, ZERO, self._packed, self.scales, self.zeros,
            None, 1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        if self.bias is None:
            outputs.mul_(scales)
        else:
            outputs = torch.addcmul(self.bias, outputs, scales)
        return outputs.view(*inputs.shape[:-1], self.out_features)


def in_bytes(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows of `weight` in signed bytes and the scale of each, in float32."""
    levels, scales = torch.empty_like(weight, dtype=torch.int8), []
    # As many rows as the processor's cache holds in float32; the whole would go through memory.
    rows = max(1, CACHED // weight.shape[1])
    for start in range(0, len(weight), rows):
        floats = weight[start : start + rows].float()
        scale = floats.abs().amax(dim=1).div_(127).clamp_min_(1e-8)
        levels[start : start + rows] = (floats * scale.reciprocal()[:, None]).round_()
        scales.append(scale)
    return levels, torch.cat(scales)


class FloatEmbedding(nn.Module):
    """An embedding that stays as small as it was stored and gives float32."""

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.weight = embedding.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return nn.functional.embedding(ids, self.weight).float()


def is_supported() -> bool:
    """Whether this processor and this torch have fast 8-bit integer products."""
    names = ("_is_vnni_supported", "_is_avx512_vnni_supported", "_is_amx_tile_supported")
    has_instructions = any(getattr(torch.cpu, name, lambda: False)() for name in names)
    return has_instructions and hasattr(torch.ops.onednn, "qlinear_prepack")


def quantise(model: nn.Module) -> None:
    """Replace every linear layer and embedding in place; what is left becomes float32."""
    levels = Levels()
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear:
                setattr(parent, name, Int8Linear(child, levels))
            elif type(child) is nn.Embedding:
                setattr(parent, name, FloatEmbedding(child))
    for module in model.modules():
        if not isinstance(module, FloatEmbedding):
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.float()

from __future__ import annotations

import torch
from torch import nn

from retrieval.llm.cpu.int8_linear import Int8Linear, levels_of


def linear(*, inputs: int = 96, outputs: int = 64, bias: bool = True) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(inputs, outputs, bias=bias).requires_grad_(requires_grad=False)


def test_levels_are_the_nearest_of_255() -> None:
    rows = torch.tensor([[-2.0, -0.5, 0.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0, 0.127]])
    levels = levels_of(rows)
    assert levels.bytes.tolist() == [[1, 96, 128, 192, 255], [128, 128, 128, 128, 255]]
    assert torch.allclose(levels.scales[:, 0], torch.tensor([2.0, 0.127]))


def test_a_layer_in_bytes_gives_nearly_the_same() -> None:
    layer, rows = linear(), torch.randn(10, 96)
    assert torch.allclose(Int8Linear(layer)(levels_of(rows)), layer(rows), atol=0.03)


def test_layers_stand_side_by_side() -> None:
    first, second = linear(bias=False), linear(outputs=32)
    rows = torch.randn(3, 96)
    expected = torch.cat([first(rows), second(rows)], dim=1)
    assert torch.allclose(Int8Linear(first, second)(levels_of(rows)), expected, atol=0.03)


def test_outputs_are_added_in_place() -> None:
    layer, rows, sums = linear(), torch.randn(3, 96), torch.ones(3, 64)
    Int8Linear(layer).add_to(sums, levels_of(rows))
    assert torch.allclose(sums, layer(rows) + 1, atol=0.03)


def test_a_loud_token_does_not_silence_its_neighbours() -> None:
    layer, quiet, loud = linear(), torch.randn(1, 96), 1e4 * torch.randn(1, 96)
    together = Int8Linear(layer)(levels_of(torch.cat([quiet, loud])))
    assert torch.allclose(together[:1], layer(quiet), atol=0.03)


def test_a_token_of_zeros_gives_the_bias() -> None:
    layer = linear()
    assert torch.equal(Int8Linear(layer)(levels_of(torch.zeros(1, 96)))[0], layer.bias)

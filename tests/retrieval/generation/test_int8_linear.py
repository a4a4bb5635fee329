from __future__ import annotations

import torch
from torch import nn

from retrieval.generation.int8_linear import Int8Linear, quantise
from tests.retrieval.generation.tiny_models import tiny_qwen


def test_a_layer_in_bytes_gives_nearly_the_same() -> None:
    torch.manual_seed(0)
    linear = nn.Linear(96, 64).requires_grad_(requires_grad=False)
    inputs = torch.randn(2, 5, 96)
    outputs = Int8Linear(linear)(inputs)
    assert torch.allclose(outputs, linear(inputs), atol=0.03)


def test_a_loud_token_does_not_silence_its_neighbours() -> None:
    torch.manual_seed(0)
    linear = nn.Linear(96, 64).requires_grad_(requires_grad=False)
    quiet, loud = torch.randn(1, 96), 1e4 * torch.randn(1, 96)
    together = Int8Linear(linear)(torch.cat([quiet, loud]))
    assert torch.allclose(together[:1], linear(quiet), atol=0.03)


def test_a_token_of_zeros_gives_the_bias() -> None:
    linear = nn.Linear(32, 16).requires_grad_(requires_grad=False)
    assert torch.equal(Int8Linear(linear)(torch.zeros(1, 32))[0], linear.bias)


def test_a_model_in_bytes_gives_nearly_the_same_scores() -> None:
    ids = torch.arange(60)[None]
    model = tiny_qwen()
    with torch.inference_mode():
        expected = model(ids).logits
        quantise(model)
        scores = model(ids).logits
    assert torch.cosine_similarity(scores, expected, dim=-1).mean() > 0.998

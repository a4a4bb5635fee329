"""Attention for processors: heads that share keys are multiplied together, without copies."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import sdpa_mask

NAME = "whimbrel"

FEW = 32
"""Fewer queries than this are too few rows for a fast product."""

PLAIN_MODELS = frozenset({"llama", "mistral", "qwen2", "qwen3"})
"""Model types whose attention is the textbook one: no sinks, no soft cap, no position bias."""


def use_grouped_attention(model: PreTrainedModel) -> None:
    """Let the model attend with `grouped_attention`, if its attention is the textbook one."""
    if model.config.model_type in PLAIN_MODELS:
        AttentionInterface.register(NAME, grouped_attention)
        AttentionMaskInterface.register(NAME, padding_mask)
        model.set_attn_implementation(NAME)


def padding_mask(*, kv_length: int, **given: Any) -> torch.Tensor | None:  # noqa: ANN401  as there
    """The mask that transformers would build, or None where only the order of tokens decides."""
    window = given.get("local_size")
    if given.get("attention_mask") is None and (window is None or kv_length <= window):
        return None
    return sdpa_mask(kv_length=kv_length, **given)


def grouped_attention(
    module: torch.nn.Module,  # noqa: ARG001  the signature is transformers'
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: Any,  # noqa: ANN401  transformers passes what other models need
) -> tuple[torch.Tensor, None]:
    """Attend from `query` (batch, heads, queries, width) to keys and values of fewer heads.

    `attention_mask` is true where a query may look, shape (batch, 1, queries, keys); without one,
    a query sees every key up to its own place. Computes in the cache's dtype.

    Returns:
        Shape (batch, queries, heads, width) in the dtype of `query`, and no weights.
    """
    batch, heads, queries, width = query.shape
    kv_heads, keys = key.shape[1], key.shape[2]
    grouped = query.to(key.dtype).reshape(batch, kv_heads, heads // kv_heads * queries, width)
    if batch == queries == 1:
        attended = torch.nn.functional.scaled_dot_product_attention(
            grouped, key, value, attn_mask=attention_mask, scale=scaling
        )
        return attended.view(1, 1, heads, width).to(query.dtype), None
    # Products of bfloat16 are faster than the flash kernel, which computes in float32.
    scores = products(grouped * (scaling or width**-0.5), key)
    by_group = scores.view(batch, kv_heads, heads // kv_heads, queries, keys)
    if attention_mask is not None:
        by_group.masked_fill_(~attention_mask[:, :, None], -torch.inf)
    elif queries > 1:
        by_group[..., keys - queries :].add_(later(queries, key.dtype))
    attended = torch.matmul(scores.softmax(dim=-1), value)
    by_head = attended.view(batch, heads, queries, width).transpose(1, 2)
    return by_head.to(query.dtype).contiguous(), None


def products(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """The inner product of each query with each key, shape (batch, heads, queries, keys)."""
    if query.shape[2] < FEW:
        # A tall matrix times a narrow one takes a third of the time of the reverse.
        return torch.matmul(key, query.transpose(2, 3)).transpose(2, 3).contiguous()
    return torch.matmul(query, key.transpose(2, 3))


@cache
def later(queries: int, dtype: torch.dtype) -> torch.Tensor:
    """What hides later tokens when added to scores: minus infinity above the diagonal."""
    return torch.full((queries, queries), -torch.inf, dtype=dtype).triu(1)

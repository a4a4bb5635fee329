"""Attention for processors: heads that share keys are multiplied together, without copies."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import sdpa_mask

NAME = "whimbrel"

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
    if queries == 1:
        grouped = query.reshape(batch, kv_heads, heads // kv_heads, width).to(key.dtype)
        attended = torch.nn.functional.scaled_dot_product_attention(
            grouped, key, value, attn_mask=attention_mask, scale=scaling
        )
        return attended.view(batch, 1, heads, width).to(query.dtype), None
    together = (batch * kv_heads, heads // kv_heads * queries)
    # A product of bfloat16 is faster than the flash kernel, which computes in float32.
    scaled = (query * (scaling or width**-0.5)).to(key.dtype).reshape(*together, width)
    scores = torch.bmm(scaled, key.flatten(0, 1).transpose(1, 2))
    by_group = scores.view(batch, kv_heads, -1, queries, keys)
    if attention_mask is None:
        later = torch.ones(queries, queries, dtype=torch.bool).triu(1)
        by_group[..., keys - queries :].masked_fill_(later, -torch.inf)
    else:
        by_group.masked_fill_(~attention_mask[:, :, None], -torch.inf)
    attended = torch.bmm(scores.softmax(dim=-1), value.flatten(0, 1))
    by_head = attended.view(batch, heads, queries, width).transpose(1, 2)
    return by_head.to(query.dtype).contiguous(), None

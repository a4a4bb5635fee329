"""Attention for processors: heads that share keys are multiplied together."""

from __future__ import annotations

from functools import cache

import torch


def grouped_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    """Attend from `query` (rows, queries, heads, width) to keys and values of fewer heads.

    `key` and `value` have shape (rows, heads, columns, width). Inner products are taken as they
    are, so `query` must have been scaled. `mask` is added to them, shape (rows, columns): minus
    infinity where a row has no key. Without it, queries are the last of the columns, and each sees
    those up to its own.

    Returns:
        Shape (rows, queries, heads, width), in the dtype of the keys.
    """
    rows, queries, heads, width = query.shape
    kv_heads, columns = key.shape[1], key.shape[2]
    by_head = query.transpose(1, 2).to(key.dtype)
    grouped = by_head.reshape(rows, kv_heads, heads // kv_heads * queries, width)
    # Products of bfloat16 are faster than the flash kernel, which computes in float32.
    scores = torch.matmul(grouped, key.transpose(2, 3))
    if mask is not None:
        scores.add_(mask[:, None, None])
    else:
        by_query = scores.view(rows, heads, queries, columns)
        by_query[..., columns - queries :].add_(causal_mask(queries, key.dtype))
    attended = torch.matmul(scores.softmax(dim=-1), value)
    return attended.view(rows, heads, queries, width).transpose(1, 2)


@cache
def causal_mask(queries: int, dtype: torch.dtype) -> torch.Tensor:
    """Hides later tokens when added to scores: minus infinity above the diagonal."""
    return torch.full((queries, queries), -torch.inf, dtype=dtype).triu(1)

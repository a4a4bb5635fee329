from __future__ import annotations

import pytest
import torch

from retrieval.generation.attention import grouped_attention, padding_mask


def attended(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    return grouped_attention(torch.nn.Identity(), query, key, value, mask, scaling=0.3)[0]


def expected(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=0.3, enable_gqa=True
    ).transpose(1, 2)


@pytest.mark.parametrize(("batch", "queries"), [(1, 1), (3, 1), (1, 5), (2, 5), (1, 40)])
def test_heads_that_share_keys_attend_as_each_alone_would(batch: int, queries: int) -> None:
    torch.manual_seed(0)
    query = torch.randn(batch, 6, queries, 8)
    key, value = torch.randn(2, batch, 2, 50, 8)
    causal = torch.ones(queries, 50, dtype=torch.bool).tril(50 - queries)
    result = attended(query, key, value, None)
    assert torch.allclose(result, expected(query, key, value, causal), atol=1e-5)


@pytest.mark.parametrize("queries", [1, 4])
def test_what_the_mask_hides_has_no_say(queries: int) -> None:
    torch.manual_seed(0)
    query = torch.randn(2, 4, queries, 8)
    key, value = torch.randn(2, 2, 2, 9, 8)
    mask = torch.ones(2, 1, queries, 9, dtype=torch.bool)
    mask[0, :, :, :5] = False
    result = attended(query, key, value, mask)
    assert torch.allclose(result, expected(query, key, value, mask), atol=1e-5)


def test_the_answer_has_the_dtype_of_the_query() -> None:
    query, key = torch.randn(2, 4, 1, 8), torch.randn(2, 2, 9, 8).bfloat16()
    assert attended(query, key, key, None).dtype == torch.float32


def test_without_padding_or_a_short_window_there_is_no_mask() -> None:
    assert padding_mask(kv_length=20, attention_mask=None) is None
    assert padding_mask(kv_length=20, attention_mask=None, local_size=32) is None

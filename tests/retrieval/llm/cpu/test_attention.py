from __future__ import annotations

import pytest
import torch

from retrieval.llm.cpu.attention import grouped_attention


def expected(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, seen: torch.Tensor
) -> torch.Tensor:
    return torch.nn.functional.scaled_dot_product_attention(
        query.transpose(1, 2), key, value, attn_mask=seen, scale=1.0, enable_gqa=True
    ).transpose(1, 2)


@pytest.mark.parametrize(("rows", "queries"), [(1, 1), (3, 1), (1, 5), (2, 5), (1, 40)])
def test_heads_that_share_keys_attend_as_each_alone_would(rows: int, queries: int) -> None:
    torch.manual_seed(0)
    query = torch.randn(rows, queries, 6, 8)
    key, value = torch.randn(2, rows, 2, 50, 8)
    causal = torch.ones(queries, 50, dtype=torch.bool).tril(50 - queries)
    result = grouped_attention(query, key, value, None)
    assert torch.allclose(result, expected(query, key, value, causal), atol=1e-5)


def test_what_is_masked_has_no_say() -> None:
    torch.manual_seed(0)
    query = torch.randn(2, 1, 4, 8)
    key, value = torch.randn(2, 2, 2, 9, 8)
    mask = torch.zeros(2, 9)
    mask[0, :5] = -torch.inf
    result = grouped_attention(query, key, value, mask)
    seen = (mask == 0)[:, None, None]
    assert torch.allclose(result, expected(query, key, value, seen), atol=1e-5)


def test_the_answer_has_the_dtype_of_the_keys() -> None:
    query, key = torch.randn(2, 1, 4, 8), torch.randn(2, 2, 9, 8).bfloat16()
    assert grouped_attention(query, key, key, None).dtype == torch.bfloat16

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from transformers import PreTrainedModel

from retrieval.llm.decoder import cache_tokens
from retrieval.llm.model_decoder import ModelDecoder, is_batchable
from tests.retrieval.llm.model_kinds import BATCHED, ONE_BY_ONE, deepseek_v3, gemma4, made
from tests.retrieval.llm.tiny_models import tiny_llama, tiny_qwen3


@pytest.mark.parametrize("kind", [tiny_llama, tiny_qwen3, *BATCHED])
def test_models_that_keep_keys_and_values_are_batched(kind: Callable[[], PreTrainedModel]) -> None:
    assert is_batchable(made(kind))


@pytest.mark.parametrize("kind", ONE_BY_ONE)
def test_models_that_keep_something_else_are_not(kind: Callable[[], PreTrainedModel]) -> None:
    assert not is_batchable(made(kind))


@pytest.mark.parametrize(
    ("kind", "numbers"),
    # Layers times heads times the widths of keys and values; what is shared is there once.
    [(tiny_qwen3, 2 * 2 * (32 + 32)), (deepseek_v3, 2 * (16 + 8)), (gemma4, 4 * 16 + 4 * 32)],
)
def test_memory_holds_as_many_tokens_as_their_keys_and_values_leave_room_for(
    kind: Callable[[], PreTrainedModel], numbers: int
) -> None:
    decoder = ModelDecoder(made(kind), torch.float32)
    assert cache_tokens(decoder, 4 * numbers * 100) == 100

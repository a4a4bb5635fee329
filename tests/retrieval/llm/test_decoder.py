from __future__ import annotations

from collections.abc import Callable

import pytest
from transformers import PreTrainedModel

from retrieval.llm.decoder import is_batchable
from tests.retrieval.llm.model_kinds import BATCHED, ONE_BY_ONE, made
from tests.retrieval.llm.tiny_models import tiny_llama, tiny_qwen3


@pytest.mark.parametrize("kind", [tiny_llama, tiny_qwen3, *BATCHED])
def test_models_that_keep_keys_and_values_are_batched(kind: Callable[[], PreTrainedModel]) -> None:
    assert is_batchable(made(kind))


@pytest.mark.parametrize("kind", ONE_BY_ONE)
def test_models_that_keep_something_else_are_not(kind: Callable[[], PreTrainedModel]) -> None:
    assert not is_batchable(made(kind))

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from retrieval.llm.cpu.int8_decoder import Int8Decoder, fits
from retrieval.llm.decoder import Decoder
from retrieval.llm.generator import load_model
from retrieval.llm.kv_cache import KVCache, stack
from retrieval.llm.model_decoder import ModelDecoder
from retrieval.models.device import Device
from tests.retrieval.llm.tiny_models import (
    tiny_llama,
    tiny_mistral,
    tiny_qwen,
    tiny_qwen3,
)

MODELS = [tiny_llama, tiny_mistral, tiny_qwen, tiny_qwen3]
TEXT = torch.arange(7, 107)[None] * 37 % 251


@pytest.fixture(params=MODELS)
def make(request: pytest.FixtureRequest) -> Callable[[], PreTrainedModel]:
    made: Callable[[], PreTrainedModel] = request.param
    return made


def in_bytes(make: Callable[[], PreTrainedModel]) -> Decoder:
    return Int8Decoder(make(), torch.float32)


def read(decoder: Decoder, *parts: torch.Tensor) -> tuple[KVCache, torch.Tensor]:
    cache = decoder.new_cache()
    with torch.inference_mode():
        scores = [decoder(part, cache) for part in parts]
    return cache, scores[-1]


def test_scores_are_nearly_those_of_the_plain_model(make: Callable[[], PreTrainedModel]) -> None:
    _, expected = read(ModelDecoder(make(), torch.float32), TEXT)
    _, scores = read(in_bytes(make), TEXT)
    assert torch.cosine_similarity(scores, expected) > 0.995


def test_a_text_read_in_parts_is_the_same(make: Callable[[], PreTrainedModel]) -> None:
    decoder = in_bytes(make)
    _, whole = read(decoder, TEXT)
    _, parts = read(decoder, TEXT[:, :40], TEXT[:, 40:99], TEXT[:, 99:])
    assert torch.allclose(parts, whole, atol=0.2)
    assert torch.cosine_similarity(parts, whole) > 0.9995


def test_rows_of_any_length_are_as_if_alone(make: Callable[[], PreTrainedModel]) -> None:
    decoder, next_ids = in_bytes(make), torch.tensor([[9], [5], [80]])
    caches = [read(decoder, TEXT[:, :length])[0] for length in (30, 100, 1)]
    together = stack([(cache, 0) for cache in caches])
    with torch.inference_mode():
        rows = decoder(next_ids, together)
        alone = torch.cat([decoder(i[None], c) for i, c in zip(next_ids, caches, strict=True)])
    assert torch.cosine_similarity(rows, alone).min() > 0.9995
    assert together.lengths == [31, 101, 2]


def test_a_common_beginning_is_continued_the_same(make: Callable[[], PreTrainedModel]) -> None:
    decoder = in_bytes(make)
    cache, whole = read(decoder, TEXT)
    with torch.inference_mode():
        continued = decoder(TEXT[:, 60:], cache.beginning(60))
    assert torch.cosine_similarity(continued, whole) > 0.9995


def test_layers_leave_the_model_as_they_are_packed() -> None:
    model = tiny_qwen()
    Int8Decoder(model, torch.float32)
    assert len(model.model.layers) == 0


def test_only_textbook_models_fit() -> None:
    assert all(fits(make().config) for make in MODELS)
    config = tiny_mistral().config
    config.sliding_window = 16
    assert not fits(config)
    config.sliding_window, config.hidden_act = None, "gelu"
    assert not fits(config)


def test_the_file_of_the_weights_is_let_go_of(tmp_path: Path) -> None:
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("only Linux tells what is mapped")
    saved: Any = tiny_qwen()
    saved.to(torch.bfloat16).save_pretrained(tmp_path)  # what is converted is not mapped
    device = Device("cpu", torch.bfloat16, 1)
    model = load_model(tmp_path, device, "causal")
    assert str(tmp_path) in maps.read_text()
    decoder = Int8Decoder(model, torch.bfloat16)
    del model
    gc.collect()
    assert str(tmp_path) not in maps.read_text()
    read(decoder, TEXT)

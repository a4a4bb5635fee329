from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch
from transformers import PreTrainedModel

from retrieval.errors import GeneratorError
from retrieval.llm.batching import Batcher
from retrieval.llm.generation_loop import GenerationRequest
from retrieval.llm.kv_cache import ROOM, KVCache
from retrieval.llm.model_decoder import ModelDecoder
from tests.retrieval.llm.tiny_models import END_ID, tiny_llama, tiny_qwen, tokens_of

PROMPTS = [[5, 9, 60] * 3, [7] * 40, list(range(150)) * 2, [4, 8, 15, 16, 23, 42]]


@pytest.fixture(scope="module", params=[tiny_qwen, tiny_llama])
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    made: PreTrainedModel = request.param()
    return made


@pytest.fixture
def batcher(model: PreTrainedModel) -> Iterator[Batcher]:
    made = Batcher(ModelDecoder(model, torch.float32), stop_ids=frozenset({END_ID}))
    yield made
    made.close()


def written(batcher: Batcher, *prompts: Sequence[int], max_tokens: int = 12) -> list[list[int]]:
    requests = [GenerationRequest(prompt, max_tokens) for prompt in prompts]
    for request in requests:
        batcher.submit(request)
    return [tokens_of(request) for request in requests]


def greedy(
    model: PreTrainedModel, prompt: Sequence[int], count: int = 12, *, end: int = END_ID
) -> list[int]:
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        for _ in range(count):
            ids = torch.cat([ids, model(ids).logits[:, -1:].argmax(-1)], dim=1)
    tokens: list[int] = ids[0, len(prompt) :].tolist()
    return tokens[: tokens.index(end)] if end in tokens else tokens


def test_a_text_is_what_the_plain_model_would_write(
    model: PreTrainedModel, batcher: Batcher
) -> None:
    assert written(batcher, PROMPTS[2]) == [greedy(model, PROMPTS[2])]


def test_texts_written_together_are_the_same_as_one_by_one(
    model: PreTrainedModel, batcher: Batcher
) -> None:
    assert written(batcher, *PROMPTS) == [greedy(model, prompt) for prompt in PROMPTS]


def test_a_prompt_that_begins_like_the_last_one_is_continued_the_same(
    model: PreTrainedModel, batcher: Batcher
) -> None:
    first, second = [*range(100), 7, 7], [*range(100), 3]
    assert written(batcher, first) == [greedy(model, first)]
    assert written(batcher, second) == [greedy(model, second)]


def test_a_failing_prompt_fails_alone(model: PreTrainedModel, batcher: Batcher) -> None:
    good, bad = GenerationRequest(PROMPTS[0], 12), GenerationRequest([10**6], 12)
    batcher.submit(good)
    batcher.submit(bad)
    with pytest.raises(GeneratorError, match="the model failed"):
        tokens_of(bad)
    assert tokens_of(good) == greedy(model, PROMPTS[0])


def test_more_texts_than_rows_take_turns(model: PreTrainedModel) -> None:
    decoder = ModelDecoder(model, torch.float32)
    batcher = Batcher(decoder, stop_ids=frozenset(), max_rows=2)
    assert [len(text) for text in written(batcher, *PROMPTS, max_tokens=5)] == [5, 5, 5, 5]
    batcher.close()


class RowCounter(ModelDecoder):
    """Remembers how many texts were moved on together, at most."""

    most = 0

    def __call__(self, ids: torch.Tensor, cache: KVCache) -> torch.Tensor:
        self.most = max(self.most, len(ids))
        return super().__call__(ids, cache)


@pytest.mark.parametrize(("room", "rows"), [(1, 1), (2, 2)])
def test_texts_wait_for_room_in_memory(model: PreTrainedModel, room: int, rows: int) -> None:
    decoder = RowCounter(model, torch.float32)
    columns = len(PROMPTS[1]) + 24 + ROOM
    batcher = Batcher(decoder, stop_ids=frozenset(), max_cache_tokens=room * columns)
    assert (
        written(batcher, *[PROMPTS[1]] * 4, max_tokens=24)
        == [greedy(model, PROMPTS[1], 24, end=-1)] * 4
    )
    assert decoder.most == rows
    batcher.close()


def test_a_text_larger_than_the_memory_is_tried_alone(model: PreTrainedModel) -> None:
    decoder = RowCounter(model, torch.float32)
    batcher = Batcher(decoder, stop_ids=frozenset(), max_cache_tokens=10)
    assert [len(text) for text in written(batcher, *PROMPTS, max_tokens=5)] == [5, 5, 5, 5]
    assert decoder.most == 1
    batcher.close()


def test_closing_fails_what_is_unfinished(model: PreTrainedModel) -> None:
    batcher = Batcher(ModelDecoder(model, torch.float32), stop_ids=frozenset())
    request = GenerationRequest(PROMPTS[0], 400)
    batcher.submit(request)
    batcher.close()
    with pytest.raises(GeneratorError, match="closed"):
        tokens_of(request)
    with pytest.raises(GeneratorError, match="closed"):
        batcher.submit(request)

from __future__ import annotations

from collections.abc import Iterator

import pytest
from transformers import PreTrainedModel

from retrieval.errors import GeneratorError
from retrieval.llm.generation_loop import GenerationRequest
from retrieval.llm.one_by_one import OneByOne, generation_config
from tests.retrieval.llm.model_kinds import made, mamba
from tests.retrieval.llm.tiny_models import tokens_of

PROMPT = [5, 9, 60]


@pytest.fixture
def model() -> PreTrainedModel:
    return made(mamba)


@pytest.fixture
def loop(model: PreTrainedModel) -> Iterator[OneByOne]:
    made = OneByOne(model, stop_ids=frozenset())
    yield made
    made.close()


def written(loop: OneByOne, max_tokens: int) -> list[int]:
    request = GenerationRequest(PROMPT, max_tokens)
    loop.submit(request)
    return tokens_of(request)


def test_a_cancelled_text_makes_way_for_the_next(model: PreTrainedModel, loop: OneByOne) -> None:
    passes: list[object] = []
    model.register_forward_hook(lambda *_: passes.append(None))
    running, waiting = GenerationRequest(PROMPT, 100_000), GenerationRequest(PROMPT, 100_000)
    loop.submit(running)
    loop.submit(waiting)
    running.tokens.get(timeout=60)
    running.is_cancelled = waiting.is_cancelled = True
    assert len(written(loop, 4)) == 4
    assert len(passes) < 50_000


def test_a_failing_prompt_fails_alone(loop: OneByOne) -> None:
    bad = GenerationRequest([10**6], 4)
    loop.submit(bad)
    with pytest.raises(GeneratorError, match="the model failed"):
        tokens_of(bad)
    assert len(written(loop, 4)) == 4


def test_closing_fails_what_is_unfinished(loop: OneByOne) -> None:
    running, waiting = GenerationRequest(PROMPT, 100_000), GenerationRequest(PROMPT, 4)
    loop.submit(running)
    loop.submit(waiting)
    running.tokens.get(timeout=60)
    loop.close()
    for request in (running, waiting):
        with pytest.raises(GeneratorError, match="closed before"):
            tokens_of(request)
    with pytest.raises(GeneratorError, match="closed"):
        loop.submit(waiting)


def test_the_model_s_own_ways_of_sampling_are_left_out(model: PreTrainedModel) -> None:
    plain = OneByOne(model, stop_ids=frozenset())
    expected = written(plain, 8)
    plain.close()
    model.generation_config = generation_config(
        do_sample=True, temperature=50.0, num_beams=2, no_repeat_ngram_size=1, min_new_tokens=8
    )
    loop = OneByOne(model, stop_ids=frozenset({expected[3]}))
    assert written(loop, 8) == expected[: expected.index(expected[3])]
    loop.close()

from __future__ import annotations

from typing import Any

import pytest

from retrieval.answering.tiers import MARKUP_TOKENS, TIERS, tier_of
from retrieval.settings import Settings
from tests.retrieval.answering.test_answerer import Writer


def sized(parameters: int | None, *, context_tokens: int = 1 << 16) -> Any:
    writer: Any = Writer("")
    writer.parameters, writer.context_tokens = parameters, context_tokens
    return writer


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        (135_000_000, "quotes"),
        (494_000_000, "small"),
        (1_540_000_000, "small"),
        (3_090_000_000, "capable"),
        (8_190_000_000, "capable"),
        (14_000_000_000, "strong"),
        (None, "strong"),
    ],
)
def test_a_tier_goes_by_the_size_of_the_model(parameters: int | None, name: Any) -> None:
    assert tier_of(sized(parameters), Settings()) == TIERS[name]


def test_without_a_generator_documents_are_quoted() -> None:
    assert tier_of(None, Settings()) == TIERS["quotes"]


def test_what_is_set_wins() -> None:
    settings = Settings(tier="strong", hits=3, answer_tokens=77)
    tier = tier_of(sized(494_000_000), settings)
    assert (tier.hits, tier.answer_tokens, tier.reads) == (3, 77, True)
    assert tier.prompt_tokens == TIERS["strong"].prompt_tokens


def test_a_prompt_is_never_longer_than_the_model_takes() -> None:
    tier = tier_of(sized(None, context_tokens=4_096), Settings())
    assert tier.prompt_tokens + tier.answer_tokens + MARKUP_TOKENS == 4_096


def test_a_small_model_is_given_what_the_settings_say_by_default() -> None:
    settings, small = Settings(), TIERS["small"]
    assert (small.hits, small.prompt_tokens, small.answer_tokens) == (
        settings.hits,
        settings.prompt_tokens,
        settings.answer_tokens,
    )

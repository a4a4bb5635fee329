"""What a generator is trusted with, by what kind of model it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from retrieval.settings import Settings

if TYPE_CHECKING:
    from retrieval.llm.generator import Generator

TierName = Literal["quotes", "small", "capable", "strong"]

MARKUP_TOKENS = 64
"""What a chat format adds to a prompt, at most."""


@dataclass(frozen=True, slots=True)
class Tier:
    """What a generator may do, and how much it is given.

    `hits`, `prompt_tokens` and `answer_tokens` are as in the settings, which win. It `writes`
    nothing, facts, or explanations and steps too, in another language than the document's if
    `is_multilingual`. One that `reads` says itself where the passages do not hold the answer, so
    that from `near` of the judge's threshold on it is asked, and gets whole sections to read.
    One that `rewrites` writes a follow-up anew, so that it stands by itself. So many
    `demonstrations` are shown to it at most. So many `sentences` are said: it was asked for no
    more, and goes on with all that stands beside the answer.
    """

    writes: Literal["nothing", "facts", "all"]
    hits: int
    prompt_tokens: int
    answer_tokens: int
    is_multilingual: bool = False
    reads: bool = False
    rewrites: bool = False
    near: float = 1.0
    demonstrations: int = 0
    sentences: int | None = None


TIERS: dict[TierName, Tier] = {
    # Copies poorly and invents freely.
    "quotes": Tier("nothing", hits=4, prompt_tokens=1_024, answer_tokens=200),
    # Words a fact well where there is one to name. It picks poorly among several, mixes up steps,
    # and says yes where it says no.
    "small": Tier("facts", hits=4, prompt_tokens=1_024, answer_tokens=200, sentences=3),
    "capable": Tier("all", hits=6, prompt_tokens=2_048, answer_tokens=300),
    "strong": Tier(
        "all",
        hits=10,
        prompt_tokens=6_000,
        answer_tokens=1_000,
        is_multilingual=True,
        reads=True,
        rewrites=True,
        near=0.2,
        demonstrations=3,
    ),
}

_LEAST_PARAMETERS: tuple[tuple[float, TierName], ...] = (
    (9e9, "strong"),
    (2.5e9, "capable"),
    (3e8, "small"),
)


def tier_of(generator: Generator | None, settings: Settings) -> Tier:
    """The tier that the settings name, else that of a model of this size, with their own numbers.

    An endpoint that does not tell its model's size is taken to have a strong one.
    """
    tier = TIERS[settings.tier or _by_size(generator)]
    numbers = ("hits", "prompt_tokens", "answer_tokens")
    chosen = {
        name: getattr(settings, name) for name in numbers if name in settings.model_fields_set
    }
    tier = replace(tier, **chosen)
    if generator is None:
        return tier
    room = generator.context_tokens - tier.answer_tokens - MARKUP_TOKENS
    return replace(tier, prompt_tokens=min(tier.prompt_tokens, max(room, 0)))


def _by_size(generator: Generator | None) -> TierName:
    if generator is None:
        return "quotes"
    size = generator.parameters
    if size is None:
        return "strong"
    return next((name for least, name in _LEAST_PARAMETERS if size >= least), "quotes")

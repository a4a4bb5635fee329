"""What an answer is made from, what could be said of it, and how long that took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from retrieval.answering.tiers import Tier
from retrieval.language import language_of
from retrieval.records import Citation, Completion, Demonstration, Hit, Passage
from retrieval.tracing import span

LIKELY = 0.5
"""From this likelihood on a passage, or the hits in another language, are taken to answer."""


@dataclass(frozen=True, slots=True)
class DraftAnswer:
    """What could be said: text whose every sentence has a citation; `none` to abstain.

    `demonstrations` are those that the generator was shown.
    """

    text: str = ""
    citations: tuple[Citation, ...] = ()
    method: Literal["generated", "extracted", "none"] = "none"
    stopped: bool = False
    completion: Completion | None = None
    demonstrations: tuple[Demonstration, ...] = ()

    @property
    def quoted(self) -> str:
        """The words of the documents that it cites."""
        return "\n".join(citation.quote for citation in self.citations)


@dataclass
class Stopwatch:
    """Seconds by stage, in order."""

    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the seconds that the block takes to the stage's."""
        began = time.perf_counter()
        try:
            with span("answer" if name == "total" else name):
                yield
        finally:
            self.timings[name] = round(time.perf_counter() - began, 4)


@dataclass(frozen=True)
class Evidence:
    """A question and the `hits` to answer it from; `passages` has those and many behind them.

    `reads` says how likely each of the hits answers, where that was read. `query` is the question
    as it stands by itself, joined to those before it or, if it `is_rewritten`, as a model wrote it.
    A small model may only reword the `quote`.
    """

    question: str
    query: str
    language: str
    hits: tuple[Hit, ...]
    reads: tuple[float, ...]
    passages: tuple[Passage, ...]
    confidence: float
    threshold: float
    tier: Tier
    watch: Stopwatch
    is_rewritten: bool = False
    quote: DraftAnswer | None = None
    demonstrations: tuple[Demonstration, ...] = ()
    on_text: Callable[[str], None] | None = None
    should_stop: Callable[[], bool] | None = None

    @property
    def is_likely(self) -> bool:
        """Whether the hits hold the answer, as the judge says."""
        return self.confidence >= self.threshold

    @property
    def is_foreign(self) -> bool:
        """Whether the best hit is in another language than the answer will be."""
        return bool(self.hits) and is_foreign(self.hits[0].passage, self.language)


def is_foreign(passage: Passage, language: str) -> bool:
    """Whether a passage is in another language: its document says so and its letters show it."""
    return passage.source.language != language and language_of(passage.text) != language

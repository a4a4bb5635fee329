"""Turn a generator's tokens into pieces of text that can be shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from retrieval.records import Completion

HALF_CHARACTER = "\ufffd"
"""What a tokenizer decodes the first bytes of a character to."""


@dataclass(frozen=True, slots=True)
class Token:
    """A generated token and its natural log-probability."""

    id: int
    logprob: float


class Detokenizer:
    """A completion as it grows. Shows whole characters only, and nothing of what ends it."""

    def __init__(
        self,
        decode: Callable[[list[int]], str],
        on_text: Callable[[str], None] | None,
        end: Sequence[str],
    ) -> None:
        self.text = ""
        self.has_ended = False
        self._decode = decode
        self._on_text = on_text
        self._end = end
        self._ids: list[int] = []
        self._logprob = 0.0
        self._shown = 0
        self._first_at: float | None = None

    def add(self, token: Token) -> None:
        """Take in the next token and show what has become certain."""
        self._first_at = self._first_at or time.perf_counter()
        self._ids.append(token.id)
        self._logprob += token.logprob
        self.text = self._decode(self._ids).rstrip(HALF_CHARACTER)
        ends = [place for text in self._end if (place := self.text.find(text)) >= 0]
        if ends:
            self.has_ended = True
            self.text = self.text[: min(ends)]
        self._show(len(self.text) - (0 if self.has_ended else self._undecided()))

    def close(self) -> None:
        """Show what was held back."""
        self._show(len(self.text))

    def completion(self, prompt_tokens: int, started: float, *, stopped: bool) -> Completion:
        """What was written since `started`, a `time.perf_counter()`."""
        now = time.perf_counter()
        return Completion(
            text=self.text,
            tokens=len(self._ids),
            prompt_tokens=prompt_tokens,
            first_token_s=(self._first_at or now) - started,
            total_s=now - started,
            stopped=stopped,
            mean_logprob=self._logprob / len(self._ids) if self._ids else 0.0,
        )

    def _undecided(self) -> int:
        """Characters at the end that may be the beginning of an `end`."""
        sizes = (
            n for text in self._end for n in range(1, len(text)) if self.text.endswith(text[:n])
        )
        return max(sizes, default=0)

    def _show(self, until: int) -> None:
        piece = self.text[self._shown : until]
        if piece:
            self._shown = until
            if self._on_text is not None:
                self._on_text(piece)

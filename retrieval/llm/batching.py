"""The loop of causal models, which moves every text on together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import takewhile

import torch

from retrieval.llm.decoder import Decoder
from retrieval.llm.detokenizer import Token
from retrieval.llm.generation_loop import GenerationLoop, GenerationRequest
from retrieval.llm.kv_cache import ROOM, KVCache, stack
from retrieval.llm.prefill_pool import PrefillPool

SHARED = 16
"""Shorter common beginnings are not worth copying."""


class Batcher(GenerationLoop):
    """Greedy continuous batching: a text joins as soon as its prompt is read, and leaves when done.

    Args:
        decoder: The model.
        stop_ids: The tokens that end a text.
        max_rows: Most texts at once.
        max_cache_tokens: Most tokens that their cache is to hold, padding included; a text that
            needs more is written alone. None for as many as there are.
        prefill_threads: How many prompts are read at the same time.
    """

    def __init__(
        self,
        decoder: Decoder,
        *,
        stop_ids: frozenset[int],
        max_rows: int = 16,
        max_cache_tokens: int | None = None,
        prefill_threads: int = 1,
    ) -> None:
        self._decoder = decoder
        self._prefill = PrefillPool(prefill_threads)
        self._stop_ids = stop_ids
        self._max_rows = max_rows
        self._max_cache_tokens = max_cache_tokens
        self._cache: KVCache | None = None
        self._last: tuple[Sequence[int], KVCache] | None = None
        super().__init__()

    def close(self) -> None:
        """As `GenerationLoop.close`."""
        super().close()
        self._prefill.close()

    def _work(self) -> None:
        if requests := self._next():
            self._admit(requests)
        if self._running:
            self._step()

    def _next(self) -> list[GenerationRequest]:
        """The requests to admit before the next step: few at a time, so that no text waits long."""
        taken: list[GenerationRequest] = []
        with self._changed:
            while self._waiting and len(taken) < self._prefill.count:
                if self._waiting[0].is_cancelled:
                    self._waiting.popleft()
                elif self._has_room([*self._running, *taken, self._waiting[0]]):
                    taken.append(self._waiting.popleft())
                else:
                    break
        return taken

    def _has_room(self, requests: Sequence[GenerationRequest]) -> bool:
        """Whether the texts may run together, however long they get."""
        columns = ROOM + max(len(request.prompt) + request.max_tokens for request in requests)
        most = self._max_cache_tokens
        fits = most is None or len(requests) == 1 or len(requests) * columns <= most
        return fits and len(requests) <= self._max_rows

    def _admit(self, requests: Sequence[GenerationRequest]) -> None:
        """Read the prompts, deliver the first tokens and let the texts join the others."""
        readings = self._prefill.read([partial(self._read, request.prompt) for request in requests])
        for request, reading in zip(requests, readings, strict=True):
            try:
                row, logits = reading.result()
                self._last = (request.prompt, row)
                self._running.append(request)
                self._settle([*self._rows(), (row, 0)], self._deliver(self._running[-1:], logits))
            except Exception as error:  # whatever a model raises belongs to its caller
                self._fail([request], error)

    def _step(self) -> None:
        """One more token for every text."""
        cache = self._cache
        assert cache is not None
        try:
            last = torch.tensor([[request.written[-1]] for request in self._running])
            logits = self._decoder(last, cache)
            self._settle(self._rows(), self._deliver(self._running, logits))
        except Exception as error:  # whatever a model raises belongs to its callers
            self._fail(self._running, error)

    @torch.inference_mode()
    def _read(self, prompt: Sequence[int]) -> tuple[KVCache, torch.Tensor]:
        """The prompt's cache and the scores of what comes next."""
        cache = self._beginning(prompt)
        return cache, self._decoder(torch.tensor([prompt[cache.lengths[0] :]]), cache)

    def _beginning(self, prompt: Sequence[int]) -> KVCache:
        """What the previous prompt has in common with this one, most often the instructions."""
        if self._last is not None:
            previous, cache = self._last
            pairs = zip(previous, prompt[:-1], strict=False)
            shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            if shared >= SHARED:
                return cache.beginning(shared)
        return self._decoder.new_cache()

    def _deliver(self, requests: Sequence[GenerationRequest], logits: torch.Tensor) -> set[int]:
        """Send each text its likeliest token; gives the identities of the texts that are done."""
        logprobs, ids = logits.log_softmax(dim=-1).max(dim=-1)
        done = set()
        for request, token, logprob in zip(requests, ids.tolist(), logprobs.tolist(), strict=True):
            if request.deliver(Token(token, logprob), self._stop_ids):
                done.add(id(request))
        return done

    def _rows(self) -> list[tuple[KVCache, int]]:
        """Where the running texts' keys and values are."""
        return (
            []
            if self._cache is None
            else [(self._cache, n) for n in range(len(self._cache.lengths))]
        )

    def _settle(self, rows: list[tuple[KVCache, int]], done: set[int]) -> None:
        """Keep the rows of the texts that go on; moves nothing when they are the same as before."""
        kept = [row for row, text in zip(rows, self._running, strict=True) if id(text) not in done]
        self._running = [text for text in self._running if id(text) not in done]
        if not kept:
            self._cache = None
        elif kept != self._rows():
            self._cache = stack(kept)

    def _fail(self, requests: Sequence[GenerationRequest], error: Exception) -> None:
        super()._fail(requests, error)
        self._last = None
        if not self._running:
            self._cache = None

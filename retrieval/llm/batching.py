"""The thread that owns a causal model and moves every waiting text on together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from queue import SimpleQueue

import torch

from retrieval.errors import GeneratorError
from retrieval.llm.decoder import Decoder
from retrieval.llm.detokenizer import Token
from retrieval.llm.kv_cache import KVCache, stack
from retrieval.llm.prefill_pool import PrefillPool

SHARED = 16
"""Shorter common beginnings are not worth copying."""


@dataclass(slots=True)
class GenerationRequest:
    """A text to continue. `tokens` receives each token, then None, or the error that ended it."""

    prompt: Sequence[int]
    max_tokens: int
    tokens: SimpleQueue[Token | Exception | None] = field(default_factory=SimpleQueue)
    written: list[int] = field(default_factory=list)
    is_cancelled: bool = False


class Batcher:
    """Greedy continuous batching: a text joins as soon as its prompt is read, and leaves when done.

    Safe to call from any thread. What goes wrong in the model ends the texts of that step and
    nothing else.
    """

    def __init__(
        self,
        decoder: Decoder,
        *,
        stop_ids: frozenset[int],
        max_rows: int = 16,
        prefill_threads: int = 1,
    ) -> None:
        self._decoder = decoder
        self._prefill = PrefillPool(prefill_threads)
        self._stop_ids = stop_ids
        self._max_rows = max_rows
        self._waiting: deque[GenerationRequest] = deque()
        self._running: list[GenerationRequest] = []
        self._cache: KVCache | None = None
        self._last: tuple[Sequence[int], KVCache] | None = None
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="generator", daemon=True)
        self._thread.start()

    def submit(self, request: GenerationRequest) -> None:
        """Queue the request; its tokens arrive in `request.tokens`."""
        with self._changed:
            if self._is_closed:
                raise GeneratorError("the generator is closed")
            self._waiting.append(request)
            self._changed.notify()

    def close(self) -> None:
        """Fail what is unfinished and end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()
        self._prefill.close()

    @torch.inference_mode()
    def _run(self) -> None:
        while self._has_work():
            if requests := self._next():
                self._admit(requests)
            if self._running:
                self._step()
        closed = GeneratorError("the generator was closed before it was done")
        for request in (*self._running, *self._waiting):
            request.tokens.put(closed)

    def _has_work(self) -> bool:
        """Wait for something to do; false once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._running or self._is_closed)
            return not self._is_closed

    def _next(self) -> list[GenerationRequest]:
        """The requests to admit before the next step: few at a time, so that no text waits long."""
        with self._changed:
            room = min(self._prefill.count, self._max_rows - len(self._running))
            taken = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
        return [request for request in taken if not request.is_cancelled]

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
                self._drop([request], error)

    def _step(self) -> None:
        """One more token for every text."""
        cache = self._cache
        assert cache is not None
        try:
            last = torch.tensor([[request.written[-1]] for request in self._running])
            logits = self._decoder(last, cache)
            self._settle(self._rows(), self._deliver(self._running, logits))
        except Exception as error:  # whatever a model raises belongs to its callers
            self._drop(self._running, error)

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
            if token not in self._stop_ids:
                request.written.append(token)
                request.tokens.put(Token(token, logprob))
            is_full = len(request.written) >= request.max_tokens
            if token in self._stop_ids or is_full or request.is_cancelled:
                request.tokens.put(None)
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

    def _drop(self, requests: Sequence[GenerationRequest], error: Exception) -> None:
        """End the texts of a failed pass with an error that says so."""
        failure = GeneratorError(f"the model failed: {error}")
        failure.__cause__ = error
        self._last = None
        gone = {id(request) for request in requests}
        for request in requests:
            request.tokens.put(failure)
        if gone >= {id(text) for text in self._running}:
            self._cache = None
        self._running = [text for text in self._running if id(text) not in gone]

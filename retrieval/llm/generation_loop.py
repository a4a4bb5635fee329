"""Texts to be written, and the thread that owns a model and writes them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

import torch

from retrieval.errors import GeneratorError
from retrieval.llm.detokenizer import Token


@dataclass(slots=True)
class GenerationRequest:
    """A text to continue. `tokens` receives each token, then None, or the error that ended it."""

    prompt: Sequence[int]
    max_tokens: int
    tokens: SimpleQueue[Token | Exception | None] = field(default_factory=SimpleQueue)
    written: list[int] = field(default_factory=list)
    is_cancelled: bool = False

    def deliver(self, token: Token, stop_ids: Collection[int]) -> bool:
        """Send the next token, unless it ends the text; gives whether the text is done."""
        if token.id not in stop_ids:
            self.written.append(token.id)
            self.tokens.put(token)
        is_full = len(self.written) >= self.max_tokens
        is_done = token.id in stop_ids or is_full or self.is_cancelled
        if is_done:
            self.tokens.put(None)
        return is_done


class GenerationLoop:
    """The thread of a model, and the texts that wait for it. Safe to call from any thread.

    What goes wrong in the model ends the texts of that step and nothing else. The thread begins
    at once: a subclass first makes what it works with.
    """

    def __init__(self) -> None:
        self._waiting: deque[GenerationRequest] = deque()
        self._running: list[GenerationRequest] = []
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
        if threading.current_thread() is not self._thread:  # garbage may be collected in it
            self._thread.join()

    @torch.inference_mode()
    def _run(self) -> None:
        try:
            while self._has_work():
                self._work()
        finally:  # whatever it was that ended the thread, nobody waits for it
            with self._changed:
                self._is_closed = True
            closed = GeneratorError("the generator was closed before it was done")
            for request in (*self._running, *self._waiting):
                request.tokens.put(closed)

    def _has_work(self) -> bool:
        """Wait for something to do; false once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._running or self._is_closed)
            return not self._is_closed

    def _work(self) -> None:
        """Begin texts that wait and move on those that run."""
        raise NotImplementedError

    def _fail(self, requests: Sequence[GenerationRequest], error: Exception) -> None:
        """End the texts of a failed pass with an error that says so."""
        failure = GeneratorError(f"the model failed: {error}")
        failure.__cause__ = error
        for request in requests:
            request.tokens.put(failure)
        gone = {id(request) for request in requests}
        self._running = [text for text in self._running if id(text) not in gone]

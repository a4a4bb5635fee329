"""Texts written one after the other by transformers' own generate, which takes any model."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    StoppingCriteriaList,
)

from retrieval.llm.detokenizer import Token
from retrieval.llm.generation_loop import GenerationLoop, GenerationRequest

KEPT = ("bos_token_id", "pad_token_id", "decoder_start_token_id", "forced_bos_token_id")
"""What a model's settings say of its format; how they would sample is left out."""


class OneByOne(GenerationLoop):
    """Greedy generation, one text at a time, with whatever the model itself remembers of it."""

    def __init__(self, model: PreTrainedModel, *, stop_ids: frozenset[int]) -> None:
        self._model: Any = model  # transformers leaves `generate` without a type
        self._stop_ids = stop_ids
        kept = {name: getattr(model.generation_config, name, None) for name in KEPT}
        # What a call leaves open is taken from here: penalties and beams, too.
        model.generation_config = generation_config(eos_token_id=sorted(stop_ids) or None, **kept)
        super().__init__()

    def _work(self) -> None:
        with self._changed:
            request = self._waiting.popleft()
        if request.is_cancelled:
            return
        self._running = [request]
        try:
            self._write(request)
        except Exception as error:  # whatever a model raises belongs to its caller
            self._fail([request], error)
        if not self._is_closed:  # else the thread tells those that it broke off
            self._running = []

    def _write(self, request: GenerationRequest) -> None:
        ids = torch.tensor([request.prompt], device=self._model.device)
        listener = Listener(request, self._stop_ids)

        def is_over(ids: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
            return torch.tensor([listener.is_done or self._is_closed], device=ids.device)

        self._model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            generation_config=generation_config(max_new_tokens=request.max_tokens),
            logits_processor=LogitsProcessorList([listener]),
            stopping_criteria=StoppingCriteriaList([is_over]),
        )
        if not self._is_closed:
            request.tokens.put(None)  # transformers may have reasons of its own to end


class Listener(LogitsProcessor):
    """Delivers the token that is about to be chosen; the scores stay as they are."""

    def __init__(self, request: GenerationRequest, stop_ids: frozenset[int]) -> None:
        self.is_done = False
        self._request = request
        self._stop_ids = stop_ids

    def __call__(
        self,
        input_ids: torch.Tensor,  # noqa: ARG002  transformers gives it
        scores: torch.Tensor,
    ) -> torch.Tensor:
        """The scores, shape (1, vocabulary), unchanged."""
        logprob, token = scores[0].log_softmax(dim=-1).max(dim=-1)
        if not self.is_done:  # on some devices transformers stops a step late
            self.is_done = self._request.deliver(Token(int(token), float(logprob)), self._stop_ids)
        return scores


def generation_config(**named: Any) -> GenerationConfig:  # noqa: ANN401  each has a type of its own
    """How to generate: greedily, but for what is named."""
    return GenerationConfig(**named)  # type: ignore[no-untyped-call]

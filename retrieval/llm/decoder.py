"""What writes the next tokens of several texts: any causal model, seen the same way."""

from __future__ import annotations

from typing import Protocol

import torch
from transformers import PreTrainedModel

from retrieval.llm.kv_cache import KVCache


class Decoder(Protocol):
    """A causal model and the caches it fills."""

    def new_cache(self) -> KVCache:
        """The cache of one text of which nothing has been read."""
        ...

    def __call__(self, ids: torch.Tensor, cache: KVCache) -> torch.Tensor:
        """Read `ids`, shape (rows, tokens), after what is in the cache, and add them to it.

        Several rows may be given one token at a time, one row any number.

        Returns:
            The scores after the last token, shape (rows, vocabulary), in float32.
        """
        ...


class ModelDecoder:
    """A model as transformers runs it, on whatever device it is."""

    def __init__(self, model: PreTrainedModel, cache_dtype: torch.dtype) -> None:
        self._model = model
        self._cache_dtype = cache_dtype

    def new_cache(self) -> KVCache:
        """As `Decoder.new_cache`."""
        return KVCache(self._model.config.num_hidden_layers, self._cache_dtype)

    def __call__(self, ids: torch.Tensor, cache: KVCache) -> torch.Tensor:
        """As `Decoder.__call__`."""
        device = self._model.device
        seen = cache.padding_mask()
        output = self._model(
            input_ids=ids.to(device),
            attention_mask=None if seen is None else seen.long().to(device),
            position_ids=cache.positions(ids.shape[1]).to(device),
            cache=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache.grow(ids.shape[1])
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits

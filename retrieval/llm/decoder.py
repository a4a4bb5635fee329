"""What writes the next tokens of several texts: any causal model, seen the same way."""

from __future__ import annotations

from inspect import signature
from typing import Protocol

import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DummyLayer, DynamicLayer, DynamicSlidingWindowLayer

from retrieval.llm.kv_cache import KVCache

HELD = frozenset({DynamicLayer, DynamicSlidingWindowLayer, DummyLayer})
"""Layers that remember keys and values of tokens and nothing else, or nothing at all."""

NEEDED = frozenset({"attention_mask", "position_ids", "cache"})
"""What a model has to be told of texts of several lengths."""


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
        self._layers = len(DynamicCache(config=model.config).layers)
        takes_it = "logits_to_keep" in signature(model.forward).parameters
        self._options = {"logits_to_keep": 1} if takes_it else {}

    def new_cache(self) -> KVCache:
        """As `Decoder.new_cache`."""
        return KVCache(self._layers, self._cache_dtype)

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
            **self._options,
        )
        cache.grow(ids.shape[1])
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits


def is_batchable(model: PreTrainedModel) -> bool:
    """Whether `KVCache` holds all that a model remembers of a text.

    It does not where a layer keeps a state that padding would enter, as linear attention does.
    """
    config = model.config.get_text_config(decoder=True)
    # Llama 4 takes the columns of the cache, padding included, for how much it has read.
    counts_columns = getattr(config, "attn_temperature_tuning", False)
    # Transformers has no public name for models whose states cannot be taken back.
    is_stateful = getattr(model, "_is_stateful", False)
    if config.is_encoder_decoder or counts_columns or is_stateful:
        return False
    layers = {type(layer) for layer in DynamicCache(config=config).layers}
    return layers <= HELD and signature(model.forward).parameters.keys() >= NEEDED


@torch.inference_mode()
def cache_tokens(decoder: Decoder, room: int) -> int:
    """How many tokens a cache of `room` bytes holds; reads one to find out."""
    cache = decoder.new_cache()
    decoder(torch.zeros(1, 1, dtype=torch.long), cache)
    return room // cache.token_bytes

"""A `Decoder` that is a model as transformers runs it."""

from __future__ import annotations

from inspect import signature

import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import Cache, DummyLayer, DynamicLayer, DynamicSlidingWindowLayer

from retrieval.llm.kv_cache import KVCache, KVLayer

HELD = frozenset({DynamicLayer, DynamicSlidingWindowLayer, DummyLayer})
"""Layers that remember keys and values of tokens and nothing else, or nothing at all."""

NEEDED = frozenset({"attention_mask", "position_ids", "cache"})
"""What a model has to be told of texts of several lengths."""


class HeldLayer(DynamicLayer):  # type: ignore[no-untyped-call]  # its base has no types
    """One layer of a `KVCache`, as transformers asks for it."""

    def __init__(self, layer: KVLayer) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._layer = layer

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: object, **__: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append the new columns; gives views of all there are."""
        return self._layer.update(key_states, value_states)

    def get_seq_length(self) -> int:
        """The columns that hold tokens."""
        return self._layer.columns


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
            cache=Cache(layers=[HeldLayer(layer) for layer in cache.layers]),
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

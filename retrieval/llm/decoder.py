"""What writes the next tokens of several texts: any causal model, seen the same way."""

from __future__ import annotations

from typing import Protocol

import torch

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


@torch.inference_mode()
def cache_tokens(decoder: Decoder, room: int) -> int:
    """How many tokens a cache of `room` bytes holds; reads one to find out."""
    cache = decoder.new_cache()
    decoder(torch.zeros(1, 1, dtype=torch.long), cache)
    return room // cache.token_bytes

"""Keys and values of several texts that are generated together."""

from __future__ import annotations

from collections.abc import Sequence

import torch

ROOM = 128
"""Columns that a buffer grows by, so that a step writes in place instead of copying it all."""


class KVLayer:
    """One layer's keys and values, shape (rows, heads, columns, width), with room for more.

    The two may differ in heads and width.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.columns = 0
        self.past_keys = self.past_values = torch.empty(0, dtype=dtype)

    def allocate(
        self, keys: torch.Tensor, values: torch.Tensor, *, rows: int, columns: int
    ) -> None:
        """Empty buffers for `rows` texts, with the heads, width and device of those given."""
        self.past_keys, self.past_values = (
            like.new_zeros(
                (rows, like.shape[1], columns + ROOM, like.shape[3]), dtype=self.past_keys.dtype
            )
            for like in (keys, values)
        )

    def make_room(self, keys: torch.Tensor, values: torch.Tensor, columns: int) -> None:
        """Grow, if need be, to hold `columns` more of `keys` and `values`."""
        end = self.columns + columns
        if self.columns == 0:
            self.allocate(keys, values, rows=keys.shape[0], columns=end)
        elif end > self.past_keys.shape[2]:
            old_keys, old_values = self.past_keys, self.past_values
            self.allocate(old_keys, old_values, rows=old_keys.shape[0], columns=end)
            self.past_keys[:, :, : self.columns] = old_keys[:, :, : self.columns]
            self.past_values[:, :, : self.columns] = old_values[:, :, : self.columns]

    def update(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Append the new columns; gives views of all there are."""
        self.make_room(keys, values, keys.shape[2])
        start, self.columns = self.columns, self.columns + keys.shape[2]
        self.past_keys[:, :, start : self.columns] = keys
        self.past_values[:, :, start : self.columns] = values
        return self.past_keys[:, :, : self.columns], self.past_values[:, :, : self.columns]


class KVCache:
    """The cache of one batch. Rows end in the same column; shorter ones are padded on the left.

    `lengths` holds the tokens of each row. Every layer keeps all its columns, so that a model's
    own mask decides what a sliding window hides.
    """

    def __init__(self, layers: int, dtype: torch.dtype, lengths: Sequence[int] = (0,)) -> None:
        self.layers = [KVLayer(dtype) for _ in range(layers)]
        self.dtype = dtype
        self.lengths = list(lengths)

    def grow(self, tokens: int) -> None:
        """Count the tokens that a forward pass has added to every row."""
        self.lengths = [length + tokens for length in self.lengths]

    def padding_mask(self) -> torch.Tensor | None:
        """Which columns hold tokens, with one more for the token to come; None if all do."""
        longest = max(self.lengths)
        if min(self.lengths) == longest:
            return None
        pads = torch.tensor([[longest - length] for length in self.lengths])
        return torch.arange(longest + 1) >= pads

    def additive_mask(self) -> torch.Tensor:
        """What to add to the scores of the token to come, (rows, columns of the whole buffers).

        Minus infinity hides the columns that hold no token of the row.
        """
        for layer in self.layers:
            layer.make_room(layer.past_keys, layer.past_values, 1)
        end, room = self.layers[0].columns + 1, self.layers[0].past_keys.shape[2]
        begins = torch.tensor([[end - 1 - length] for length in self.lengths])
        columns = torch.arange(room)
        is_hidden = (columns < begins) | (columns >= end)
        return torch.zeros(is_hidden.shape, dtype=self.dtype).masked_fill_(is_hidden, -torch.inf)

    def positions(self, tokens: int) -> torch.Tensor:
        """The places in their texts of the next `tokens` of every row, shape (rows, tokens)."""
        return torch.tensor(self.lengths)[:, None] + torch.arange(tokens)

    @property
    def token_bytes(self) -> int:
        """How much memory a token takes, of a cache that holds some."""
        used = [layer for layer in self.layers if layer.columns]
        return sum(
            states[:1, :, :1].nbytes
            for layer in used
            for states in (layer.past_keys, layer.past_values)
        )

    def beginning(self, tokens: int) -> KVCache:
        """A copy of the first `tokens` of the only row."""
        copy = KVCache(len(self.layers), self.dtype, [tokens])
        for old, new in zip(self.layers, copy.layers, strict=True):
            if old.columns:
                new.update(old.past_keys[:, :, :tokens], old.past_values[:, :, :tokens])
        return copy


def stack(rows: Sequence[tuple[KVCache, int]]) -> KVCache:
    """One cache of the given rows of others, in that order."""
    first = rows[0][0]
    lengths = [cache.lengths[row] for cache, row in rows]
    columns = max(lengths)
    stacked = KVCache(len(first.layers), first.dtype, lengths)
    for number, layer in enumerate(stacked.layers):
        like = first.layers[number]
        if not like.columns:  # this layer looks at what another one keeps
            continue
        layer.allocate(like.past_keys, like.past_values, rows=len(rows), columns=columns)
        layer.columns = columns
        for target, ((cache, row), length) in enumerate(zip(rows, lengths, strict=True)):
            source = cache.layers[number]
            old = slice(source.columns - length, source.columns)
            new = slice(columns - length, columns)
            layer.past_keys[target, :, new] = source.past_keys[row, :, old]
            layer.past_values[target, :, new] = source.past_values[row, :, old]
    return stacked

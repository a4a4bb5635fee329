from __future__ import annotations

import torch

from retrieval.llm.kv_cache import ROOM, KVCache, stack


def filled(tokens: int, value: float) -> KVCache:
    cache = KVCache(1, torch.float32, [tokens])
    states = torch.full((1, 2, tokens, 4), value)
    cache.layers[0].update(states, -states)
    return cache


def keys(cache: KVCache) -> torch.Tensor:
    layer = cache.layers[0]
    return layer.past_keys[:, :, : layer.columns]


def test_rows_end_in_the_same_column() -> None:
    stacked = stack([(filled(2, 7), 0), (filled(5, 8), 0)])
    assert stacked.lengths == [2, 5]
    assert keys(stacked)[:, 0, :, 0].tolist() == [[0, 0, 0, 7, 7], [8, 8, 8, 8, 8]]


def test_the_mask_shows_tokens_and_the_one_to_come() -> None:
    mask = stack([(filled(1, 7), 0), (filled(3, 8), 0)]).padding_mask()
    assert mask is not None
    assert mask.int().tolist() == [[0, 0, 1, 1], [1, 1, 1, 1]]


def test_all_but_tokens_and_the_one_to_come_is_hidden() -> None:
    mask = stack([(filled(1, 7), 0), (filled(3, 8), 0)]).additive_mask()
    assert mask.shape == (2, 3 + ROOM)
    assert (mask == 0).int()[:, :6].tolist() == [[0, 0, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0]]
    assert (mask[:, 4:] == -torch.inf).all()


def test_positions_go_on_in_each_row() -> None:
    both = stack([(filled(1, 7), 0), (filled(3, 8), 0)])
    assert both.positions(2).tolist() == [[1, 2], [3, 4]]


def test_rows_of_one_length_need_no_mask() -> None:
    assert stack([(filled(3, 7), 0), (filled(3, 8), 0)]).padding_mask() is None


def test_the_longest_row_leaves_and_its_columns_with_it() -> None:
    both = stack([(filled(2, 7), 0), (filled(5, 8), 0)])
    alone = stack([(both, 0)])
    assert keys(alone)[:, 0, :, 0].tolist() == [[7, 7]]


def test_a_beginning_is_a_copy() -> None:
    whole = filled(5, 7)
    copy = whole.beginning(3)
    copy.layers[0].past_keys.zero_()
    assert keys(copy).shape[2] == 3
    assert keys(whole).min() == 7


def test_growing_past_the_room_keeps_what_was_there() -> None:
    cache = filled(3, 7)
    more = torch.full((1, 2, ROOM + 1, 4), 9.0)
    grown, values = cache.layers[0].update(more, -more)
    assert grown[0, 0, :, 0].tolist() == [7.0] * 3 + [9.0] * (ROOM + 1)
    assert torch.equal(values, -grown)


def test_keys_and_values_may_differ_in_width() -> None:
    cache = KVCache(2, torch.float32, [3])
    cache.layers[0].update(torch.ones(1, 1, 3, 8), torch.ones(1, 2, 3, 4))
    both = stack([(cache, 0), (cache.beginning(2), 0)])
    layer = both.layers[0]
    assert layer.past_keys.shape == (2, 1, 3 + ROOM, 8)
    assert layer.past_values.shape == (2, 2, 3 + ROOM, 4)
    assert both.token_bytes == cache.token_bytes == 4 * (8 + 2 * 4)

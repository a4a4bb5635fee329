"""Causal models of the common kind in 8-bit integers, with as few passes over memory as can be."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from retrieval.llm.cpu.attention import grouped_attention
from retrieval.llm.cpu.int8_linear import Int8Linear, Levels, levels_of
from retrieval.llm.cpu.plain_model import PLAIN_MODELS, PlainModel
from retrieval.llm.kv_cache import KVCache, KVLayer
from retrieval.llm.quantised import dequantised

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

PART = 256
"""Tokens that pass through the layers at once: what one layer makes of them fits a cache."""


def fits(config: PreTrainedConfig) -> bool:
    """Whether `Int8Decoder` computes what a model of this configuration does."""
    layers = getattr(config, "layer_types", None)
    has_window = layers is None and getattr(config, "sliding_window", None) is not None
    return (
        config.model_type in PLAIN_MODELS
        and set(layers or ()) <= {"full_attention"}
        and not has_window
        and config.hidden_act == "silu"
        and not getattr(config, "mlp_bias", False)
    )


class Int8Decoder:
    """A `Decoder` made of a model's weights. Takes the layers out of the model as it packs them."""

    def __init__(self, model: PreTrainedModel | PlainModel, cache_dtype: torch.dtype) -> None:
        body: Any = model.model
        self._cache_dtype = cache_dtype
        # A copy: a view would keep the file that all weights are mapped from in memory.
        self._embedding = body.embed_tokens.weight.detach().clone()
        self._rotation = body.rotary_emb
        self._layers = [
            Layer(dequantised(body.layers.pop(0), model.config)) for _ in range(len(body.layers))
        ]
        self._norm = Norm(body.norm)
        self._head = Int8Linear(model.lm_head)

    def new_cache(self) -> KVCache:
        """As `Decoder.new_cache`."""
        return KVCache(len(self._layers), self._cache_dtype)

    def __call__(self, ids: torch.Tensor, cache: KVCache) -> torch.Tensor:
        """As `Decoder.__call__`."""
        for part in torch.split(ids, PART, dim=1):
            states = self._read(part, cache)
        return self._head(self._norm(states))

    def _read(self, ids: torch.Tensor, cache: KVCache) -> torch.Tensor:
        """What the layers make of the last of `ids`, shape (rows, width)."""
        tokens = ids.shape[1]
        states = nn.functional.embedding(ids.reshape(-1), self._embedding).float()
        rope = self._rope(states, cache.positions(tokens))
        mask = cache.additive_mask() if tokens == 1 and max(cache.lengths) else None
        for layer, layer_cache in zip(self._layers, cache.layers, strict=True):
            states = layer(states, rope, layer_cache, mask, is_final=layer is self._layers[-1])
        cache.grow(tokens)
        return states

    def _rope(self, states: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Rotary embedding of each token, as complex numbers, (rows, tokens, 1, pairs)."""
        cosines, sines = self._rotation(states, positions)
        pairs = cosines.shape[-1] // 2
        return torch.complex(cosines[..., :pairs], sines[..., :pairs])[:, :, None]


class Layer:
    """One layer of the model. States are float32, shape (rows * tokens, width)."""

    def __init__(self, layer: nn.Module) -> None:
        self._attention = Attention(layer.self_attn)
        self._before_attention = Norm(layer.input_layernorm)
        self._before_mlp = Norm(layer.post_attention_layernorm)
        mlp: Any = layer.mlp
        self._gate_up = Int8Linear(mlp.gate_proj, mlp.up_proj)
        self._down = Int8Linear(mlp.down_proj)

    def __call__(
        self,
        states: torch.Tensor,
        rope: torch.Tensor,
        cache: KVLayer,
        mask: torch.Tensor | None,
        *,
        is_final: bool,
    ) -> torch.Tensor:
        """`states` with what this layer makes of them, added in place; if final, the last only."""
        query = self._attention.remember(self._before_attention(states), rope, cache)
        if is_final:
            states, query = states.view(*query.shape[:2], -1)[:, -1], query[:, -1:]
        self._attention.add_to(states, query, cache, mask)
        levels = self._before_mlp(states)
        gate, up = self._gate_up.without_scales(levels).chunk(2, dim=1)
        wide = levels_of(nn.functional.silu(gate.mul_(levels.scales), inplace=True).mul_(up))
        # What `up` lacks, its rows' scales, their product with `gate` lacks too.
        self._down.add_to(states, Levels(wide.bytes, wide.scales.mul_(levels.scales)))
        return states


class Norm:
    """Division by the root mean square, and a weight: straight from states to levels."""

    def __init__(self, norm: Any) -> None:  # noqa: ANN401  every model type has its own class
        width = len(norm.weight)
        self._weight = norm.weight.detach().float() * sqrt(width)
        self._least = torch.tensor(sqrt(norm.variance_epsilon * width))

    def __call__(self, states: torch.Tensor) -> Levels:
        """The normalised rows as levels."""
        # Dividing a row leaves its levels as they are, so that only its scale has to be divided.
        levels, scales = levels_of(states * self._weight)
        lengths = torch.linalg.vector_norm(states, dim=1, keepdim=True)
        return Levels(levels, scales.div_(torch.hypot(lengths, self._least)))


class Attention:
    """Self-attention with rotary positions.

    The weights of queries and keys are reordered so that the two numbers that rotate together are
    neighbours, which makes rotating them one complex product.
    """

    def __init__(self, attention: Any) -> None:  # noqa: ANN401  every model type has its own class
        self._width: int = attention.head_dim
        self._scale: float = attention.scaling
        self._heads = attention.q_proj.out_features // self._width
        self._kv_heads = attention.k_proj.out_features // self._width
        self._norms = [
            (self._paired(norm.weight.detach()).float(), norm.variance_epsilon)
            for norm in (getattr(attention, "q_norm", None), getattr(attention, "k_norm", None))
            if norm is not None
        ]
        for rotating in (attention.q_proj, attention.k_proj):
            for parameter in rotating.parameters():
                parameter.data = self._paired(parameter.data)
        self._qkv = Int8Linear(attention.q_proj, attention.k_proj, attention.v_proj)
        self._out = Int8Linear(attention.o_proj)

    def remember(self, levels: Levels, rope: torch.Tensor, cache: KVLayer) -> torch.Tensor:
        """Cache the tokens' keys and values; gives their queries, (rows, tokens, heads, width)."""
        heads = self._qkv(levels).view(*rope.shape[:2], -1, self._width)
        rotated = self._rotated(heads[:, :, : -self._kv_heads], rope)
        key, value = rotated[:, :, self._heads :], heads[:, :, -self._kv_heads :]
        cache.update(key.transpose(1, 2), value.transpose(1, 2))
        return rotated[:, :, : self._heads] * self._scale

    def add_to(
        self,
        states: torch.Tensor,
        query: torch.Tensor,
        cache: KVLayer,
        mask: torch.Tensor | None,
    ) -> None:
        """Add to `states` what their queries find in the cache."""
        # Products of whole buffers need no copy, those of a part of their columns do.
        columns = cache.columns if mask is None else None
        keys, values = cache.past_keys[:, :, :columns], cache.past_values[:, :, :columns]
        attended = grouped_attention(query, keys, values, mask)
        self._out.add_to(states, levels_of(attended.reshape(len(states), -1).float()))

    def _rotated(self, heads: torch.Tensor, rope: torch.Tensor) -> torch.Tensor:
        """Queries and then keys, (rows, tokens, heads, width), rotated by their positions."""
        if self._norms:
            parts = heads[:, :, : self._heads], heads[:, :, self._heads :]
            normed = [
                nn.functional.rms_norm(part, (self._width,), weight, epsilon)
                for part, (weight, epsilon) in zip(parts, self._norms, strict=True)
            ]
            heads = torch.cat(normed, dim=2)
        pairs = torch.view_as_complex(heads.view(*heads.shape[:-1], -1, 2))
        return torch.view_as_real(pairs * rope).flatten(-2)

    def _paired(self, weight: torch.Tensor) -> torch.Tensor:
        """The rows of `weight`, one a head's number, with the halves of each head interleaved."""
        halves = weight.view(-1, 2, self._width // 2, *weight.shape[1:])
        return halves.transpose(1, 2).reshape(weight.shape)

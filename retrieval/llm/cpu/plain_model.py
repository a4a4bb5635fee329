"""Causal models whose layers are the textbook ones, read from their files without transformers.

Importing what runs any model takes longer than a short answer; the default generator needs none of
it. Modules and weights are named as in transformers, so that whatever takes such a model takes
these. They hold weights and compute nothing: `Int8Decoder` does that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

PLAIN_MODELS = frozenset({"llama", "mistral", "qwen2", "qwen3"})
"""Model types whose layers are the textbook ones: no sinks, no soft cap, no position bias."""

_CONFIG, _WEIGHTS, _GENERATION = "config.json", "model.safetensors", "generation_config.json"
_HEAD, _WORDS = "lm_head.weight", "model.embed_tokens.weight"
_PLAIN_VALUES: Mapping[str, tuple[Any, ...]] = {
    "hidden_act": ("silu",),
    "mlp_bias": (None, False),
    "quantization_config": (None,),
    "rope_scaling": (None,),
    "use_sliding_window": (None, False),
}
"""What a configuration may say of what could be otherwise."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a model's configuration says of its layers, by the names that it has there."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    max_position_embeddings: int
    rms_norm_eps: float


class Norm(nn.Module):
    """The weight of a division by the root mean square."""

    def __init__(self, width: int, least: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))
        self.variance_epsilon = least


class Rotation(nn.Module):
    """Rotary positions (Su et al. 2021)."""

    def __init__(self, width: int, base: float) -> None:
        super().__init__()
        self._width, self._base = width, base

    def forward(
        self, states: torch.Tensor, positions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and sines of positions, (rows, tokens), each (rows, tokens, width)."""
        powers = torch.arange(0, self._width, 2).float() / self._width
        angles = positions[..., None].float() * (1.0 / self._base**powers)
        both = torch.cat((angles, angles), dim=-1)
        return both.cos().to(states.dtype), both.sin().to(states.dtype)


class Attention(nn.Module):
    """The weights of self-attention; of some models they have biases or norms of the heads."""

    def __init__(self, sizes: Sizes, width: int, parts: frozenset[str]) -> None:
        super().__init__()
        self.head_dim, self.scaling = width, width**-0.5
        heads, kv_heads = sizes.num_attention_heads, sizes.num_key_value_heads
        shapes = {
            "q_proj": (sizes.hidden_size, heads * width),
            "k_proj": (sizes.hidden_size, kv_heads * width),
            "v_proj": (sizes.hidden_size, kv_heads * width),
            "o_proj": (heads * width, sizes.hidden_size),
        }
        for name, shape in shapes.items():
            self.add_module(name, nn.Linear(*shape, bias=f"self_attn.{name}.bias" in parts))
        for name in ("q_norm", "k_norm"):
            if f"self_attn.{name}.weight" in parts:
                self.add_module(name, Norm(width, sizes.rms_norm_eps))


class Mlp(nn.Module):
    """The weights of a gated layer."""

    def __init__(self, narrow: int, wide: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(narrow, wide, bias=False)
        self.up_proj = nn.Linear(narrow, wide, bias=False)
        self.down_proj = nn.Linear(wide, narrow, bias=False)


class Layer(nn.Module):
    """The weights of one layer."""

    def __init__(self, sizes: Sizes, width: int, parts: frozenset[str]) -> None:
        super().__init__()
        self.self_attn = Attention(sizes, width, parts)
        self.mlp = Mlp(sizes.hidden_size, sizes.intermediate_size)
        self.input_layernorm = Norm(sizes.hidden_size, sizes.rms_norm_eps)
        self.post_attention_layernorm = Norm(sizes.hidden_size, sizes.rms_norm_eps)


class Body(nn.Module):
    """All but the head. A head of a layer has `width` numbers; `parts` are a layer's weights."""

    def __init__(self, sizes: Sizes, width: int, base: float, parts: frozenset[str]) -> None:
        super().__init__()
        # The usual way fills it with random numbers, for which torch, without memory, imports half
        # of itself.
        self.embed_tokens = nn.Embedding(
            sizes.vocab_size,
            sizes.hidden_size,
            _weight=torch.empty(sizes.vocab_size, sizes.hidden_size),
        )
        layers = (Layer(sizes, width, parts) for _ in range(sizes.num_hidden_layers))
        self.layers = nn.ModuleList(layers)
        self.norm = Norm(sizes.hidden_size, sizes.rms_norm_eps)
        self.rotary_emb = Rotation(width, base)


class PlainModel(nn.Module):
    """The model in a folder, for which `fits` has to hold. Weights stay in the file until read."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        config = _json(folder / _CONFIG)
        self.config = None  # nothing in it is left to be asked for
        self.context_tokens: int = config["max_position_embeddings"]
        self.eos_token_id = _eos_token_id(folder, config)
        with safe_open(folder / _WEIGHTS, "pt") as file:
            weights = {name: file.get_tensor(name) for name in _names(file, config)}
        self.parameters_count = sum(prod(tensor.shape) for tensor in weights.values())
        if config.get("tie_word_embeddings"):
            weights[_HEAD] = weights[_WORDS]
        with torch.device("meta"):
            self.model = _body(config, weights)
            self.lm_head = nn.Linear(config["hidden_size"], config["vocab_size"], bias=False)
        self.load_state_dict(weights, assign=True)
        self.requires_grad_(requires_grad=False)


def fits(folder: Path) -> bool:
    """Whether `PlainModel` is what transformers would make of a folder."""
    try:
        config = _json(folder / _CONFIG)
        if config["model_type"] not in PLAIN_MODELS or not _is_plain(config):
            return False
        with safe_open(folder / _WEIGHTS, "pt") as file:
            names = {*_names(file, config)}
        with torch.device("meta"):
            body = _body(config, names)
        of_body = {f"model.{name}" for name in body.state_dict()}
        return names - {_HEAD} == of_body and (
            _HEAD in names or bool(config.get("tie_word_embeddings"))
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        return False  # the library that loads any model says what is wrong


def _is_plain(config: Mapping[str, Any]) -> bool:
    rope = config.get("rope_parameters") or {}
    has_window = config["model_type"] == "mistral" and config.get("sliding_window") is not None
    return (
        all(config.get(name) in plain for name, plain in _PLAIN_VALUES.items())
        and {*(config.get("layer_types") or ())} <= {"full_attention"}
        and not has_window
        and rope.get("rope_type", "default") == "default"
    )


def _body(config: Mapping[str, Any], names: Iterable[str]) -> Body:
    """The modules of a configuration, for weights of these names."""
    sizes = Sizes(**{field.name: config[field.name] for field in fields(Sizes)})
    width = config.get("head_dim") or sizes.hidden_size // sizes.num_attention_heads
    first = "model.layers.0."  # what it has, all others have
    parts = frozenset(name.removeprefix(first) for name in names if name.startswith(first))
    # Whatever was saved by transformers 5 has it there.
    base = (config.get("rope_parameters") or config)["rope_theta"]
    return Body(sizes, width, base, parts)


def _names(file: Any, config: Mapping[str, Any]) -> list[str]:  # noqa: ANN401  safetensors have no type for it
    is_tied = config.get("tie_word_embeddings")
    return [name for name in file.keys() if name != _HEAD or not is_tied]  # noqa: SIM118


def _eos_token_id(folder: Path, config: Mapping[str, Any]) -> int | list[int] | None:
    """What ends a text: as transformers does, from the file about generating if there is one."""
    path = folder / _GENERATION
    told: int | list[int] | None = (_json(path) if path.is_file() else config).get("eos_token_id")
    return told


def _json(path: Path) -> Any:  # noqa: ANN401  whatever somebody wrote there
    return json.loads(path.read_bytes())

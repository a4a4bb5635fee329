"""Sentence embedders that are plain BERT models, in plain torch.

Importing the libraries that run any model takes five times as long as a search; the default
embedder needs none of them. Whatever is not as plain as `fits` asks is left to them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from torch.nn.functional import gelu, normalize, scaled_dot_product_attention

from retrieval.models.device import Device
from retrieval.models.fast_tokenizer import FastTokenizer

Pooling = Literal["cls", "mean"]

_CONFIG, _WEIGHTS = "config.json", "model.safetensors"
_SEQUENCES, _PROMPTS = "sentence_bert_config.json", "config_sentence_transformers.json"
_WORDS = "embeddings.word_embeddings.weight"
_MODE = "pooling_mode_"
_POOLINGS: Mapping[str, Pooling] = {"cls_token": "cls", "mean_tokens": "mean"}
_UNUSED = ("pooler.", "embeddings.position_ids")


@dataclass(frozen=True, slots=True)
class BertSizes:
    """What a BERT model's configuration says of its layers, by the names that it has there."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


class Encoded(NamedTuple):
    """What an encoder makes of tokens, as transformers name it; shape (rows, tokens, width)."""

    last_hidden_state: torch.Tensor


class BertLayer(nn.Module):
    """One layer, its weights named as in every BERT model's file."""

    def __init__(self, sizes: BertSizes) -> None:
        super().__init__()
        width, wide, least = sizes.hidden_size, sizes.intermediate_size, sizes.layer_norm_eps
        self.heads = sizes.num_attention_heads
        self.attention: Any = nn.ModuleDict(
            {
                "self": nn.ModuleDict(
                    {name: nn.Linear(width, width) for name in ("query", "key", "value")}
                ),
                "output": _closing(width, width, least),
            }
        )
        self.intermediate: Any = nn.ModuleDict({"dense": nn.Linear(width, wide)})
        self.output = _closing(wide, width, least)

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """The states, shape (rows, tokens, width), after this layer."""
        query, key, value = (
            linear(states).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for linear in self.attention["self"].values()
        )
        seen = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        states = _closed(self.attention["output"], seen.transpose(1, 2).flatten(2), states)
        return _closed(self.output, gelu(self.intermediate["dense"](states)), states)


def _closing(width: int, narrow: int, least: float) -> nn.ModuleDict:
    return nn.ModuleDict(
        {"dense": nn.Linear(width, narrow), "LayerNorm": nn.LayerNorm(narrow, eps=least)}
    )


def _closed(closing: Any, inner: torch.Tensor, states: torch.Tensor) -> torch.Tensor:  # noqa: ANN401  torch types no member
    closed: torch.Tensor = closing["LayerNorm"](closing["dense"](inner) + states)
    return closed


def _embedding(count: int, width: int) -> nn.Embedding:
    # The usual way fills it with random numbers, for which torch, without memory, imports half of
    # itself.
    return nn.Embedding(count, width, _weight=torch.empty(count, width))


class Bert(nn.Module):
    """An encoder (Devlin et al. 2018) that is called as that of transformers is."""

    def __init__(self, sizes: BertSizes) -> None:
        super().__init__()
        width = sizes.hidden_size
        self.embeddings: Any = nn.ModuleDict(
            {
                "word_embeddings": _embedding(sizes.vocab_size, width),
                "position_embeddings": _embedding(sizes.max_position_embeddings, width),
                "token_type_embeddings": _embedding(sizes.type_vocab_size, width),
                "LayerNorm": nn.LayerNorm(width, eps=sizes.layer_norm_eps),
            }
        )
        layers = (BertLayer(sizes) for _ in range(sizes.num_hidden_layers))
        self.encoder: Any = nn.ModuleDict({"layer": nn.ModuleList(layers)})

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        device: torch.device = self.embeddings["LayerNorm"].weight.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """The precision that it computes in."""
        dtype: torch.dtype = self.embeddings["LayerNorm"].weight.dtype
        return dtype

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Encoded:
        """What the last layer makes of each token; `attention_mask` is 0 for padding."""
        words, places, types, norm = self.embeddings.values()
        tokens = torch.arange(input_ids.shape[1], device=input_ids.device)
        states = words(input_ids).to(self.dtype) + types(torch.zeros_like(tokens))
        states = norm(states + places(tokens))
        mask = None if bool(attention_mask.all()) else attention_mask[:, None, None].bool()
        for layer in self.encoder["layer"]:
            states = layer(states, mask)
        return Encoded(states)


class BertEmbedder(nn.Module):
    """A `Bert` with its tokenizer and pooling, called as a model of sentence-transformers is."""

    def __init__(self, folder: Path, device: Device) -> None:
        super().__init__()
        self.tokenizer = FastTokenizer(folder)
        self.max_seq_length = _json(folder / _SEQUENCES).get("max_seq_length")
        prompts = folder / _PROMPTS
        self.prompts: Mapping[str, str | None] = (
            _json(prompts).get("prompts", {}) if prompts.is_file() else {}
        )
        self._pooling, self._normalises = _pooling(folder), _modules(folder)[2:] == ["Normalize"]
        self.transformers_model = _unfilled(folder)
        with safe_open(folder / _WEIGHTS, "pt") as file:
            weights = {name: file.get_tensor(name).to(device.name) for name in _names(file)}
        # Most of the weights are words' rows. They stay in the file until they are looked up.
        weights |= {n: tensor.to(device.dtype) for n, tensor in weights.items() if n != _WORDS}
        self.transformers_model.load_state_dict(weights, assign=True)
        self.requires_grad_(requires_grad=False)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.transformers_model.device

    def forward(self, features: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """A row for each text, under the name that sentence-transformers give it."""
        states = self.transformers_model(**features).last_hidden_state
        if self._pooling == "cls":
            rows = states[:, 0]
        else:
            mask = features["attention_mask"].unsqueeze(-1).to(states.dtype)
            sums = (states * mask).sum(dim=1, dtype=torch.float32)
            rows = (sums / mask.sum(dim=1, dtype=torch.float32)).to(states.dtype)
        return {"sentence_embedding": normalize(rows, dim=1) if self._normalises else rows}


def fits(folder: Path) -> bool:
    """Whether `BertEmbedder` makes of a text what the model in a folder does."""
    try:
        if not (_is_plain(folder) and _has_plain_modules(folder) and FastTokenizer.fits(folder)):
            return False
        with safe_open(folder / _WEIGHTS, "pt") as file:
            return {*_names(file)} == {*_unfilled(folder).state_dict()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        return False  # the library that loads any model says what is wrong


def _is_plain(folder: Path) -> bool:
    config = _json(folder / _CONFIG)
    return (
        config["model_type"] == "bert"
        and config["hidden_act"] == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder")
        and not config.get("quantization_config")
    )


def _has_plain_modules(folder: Path) -> bool:
    settings = _json(folder / _SEQUENCES)
    plain = ["Transformer", "Pooling", "Normalize"]
    return (
        _modules(folder) in (plain, plain[:2])
        and {*settings} <= {"max_seq_length", "do_lower_case"}
        and not settings.get("do_lower_case")
        and _pooling(folder) is not None
    )


def _modules(folder: Path) -> list[str]:
    """The modules that texts pass through."""
    return [module["type"].rpartition(".")[2] for module in _json(folder / "modules.json")]


def _pooling(folder: Path) -> Pooling | None:
    """The one way of pooling that is set, if it is one of ours."""
    settings = _json(folder / "1_Pooling" / _CONFIG)
    chosen = [name for name, value in settings.items() if name.startswith(_MODE) and value]
    if len(chosen) != 1 or not settings.get("include_prompt", True):
        return None
    return _POOLINGS.get(chosen[0].removeprefix(_MODE))


def _unfilled(folder: Path) -> Bert:
    """The model of a folder, without weights."""
    config = _json(folder / _CONFIG)
    sizes = BertSizes(**{field.name: config[field.name] for field in fields(BertSizes)})
    with torch.device("meta"):
        return Bert(sizes)


def _names(file: Any) -> list[str]:  # noqa: ANN401  safetensors have no type for it
    return [name for name in file.keys() if not name.startswith(_UNUSED)]  # noqa: SIM118


def _json(path: Path) -> Any:  # noqa: ANN401  whatever somebody wrote there
    return json.loads(path.read_bytes())

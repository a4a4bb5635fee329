"""Reads a question and passages together, with the embedder's encoder and an adapter for it."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from retrieval.documents.tables import as_sentences
from retrieval.errors import ModelCorruptError, RetrievalError
from retrieval.records import Passage
from retrieval.search.embedding import Embedder

if TYPE_CHECKING:
    import torch

ADAPTER = "reader.safetensors"
"""The adapter that comes with the package, and its name in the models folder."""

MAX_TOKENS = 320
"""A question and a passage together; a longer passage is cut."""

_FACTS = "reader"
_HEAD = ("pooler.dense.weight", "pooler.dense.bias", "classifier.weight", "classifier.bias")
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"


@dataclass(frozen=True, slots=True)
class AdapterFacts:
    """What an adapter belongs to: the embedder's id, the factor of its products, its data."""

    base: str
    scale: float
    data: str
    licence: str

    def __post_init__(self) -> None:
        if not math.isfinite(self.scale):
            raise ValueError("its scale is no number")


_FACTS_OF = TypeAdapter(AdapterFacts)


class Reader:
    """Says how likely each passage answers a question. Threads may share one.

    It is the encoder of the embedder with a low-rank product added to each linear layer (LoRA, Hu
    et al. 2021), and a pooler and a linear layer of its own behind the first token. The token
    embeddings are the embedder's; the other weights are in memory twice.
    """

    def __init__(self, embedder: Embedder, adapter: Path) -> None:
        self.id = f"reader@{hashlib.sha256(adapter.read_bytes()).hexdigest()[:8]}"
        self.facts = facts_of(adapter)
        self._embedder = embedder
        encoder: Any = embedder.encoder
        shared = {id(encoder.embeddings): encoder.embeddings}
        self._encoder: Any = copy.deepcopy(encoder, shared)
        weights = read_weights(adapter, self._encoder)
        weights = {n: tensor.to(encoder.device, encoder.dtype) for n, tensor in weights.items()}
        _merge(self._encoder, weights, self.facts.scale)
        self._head = [weights[name] for name in _HEAD]

    def scores(self, query: str, passages: Sequence[Passage]) -> list[float]:
        """For each passage, in their order, how likely it answers the query, 0 to 1."""
        import torch

        if not passages:
            return []
        texts = [as_sentences(passage.indexed_text) for passage in passages]
        features = self._embedder.pairs(query, texts, max_tokens=MAX_TOKENS)
        pooler, pooler_bias, classifier, bias = self._head
        with torch.inference_mode():
            first = self._encoder(**features).last_hidden_state[:, 0]
            pooled = torch.tanh(torch.nn.functional.linear(first, pooler, pooler_bias))
            logits = torch.nn.functional.linear(pooled, classifier, bias)[:, 0]
            scores = [float(likely) for likely in torch.sigmoid(logits.float())]
        if not all(map(math.isfinite, scores)):
            raise RetrievalError(f"{self.id} gave no numbers; try WHIMBREL_DEVICE=cpu")
        return scores


def reader_of(embedder: Embedder, models_folder: Path) -> Reader | None:
    """The reader for an embedder: the one in the models folder, else the package's, or None.

    Raises:
        ModelCorruptError: If the one in the models folder is damaged.
    """
    with as_file(files("retrieval.search").joinpath(ADAPTER)) as packaged:
        for adapter in (models_folder / ADAPTER, packaged):
            if adapter.is_file() and facts_of(adapter).base == embedder.weights_id:
                return Reader(embedder, adapter)
    return None


def readable(models_folder: Path) -> list[str]:
    """The ids of the embedders that there is a reader for.

    Raises:
        ModelCorruptError: If the one in the models folder is damaged.
    """
    with as_file(files("retrieval.search").joinpath(ADAPTER)) as packaged:
        known = [path for path in (models_folder / ADAPTER, packaged) if path.is_file()]
        return [facts_of(path).base for path in known]


def facts_of(adapter: Path) -> AdapterFacts:
    """What stands in the head of an adapter's file.

    Raises:
        ModelCorruptError: If that cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(adapter, "numpy") as file:
            return _FACTS_OF.validate_json(file.metadata()[_FACTS])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelCorruptError(f"{adapter} is not a reader's adapter: {error}") from error


def read_weights(adapter: Path, encoder: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights in a file, if they are all numbers and fit an encoder.

    Raises:
        ModelCorruptError: If they do not.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(adapter)
    except SafetensorError as error:
        raise ModelCorruptError(f"{adapter} is not a reader's adapter: {error}") from error
    known = dict(encoder.named_parameters())
    width = known["embeddings.word_embeddings.weight"].shape[1]
    shapes = dict(zip(_HEAD, ((width, width), (width,), (1, width), (1,)), strict=True))
    layers = {name.removesuffix(_DOWN) for name in weights if name.endswith(_DOWN)}
    for layer in layers & {name.removesuffix(".weight") for name in known}:
        rank = weights[layer + _DOWN].shape[0]
        rows, columns = known[f"{layer}.weight"].shape
        shapes |= {layer + _DOWN: (rank, columns), layer + _UP: (rows, rank)}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if not layers or found != shapes:
        odd = sorted(name for name in {*found, *shapes} if found.get(name) != shapes.get(name))
        raise ModelCorruptError(f"{adapter} does not fit its encoder, at {', '.join(odd[:3])}")
    if not all(torch.isfinite(tensor).all() for tensor in weights.values()):
        raise ModelCorruptError(f"{adapter} holds what is no number")
    return weights


def save_adapter(path: Path, weights: Mapping[str, torch.Tensor], facts: AdapterFacts) -> None:
    """Write an adapter, appearing whole; `weights` are as `Reader` takes them."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    save_file(dict(weights), beside, metadata={_FACTS: json.dumps(asdict(facts))})
    beside.chmod(0o644)  # the bot may run as another user
    beside.replace(path)


def _merge(encoder: torch.nn.Module, weights: Mapping[str, torch.Tensor], scale: float) -> None:
    for name, down in weights.items():
        if name.endswith(_DOWN):
            layer = name.removesuffix(_DOWN)
            weight = encoder.get_parameter(f"{layer}.weight")
            weight.data += scale * (weights[layer + _UP] @ down)

"""Turn a GGUF file into an ordinary model folder: bfloat16 safetensors, config, tokenizer.

Transformers can read GGUF too, but needs ten times as long: most of it goes into building Python
objects for the vocabulary and into the float32 copy of every weight.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

SCALARS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
STRING, ARRAY = 8, 9
CONTROL, USER_DEFINED, UNUSED = 3, 4, 5

# Rows that are dequantised in one go; their float32 copy should fit the processor's cache.
CHUNK_ROWS = 512

LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
ARCHITECTURES = {"qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM"}

QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Tensor:
    """A tensor as stored: `shape` in torch's order, `data` its quantised bytes by row."""

    name: str
    shape: tuple[int, ...]
    kind: int
    data: npt.NDArray[np.uint8]


class GGUFReader:
    """A cursor over little-endian bytes."""

    def __init__(self, data: memoryview) -> None:
        self.data, self.position = data, 0

    def number(self, code: str) -> int:
        """The next number, in a format of `struct`."""
        (value,) = struct.unpack_from(f"<{code}", self.data, self.position)
        self.position += struct.calcsize(f"<{code}")
        return value  # type: ignore[no-any-return]  # float for f and d, bool for ?

    def text(self) -> str:
        """The next string."""
        length = self.number("Q")
        self.position += length
        return str(self.data[self.position - length : self.position], "utf-8")

    def value(self, kind: int) -> object:
        """The next value of a GGUF type."""
        if kind == STRING:
            return self.text()
        if kind == ARRAY:
            item, count = self.number("I"), self.number("Q")
            return [self.value(item) for _ in range(count)]
        return self.number(SCALARS[kind])


def unpack(data: memoryview, folder: Path) -> None:
    """Write the model of a GGUF file's bytes into `folder`, ready for `from_pretrained`.

    Raises:
        ValueError: If the bytes are no GGUF, or hold an architecture or a tokenizer other than
            those of Qwen2 and SmolLM2.
    """
    facts, tensors = read(data)
    architecture = facts["general.architecture"]
    if architecture not in ARCHITECTURES:
        raise ValueError(f"GGUF architecture {architecture}; wanted one of {[*ARCHITECTURES]}")
    write_weights(facts, tensors, folder)
    write_json(folder / "config.json", config_of(facts, tensors["token_embd.weight"].shape[0]))
    write_json(folder / "generation_config.json", special_ids(facts))
    build_tokenizer(facts).save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", tokenizer_config(facts))


def read(data: memoryview) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The facts and the tensors of a GGUF file (version 2 or 3), without copying any weight."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    reader = GGUFReader(data)
    if bytes(data[:4]) != b"GGUF":
        raise ValueError(f"starts with {bytes(data[:4])!r}; wanted b'GGUF'")
    reader.position = 8
    tensor_count, fact_count = reader.number("Q"), reader.number("Q")
    facts: dict[str, Any] = {
        reader.text(): reader.value(reader.number("I")) for _ in range(fact_count)
    }
    heads = [tensor_head(reader) for _ in range(tensor_count)]
    alignment = facts.get("general.alignment", 32)
    start = -(-reader.position // alignment) * alignment
    tensors = {}
    for name, shape, kind, offset in heads:
        block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        row_bytes = shape[-1] // block * block_bytes
        size = prod(shape[:-1]) * row_bytes
        raw = np.frombuffer(data, np.uint8, size, start + offset).reshape(-1, row_bytes)
        tensors[name] = Tensor(name, shape, kind, raw)
    return facts, tensors


def tensor_head(reader: GGUFReader) -> tuple[str, tuple[int, ...], int, int]:
    """Name, shape, kind and offset of the next tensor in the file's table."""
    name = reader.text()
    shape = [reader.number("Q") for _ in range(reader.number("I"))]
    return name, tuple(reversed(shape)), reader.number("I"), reader.number("Q")


def write_weights(facts: Mapping[str, Any], tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Dequantise every tensor, several at a time, into `model.safetensors`."""
    from safetensors.torch import save_file

    chosen = dict(named(tensors))
    with ThreadPoolExecutor() as pool:
        weights = pool.map(lambda tensor: restored(facts, tensor), chosen.values())
        save_file(
            dict(zip(chosen, weights, strict=True)),
            folder / "model.safetensors",
            metadata={"format": "pt"},
        )


def named(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """The tensors the model needs, by the names that transformers gives them."""
    # These models share one matrix between input and output. Quantisers store it twice, and the
    # output's copy is the more exact one.
    yield "model.embed_tokens.weight", tensors.get("output.weight", tensors["token_embd.weight"])
    yield "model.norm.weight", tensors["output_norm.weight"]
    for tensor in tensors.values():
        if tensor.name.startswith("blk."):
            _, layer, part, leaf = tensor.name.split(".")
            yield f"model.layers.{layer}.{LAYER_NAMES[part]}.{leaf}", tensor


def restored(facts: Mapping[str, Any], tensor: Tensor) -> torch.Tensor:
    """The tensor's weights in the row order of transformers."""
    weight = dequantized(tensor)
    kind = tensor.name.split(".")[-2]
    if facts["general.architecture"] != "llama" or kind not in ("attn_q", "attn_k"):
        return weight
    # For llama, the writers of GGUF reorder the rows of each head for another rotary embedding.
    heads = facts[f"llama.attention.head_count{'_kv' if kind == 'attn_k' else ''}"]
    rows = weight.reshape(heads, -1, 2, *weight.shape[1:])
    return rows.transpose(1, 2).reshape(weight.shape).contiguous()


def dequantized(tensor: Tensor) -> torch.Tensor:
    """The tensor's weights in bfloat16, in the order they are stored."""
    import torch
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize

    kind = GGMLQuantizationType(tensor.kind)
    weight = torch.empty(len(tensor.data), tensor.shape[-1], dtype=torch.bfloat16)
    for row in range(0, len(weight), CHUNK_ROWS):
        rows = slice(row, row + CHUNK_ROWS)
        weight[rows] = torch.from_numpy(np.require(dequantize(tensor.data[rows], kind), None, "W"))
    return weight.reshape(tensor.shape)


def config_of(facts: Mapping[str, Any], vocabulary: int) -> dict[str, Any]:
    """What `config.json` says of the model."""
    architecture = facts["general.architecture"]
    number = {key: facts.get(f"{architecture}.{key}") for key in (
        "embedding_length", "feed_forward_length", "block_count", "attention.head_count",
        "attention.head_count_kv", "attention.layer_norm_rms_epsilon", "context_length",
        "rope.freq_base",
    )}  # fmt: skip
    return {
        "architectures": [ARCHITECTURES[architecture]],
        "model_type": architecture,
        "dtype": "bfloat16",
        "vocab_size": vocabulary,
        "hidden_size": number["embedding_length"],
        "intermediate_size": number["feed_forward_length"],
        "num_hidden_layers": number["block_count"],
        "num_attention_heads": number["attention.head_count"],
        "num_key_value_heads": number["attention.head_count_kv"],
        "rms_norm_eps": float(f"{number['attention.layer_norm_rms_epsilon']:.6g}"),
        "max_position_embeddings": number["context_length"],
        "rope_theta": number["rope.freq_base"],
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        **special_ids(facts),
    }


def special_ids(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The ids of the tokens that begin, end and pad a text, as far as the file tells."""
    ids = {
        "bos_token_id": facts.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": facts["tokenizer.ggml.eos_token_id"],
        "pad_token_id": facts.get("tokenizer.ggml.padding_token_id"),
    }
    return {name: value for name, value in ids.items() if value is not None}


def build_tokenizer(facts: Mapping[str, Any]) -> Tokenizer:
    """The byte-level BPE tokenizer that the facts describe."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
    from tokenizers.pre_tokenizers import ByteLevel, Digits, PreTokenizer, Sequence, Split

    tokens, types = facts["tokenizer.ggml.tokens"], facts["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ", 1)) for merge in facts["tokenizer.ggml.merges"]]
    vocabulary = {token: at for at, token in enumerate(tokens) if types[at] != UNUSED}
    splitters: dict[str, list[PreTokenizer]] = {
        "qwen2": [Split(Regex(QWEN2_WORDS), "isolated"), ByteLevel(False, use_regex=False)],
        "smollm": [Digits(individual_digits=True), ByteLevel(False)],
    }
    splitter = facts["tokenizer.ggml.pre"]
    if splitter not in splitters:
        raise ValueError(f"GGUF tokenizer {splitter}; wanted one of {[*splitters]}")
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = Sequence(splitters[splitter])
    tokenizer.decoder = decoders.ByteLevel()
    if splitter == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    for kind, special in ((CONTROL, True), (USER_DEFINED, False)):
        added = [token for token, type_ in zip(tokens, types, strict=True) if type_ == kind]
        tokenizer.add_tokens(
            [AddedToken(token, special=special, normalized=False) for token in added]
        )
    return tokenizer


def tokenizer_config(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What `tokenizer_config.json` says, the chat template included."""
    tokens = facts["tokenizer.ggml.tokens"]
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": tokens[facts["tokenizer.ggml.eos_token_id"]],
        "pad_token": tokens[facts["tokenizer.ggml.padding_token_id"]],
        "model_max_length": facts[f"{facts['general.architecture']}.context_length"],
        "clean_up_tokenization_spaces": False,
        "chat_template": facts["tokenizer.chat_template"],
    }


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write the value as people would: indented, in UTF-8."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

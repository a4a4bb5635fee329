"""Models of a few thousand weights, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from retrieval.llm.generation_loop import GenerationRequest

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
END_ID = len(BYTES)

SHAPE: dict[str, Any] = {
    "vocab_size": END_ID + 1,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
    "eos_token_id": END_ID,
    "initializer_range": 0.2,
}
"""What all the decoders have alike."""

CHAT = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def byte_tokenizer(*, chat_template: str | None = None) -> PreTrainedTokenizerFast:
    """One token a byte, so that a Chinese character is three."""
    tokenizer = Tokenizer(models.BPE({piece: n for n, piece in enumerate(BYTES)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token="<end>"
    )
    fast.chat_template = chat_template
    return fast


def tiny_qwen(*, seed: int = 1) -> Qwen2ForCausalLM:
    torch.manual_seed(seed)
    config = Qwen2Config(
        **SHAPE,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    return Qwen2ForCausalLM(config)


def tiny_llama() -> LlamaForCausalLM:
    torch.manual_seed(2)
    config = LlamaConfig(
        **SHAPE,
        num_key_value_heads=4,
    )
    return LlamaForCausalLM(config)


def tiny_mistral() -> MistralForCausalLM:
    torch.manual_seed(4)
    config = MistralConfig(
        **SHAPE,
        num_key_value_heads=2,
        sliding_window=None,
    )
    return MistralForCausalLM(config)


def tiny_qwen3() -> Qwen3ForCausalLM:
    torch.manual_seed(5)
    config = Qwen3Config(
        **SHAPE,
        num_key_value_heads=2,
        head_dim=32,
    )
    model = Qwen3ForCausalLM(config)
    for name, parameter in model.named_parameters():
        if name.endswith("norm.weight"):
            torch.nn.init.uniform_(parameter, 0.5, 2)
    return model


def save_causal(folder: Path, *, chat_template: str | None = CHAT) -> Path:
    tiny_qwen().save_pretrained(folder)
    byte_tokenizer(chat_template=chat_template).save_pretrained(folder)
    return folder


def save_seq2seq(folder: Path) -> Path:
    torch.manual_seed(3)
    config = T5Config(
        vocab_size=END_ID + 1,
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        eos_token_id=END_ID,
        pad_token_id=0,
    )
    model = T5ForConditionalGeneration(config)
    model.generation_config.decoder_start_token_id = 0
    model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


def tokens_of(request: GenerationRequest) -> list[int]:
    """All that is written for a request, which it waits for."""
    tokens = []
    while (token := request.tokens.get(timeout=60)) is not None:
        if isinstance(token, Exception):
            raise token
        tokens.append(token.id)
    return tokens


def save_plain(folder: Path, model: PreTrainedModel, *, chat_template: str = CHAT) -> Path:
    """A model in a folder, whose tokenizer stands in two files as those of unpacked models do."""
    model.save_pretrained(folder)
    tokenizer = byte_tokenizer()
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<end>",
        "model_max_length": 512,
        "clean_up_tokenization_spaces": False,
        "chat_template": chat_template,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder

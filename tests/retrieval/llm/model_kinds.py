"""A tiny random model of each kind that a generator may be, built as the published ones are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import (
    DeepseekV3Config,
    DeepseekV3ForCausalLM,
    FalconH1Config,
    FalconH1ForCausalLM,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma4ForCausalLM,
    Gemma4TextConfig,
    GraniteMoeHybridConfig,
    GraniteMoeHybridForCausalLM,
    Llama4ForCausalLM,
    Llama4TextConfig,
    MambaConfig,
    MambaForCausalLM,
    Mistral3Config,
    Mistral3ForConditionalGeneration,
    PreTrainedModel,
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
    Qwen3NextConfig,
    Qwen3NextForCausalLM,
)

from tests.retrieval.llm.tiny_models import END_ID, SHAPE

TEXT: dict[str, Any] = {
    **SHAPE,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "tie_word_embeddings": False,
}
WINDOWS = {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]}
HYBRID = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 32}
STATES = {"mamba_n_heads": 8, "mamba_d_head": 16, "mamba_d_state": 8, "mamba_n_groups": 1}
VISION = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}


def gemma3() -> PreTrainedModel:
    """Sees, too; sliding windows."""
    config = Gemma3Config(
        text_config={**TEXT, **WINDOWS}, vision_config=VISION, tie_word_embeddings=False
    )
    return Gemma3ForConditionalGeneration(config)


def gemma4() -> PreTrainedModel:
    """Layers that look at what others keep, some of them with wider heads."""
    config = Gemma4TextConfig(
        **{**TEXT, "num_hidden_layers": 4, "sliding_window": 8, "global_head_dim": 32},
        layer_types=["sliding_attention", "full_attention"] * 2,
        num_kv_shared_layers=2,
        vocab_size_per_layer_input=END_ID + 1,
        hidden_size_per_layer_input=8,
    )
    return Gemma4ForCausalLM(config)


def mistral3() -> PreTrainedModel:
    """Sees, too, and has no class that only writes."""
    config = Mistral3Config(
        text_config={**TEXT, "model_type": "mistral", "sliding_window": None},
        vision_config={**VISION, "model_type": "pixtral"},
        tie_word_embeddings=False,
    )
    return Mistral3ForConditionalGeneration(config)


def deepseek_v3() -> PreTrainedModel:
    """Latent attention: keys and values of different widths."""
    config = DeepseekV3Config(
        **{**SHAPE, **EXPERTS},
        num_key_value_heads=4,
        kv_lora_rank=16,
        q_lora_rank=None,
        qk_rope_head_dim=8,
        qk_nope_head_dim=8,
        v_head_dim=12,
        n_routed_experts=4,
        n_group=1,
        topk_group=1,
        first_k_dense_replace=1,
    )
    return DeepseekV3ForCausalLM(config)


def qwen3_next() -> PreTrainedModel:
    """Linear attention and experts."""
    config = Qwen3NextConfig(
        **{**TEXT, **HYBRID, **EXPERTS}, num_experts=4, shared_expert_intermediate_size=32
    )
    return Qwen3NextForCausalLM(config)


def qwen3_5() -> PreTrainedModel:
    """Linear attention; sees, too."""
    rope = {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.25}
    config = Qwen3_5Config(
        text_config={**TEXT, **HYBRID, "rope_parameters": {**rope, "mrope_section": [1, 1, 0]}},
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 64,
        },
    )
    return Qwen3_5ForConditionalGeneration(config)


def granite_hybrid() -> PreTrainedModel:
    """State-space layers beside attention."""
    config = GraniteMoeHybridConfig(
        **{**TEXT, **STATES},
        layer_types=["linear_attention", "full_attention"],
        num_local_experts=2,
        num_experts_per_tok=1,
        shared_intermediate_size=32,
    )
    return GraniteMoeHybridForCausalLM(config)


def falcon_h1() -> PreTrainedModel:
    """State space and attention within each layer."""
    config = FalconH1Config(**{**TEXT, **STATES}, mamba_d_ssm=128, mamba_chunk_size=16)
    return FalconH1ForCausalLM(config)


def llama4() -> PreTrainedModel:
    """Attention in chunks, and a temperature that grows with the text."""
    config = Llama4TextConfig(
        **TEXT,
        intermediate_size_mlp=64,
        num_local_experts=2,
        attention_chunk_size=16,
        floor_scale=8,
        attn_scale=2.0,
        no_rope_layers=[1, 0],
        layer_types=["chunked_attention", "full_attention"],
    )
    return Llama4ForCausalLM(config)


def mamba() -> PreTrainedModel:
    """A state space alone."""
    config = MambaConfig(
        vocab_size=END_ID + 1,
        hidden_size=32,
        state_size=4,
        num_hidden_layers=2,
        eos_token_id=END_ID,
        tie_word_embeddings=False,
    )
    return MambaForCausalLM(config)


BATCHED = (gemma3, gemma4, mistral3, deepseek_v3)
ONE_BY_ONE = (qwen3_next, qwen3_5, granite_hybrid, falcon_h1, llama4, mamba)


def made(kind: Callable[[], PreTrainedModel]) -> PreTrainedModel:
    """The model of a kind, the same each time."""
    torch.manual_seed(1)
    model = kind()
    model.train(mode=False)
    return model

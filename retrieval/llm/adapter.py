"""Low-rank adapters: what a run has learned, added to the weights that it was learned from.

Answering needs no library of adapters for that, and takes no longer than the base model does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.errors import ModelCorruptError, ModelUnsuitableError

if TYPE_CHECKING:
    from torch import nn

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"

_PREFIX = "base_model.model."
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
_VARIANTS = ("alora_invocation_tokens", "use_dora", "use_rslora", "fan_in_fan_out", "lora_bias")
_PATTERNS = ("alpha_pattern", "rank_pattern", "modules_to_save")


def merge_adapter(model: nn.Module, folder: Path) -> None:
    """Add the adapter in a folder, as PEFT writes plain LoRA (Hu et al. 2021), to a model.

    Raises:
        ModelUnsuitableError: If the adapter is of another kind.
        ModelCorruptError: If it cannot be read, or has no place in the model.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        scale = _scale(json.loads((folder / CONFIG).read_bytes()))
        tensors = load_file(folder / WEIGHTS)
        with torch.no_grad():
            for name in [name for name in tensors if name.endswith(_DOWN)]:
                path = name.removeprefix(_PREFIX).removesuffix(_DOWN)
                weight = model.get_parameter(f"{path}.weight")
                up = tensors[name.removesuffix(_DOWN) + _UP].float()
                # In float32: the sum of small changes would be lost in the weights' own precision.
                weight.copy_(
                    weight.float() + scale * (up @ tensors[name].float()).to(weight.device)
                )
    except (OSError, ValueError, KeyError, AttributeError, RuntimeError, SafetensorError) as error:
        raise ModelCorruptError(
            f"the adapter in {folder} does not fit its model ({error}); "
            "`whimbrel rollback --kind generator` mends it"
        ) from error


def _scale(config: dict[str, Any]) -> float:
    """What the product of an adapter's matrices is multiplied by."""
    special = [name for name in (*_VARIANTS, *_PATTERNS) if config.get(name)]
    if config.get("peft_type") != "LORA" or config.get("bias", "none") != "none" or special:
        found = ", ".join(special) or f"{config.get('peft_type')}, bias {config.get('bias')}"
        raise ModelUnsuitableError(f"the adapter is not plain LoRA ({found}); wanted plain LoRA")
    return float(config["lora_alpha"]) / float(config["r"])

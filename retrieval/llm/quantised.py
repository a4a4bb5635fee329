"""Models in fewer bits, as bitsandbytes stores them: where they are loaded, and plain again."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.errors import ModelUnsuitableError, install

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedModel
    from transformers.utils.quantization_config import QuantizationConfigMixin

METHOD = "bitsandbytes"

TALKATIVE = (METHOD, "transformers.integrations.bitsandbytes")
"""Loggers that tell of every product that an input was rounded for."""


def is_quantised(config: PreTrainedConfig) -> bool:
    """Whether a model of this configuration is stored in fewer bits by bitsandbytes."""
    stored: Any = getattr(config, "quantization_config", None) or {}
    method = stored.get("quant_method") if isinstance(stored, dict) else stored.quant_method
    return bool(method == METHOD)


def place_of(
    folder: Path, device: str, quantisation: QuantizationConfigMixin | None = None
) -> dict[str, Any]:
    """What transformers is told besides, to load a model in fewer bits, or to make it one.

    It would go to a GPU of its own choice. Of any other model nothing is told.

    Raises:
        ModelUnsuitableError: If what reads such models is not installed.
    """
    from transformers import AutoConfig

    if quantisation is None and not is_quantised(AutoConfig.from_pretrained(folder)):
        return {}
    if missing := [name for name in ("accelerate", METHOD) if find_spec(name) is None]:
        raise ModelUnsuitableError(
            f"{folder} is quantised, which needs {', '.join(missing)}: "
            + install("--editable '.[quantised]'")
        )
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    told = {} if quantisation is None else {"quantization_config": quantisation}
    return {"device_map": {"": device}, **told}


def settle(model: PreTrainedModel, dtype: torch.dtype) -> None:
    """Let all weights of a model that are not in fewer bits have one precision.

    Of those beside quantised ones transformers changes some alone.
    """
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(dtype)


def dequantised(layer: nn.Module, config: PreTrainedConfig | None) -> nn.Module:
    """A layer of a model of this configuration, its weights in float32 if they were fewer bits."""
    import torch

    if config is not None and is_quantised(config):
        from transformers.integrations import bitsandbytes

        plain: Any = bitsandbytes.dequantize_and_replace  # transformers leaves it without a type
        plain(layer, config.quantization_config, torch.float32)
        # Else what is computed from the weights would keep them all.
        layer.requires_grad_(requires_grad=False)
    return layer

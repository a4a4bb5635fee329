"""Greedy decoding of encoder-decoder models."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from retrieval.errors import GeneratorError
from retrieval.llm.detokenizer import Token


def generate(
    model: PreTrainedModel, prompt: Sequence[int], max_tokens: int
) -> Generator[Token, None, None]:
    """Read the prompt, then yield the likeliest tokens until the model ends the text."""
    config = model.generation_config
    assert config is not None
    ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    last, cache = config.decoder_start_token_id, None
    encoded = encode(model, prompt)
    for _ in range(max_tokens):
        logits, cache = step(model, encoded, last, cache)
        last = int(logits.argmax())
        if last in ends:
            return
        yield Token(last, float(logits.log_softmax(dim=-1)[last]))


@torch.inference_mode()
def encode(model: PreTrainedModel, prompt: Sequence[int]) -> BaseModelOutput:
    """What the encoder makes of the prompt."""
    try:
        ids = torch.tensor([prompt], device=model.device)
        output: BaseModelOutput = model.get_encoder()(input_ids=ids)
    except Exception as error:
        raise GeneratorError(f"the model failed: {error}") from error
    return output


@torch.inference_mode()
def step(
    model: PreTrainedModel, encoded: BaseModelOutput, last: int, cache: object
) -> tuple[torch.Tensor, object]:
    """The scores of the next token, shape (vocabulary), and the grown cache."""
    try:
        ids = torch.tensor([[last]], device=model.device)
        output = model(encoder_outputs=encoded, decoder_input_ids=ids, cache=cache, use_cache=True)
    except Exception as error:
        raise GeneratorError(f"the model failed: {error}") from error
    return output.logits[0, -1].float(), output.cache

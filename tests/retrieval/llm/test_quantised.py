from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BitsAndBytesConfig

from retrieval.errors import ModelUnsuitableError
from retrieval.llm.batching import Batcher
from retrieval.llm.chat_format import Architecture, load_chat_format
from retrieval.llm.cpu.int8_decoder import Int8Decoder
from retrieval.llm.decoder import Decoder
from retrieval.llm.generation_loop import GenerationRequest
from retrieval.llm.generator import load_generator, load_model
from retrieval.llm.model_decoder import ModelDecoder
from retrieval.llm.quantised import is_quantised
from retrieval.models.device import Device
from retrieval.settings import Settings
from tests.retrieval.llm.tiny_models import save_causal, save_seq2seq, tokens_of

DEVICE = Device("cpu", torch.float32, 1)
BITS: dict[int, Any] = {
    8: BitsAndBytesConfig(load_in_8bit=True),  # type: ignore[no-untyped-call]
    4: BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4"),  # type: ignore[no-untyped-call]
}


def quantised(plain: Path, bits: int, kind: Architecture = "causal") -> Path:
    folder = plain.with_name(f"{bits}-bits")
    load_model(plain, DEVICE, kind, quantisation=BITS[bits]).save_pretrained(folder)
    load_chat_format(plain).tokenizer.save_pretrained(folder)
    return folder


def written(decoder: Decoder) -> list[int]:
    loop = Batcher(decoder, stop_ids=frozenset())
    request = GenerationRequest(list(range(40, 80)), 8)
    loop.submit(request)
    found = tokens_of(request)
    loop.close()
    return found


@pytest.mark.parametrize("bits", BITS)
def test_a_quantised_model_writes_the_same_in_our_layers_and_its_own(
    tmp_path: Path, bits: int
) -> None:
    folder = quantised(save_causal(tmp_path / "model"), bits)
    models = [load_model(folder, DEVICE, "causal") for _ in range(2)]
    assert all(is_quantised(model.config) for model in models)
    assert written(ModelDecoder(models[0], DEVICE.dtype)) == written(
        Int8Decoder(models[1], DEVICE.dtype)
    )


def test_of_what_is_computed_from_a_quantised_model_nothing_keeps_its_weights(
    tmp_path: Path,
) -> None:
    model = load_model(quantised(save_causal(tmp_path / "model"), 8), DEVICE, "causal")
    layer = Int8Decoder(model, DEVICE.dtype)._layers[0]
    assert layer._down.scales.grad_fn is None
    assert layer._attention._qkv.scales.grad_fn is None


def test_all_that_is_not_in_fewer_bits_has_one_precision(tmp_path: Path) -> None:
    folder = quantised(save_causal(tmp_path / "model"), 8)
    model = load_model(folder, Device("cpu", torch.bfloat16, 1), "causal")
    kinds = {weight.dtype for weight in model.parameters() if weight.is_floating_point()}
    assert kinds == {torch.bfloat16}


def test_a_quantised_pair_of_encoder_and_decoder_writes(tmp_path: Path) -> None:
    folder = quantised(save_seq2seq(tmp_path / "model"), 8, "seq2seq")
    generator = load_generator(Settings(generator=str(folder), device="cpu", threads=1))
    assert generator.generate([("user", "How many?")], max_tokens=4).tokens > 0
    generator.close()


def test_what_reads_fewer_bits_is_named_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = quantised(save_causal(tmp_path / "model"), 8)
    hidden = [name for name in sys.path if not (Path(name) / "bitsandbytes").exists()]
    monkeypatch.setattr("sys.path", hidden)
    monkeypatch.delitem(sys.modules, "bitsandbytes")
    with pytest.raises(ModelUnsuitableError, match=r"needs bitsandbytes: .*'\.\[quantised\]'"):
        load_model(folder, DEVICE, "causal")

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, PreTrainedModel

from retrieval.llm.adapter import merge_adapter
from retrieval.llm.cpu import int8_linear, plain_model
from retrieval.llm.cpu.int8_decoder import Int8Decoder
from retrieval.llm.cpu.plain_model import PlainModel
from tests.retrieval.llm.test_adapter import save_adapter
from tests.retrieval.llm.tiny_models import (
    CHAT,
    byte_tokenizer,
    save_plain,
    tiny_llama,
    tiny_mistral,
    tiny_qwen,
    tiny_qwen3,
)

pytestmark = pytest.mark.skipif(
    not int8_linear.is_supported(), reason="this processor has no fast products of bytes"
)
TEXT = torch.arange(7, 107)[None] * 37 % 251


def scores(model: Any) -> torch.Tensor:
    decoder = Int8Decoder(model, torch.float32)
    with torch.inference_mode():
        return decoder(TEXT, decoder.new_cache())


def change(folder: Path, **values: Any) -> None:
    """Set some values of the configuration, or leave them out where they are None."""
    path = folder / "config.json"
    changed = json.loads(path.read_bytes()) | values
    path.write_text(json.dumps({name: v for name, v in changed.items() if v is not None}))


@pytest.mark.parametrize("make", [tiny_llama, tiny_mistral, tiny_qwen, tiny_qwen3])
def test_it_is_what_transformers_loads(tmp_path: Path, make: Callable[[], PreTrainedModel]) -> None:
    folder = save_plain(tmp_path, make())
    assert plain_model.fits(folder)
    library = AutoModelForCausalLM.from_pretrained(folder)
    own = PlainModel(folder)
    assert own.parameters_count == library.num_parameters()
    assert own.context_tokens == library.config.max_position_embeddings
    assert own.eos_token_id == library.generation_config.eos_token_id
    assert torch.equal(scores(own), scores(library))


def test_positions_are_told_as_older_files_tell_them(tmp_path: Path) -> None:
    folder = save_plain(tmp_path, tiny_qwen())
    wanted = scores(PlainModel(folder))
    change(folder, rope_parameters=None, rope_theta=10_000.0)
    assert torch.equal(scores(PlainModel(folder)), wanted)
    change(folder, rope_theta=500.0)
    assert not torch.equal(scores(PlainModel(folder)), wanted)
    assert torch.equal(
        scores(PlainModel(folder)), scores(AutoModelForCausalLM.from_pretrained(folder))
    )


def test_it_learns_what_an_adapter_holds(tmp_path: Path) -> None:
    folder = save_plain(tmp_path / "model", tiny_llama())
    save_adapter(tiny_llama(), tmp_path / "adapter")
    models = PlainModel(folder), AutoModelForCausalLM.from_pretrained(folder)
    before = scores(PlainModel(folder))
    for model in models:
        merge_adapter(model, tmp_path / "adapter")
    learned = [scores(model) for model in models]
    assert torch.equal(*learned)
    assert not torch.equal(learned[0], before)
    assert torch.equal(scores(PlainModel(folder)), before), "the file is as it was"


@pytest.mark.parametrize(
    "values",
    [
        {"model_type": "gemma2"},
        {"hidden_act": "gelu"},
        {"mlp_bias": True},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
        {"rope_scaling": {"rope_type": "linear", "factor": 2.0}},
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 2.0}},
        {"layer_types": ["full_attention", "sliding_attention"]},
        {"use_sliding_window": True},
        {"num_hidden_layers": 3},
        {"rms_norm_eps": None},
    ],
    ids=lambda values: str(*values),
)
def test_what_is_not_plain_is_left_to_transformers(tmp_path: Path, values: Any) -> None:
    folder = save_plain(tmp_path, tiny_qwen())
    change(folder, **values)
    assert not plain_model.fits(folder)


def test_so_is_a_window_and_a_weight_more_or_less(tmp_path: Path) -> None:
    folder = save_plain(tmp_path / "mistral", tiny_mistral())
    change(folder, sliding_window=64)
    assert not plain_model.fits(folder)
    folder = save_plain(tmp_path / "llama", tiny_llama())
    weights = load_file(folder / "model.safetensors")
    for changed in (
        weights | {"model.layers.1.self_attn.sinks": torch.zeros(4)},
        {name: weight for name, weight in weights.items() if name != "model.norm.weight"},
        {name: weight for name, weight in weights.items() if name != "lm_head.weight"},
    ):
        save_file(changed, folder / "model.safetensors")
        assert not plain_model.fits(folder)
    (folder / "model.safetensors").write_bytes(b"")
    assert not plain_model.fits(folder)
    (folder / "config.json").unlink()
    assert not plain_model.fits(folder)


WRITE = """
import sys
from retrieval.llm.generator import load_generator
from retrieval.settings import Settings

generator = load_generator(Settings(generator=sys.argv[1], device="cpu", threads=1))
print(repr(generator.generate([("user", "How many? 几天？")], max_tokens=20).text))
print(generator.id, generator.context_tokens, generator.parameters)
print("transformers" in sys.modules)
generator.close()
"""


@pytest.mark.slow
def test_a_generator_writes_the_same_without_transformers(tmp_path: Path) -> None:
    def written(folder: Path) -> list[str]:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", WRITE, str(folder)], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    model, folders = tiny_qwen().bfloat16(), (tmp_path / "plain", tmp_path / "library")
    for folder in folders:
        save_plain(folder, model)
    byte_tokenizer(chat_template=CHAT).save_pretrained(folders[1])
    (said, sizes, imported), (wanted, wanted_sizes, is_imported) = map(written, folders)
    assert (imported, is_imported) == ("False", "True")
    assert said == wanted
    assert sizes.split()[1:] == wanted_sizes.split()[1:]

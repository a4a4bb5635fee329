from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model

from retrieval.errors import ModelCorruptError, ModelUnsuitableError
from retrieval.llm.adapter import CONFIG, WEIGHTS, merge_adapter
from retrieval.llm.generator import load_generator
from retrieval.registry.runs import Facts, Run, folder_of, publish, roll_back, withdraw, write_run
from retrieval.settings import Settings
from tests.retrieval.llm.tiny_models import save_causal, save_seq2seq, tiny_llama

IDS = torch.arange(1, 9)[None]


def save_adapter(model: torch.nn.Module, folder: Path, *, scale: float = 1.0) -> torch.Tensor:
    """Write a random adapter of a model; what PEFT itself makes of it."""
    torch.manual_seed(7)
    config = LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "down_proj"])
    learned = get_peft_model(model, config).eval()
    for name, parameter in learned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=scale)
    learned.save_pretrained(str(folder))
    logits: torch.Tensor = learned(input_ids=IDS).logits
    return logits


def write_adapter(settings: Settings, base: str, *, seed: int = 0) -> Run:
    """A run whose adapter changes every answer of the tiny causal model."""
    from transformers import AutoModelForCausalLM

    facts = Facts(base=base, dataset="d", seed=seed, code="1")

    def fill(folder: Path) -> None:
        save_adapter(AutoModelForCausalLM.from_pretrained(settings.generator), folder)

    return write_run(settings.runs_folder, "generator", facts, fill)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = save_causal(tmp_path / "model")
    return Settings(home=tmp_path / "home", generator=str(folder), device="cpu", threads=1)


def said(settings: Settings, run: Run | None = None) -> tuple[str, str]:
    generator = load_generator(settings, run=run)
    try:
        return generator.id, generator.generate([("user", "Hello")], max_tokens=12).text
    finally:
        generator.close()


def test_a_merged_adapter_computes_what_peft_computes(tmp_path: Path) -> None:
    expected = save_adapter(tiny_llama(), tmp_path)
    model = tiny_llama()
    merge_adapter(model, tmp_path)
    assert torch.allclose(model(input_ids=IDS).logits, expected, atol=1e-4)


def test_an_adapter_of_another_kind_is_refused(tmp_path: Path) -> None:
    save_adapter(tiny_llama(), tmp_path)
    config = json.loads((tmp_path / CONFIG).read_text()) | {"use_dora": True}
    (tmp_path / CONFIG).write_text(json.dumps(config))
    with pytest.raises(ModelUnsuitableError, match="use_dora"):
        merge_adapter(tiny_llama(), tmp_path)


def test_an_adapter_without_a_place_in_the_model_is_refused(tmp_path: Path) -> None:
    save_adapter(tiny_llama(), tmp_path)
    with pytest.raises(ModelCorruptError, match="rollback --kind generator"):
        merge_adapter(torch.nn.Linear(2, 2), tmp_path)


def test_what_is_published_answers_until_it_is_taken_back(settings: Settings) -> None:
    base, plain = said(settings)
    run = write_adapter(settings, base)
    assert said(settings) == (base, plain)
    publish(settings.runs_folder, run, reason="better")
    name, learned = said(settings)
    assert name == f"{base}+{run.id}"
    assert learned != plain
    roll_back(settings.runs_folder, "generator", reason="worse")
    assert said(settings) == (base, plain)


def test_a_candidate_can_be_loaded_beside_what_serves(settings: Settings) -> None:
    base, plain = said(settings)
    run = write_adapter(settings, base)
    assert said(settings, run)[1] != plain
    withdraw(settings.runs_folder, "generator", reason="nothing serves")
    assert said(settings) == (base, plain)


def test_a_run_of_another_model_takes_no_part(settings: Settings) -> None:
    run = write_adapter(settings, "another@1234")
    publish(settings.runs_folder, run, reason="by mistake")
    told: list[str] = []
    generator = load_generator(settings, on_progress=told.append)
    generator.close()
    assert "+" not in generator.id
    assert "another@1234" in told[-1]
    with pytest.raises(ModelUnsuitableError, match="another@1234"):
        load_generator(settings, run=run)


def test_a_damaged_adapter_is_refused_with_what_mends_it(settings: Settings) -> None:
    run = write_adapter(settings, said(settings)[0])
    publish(settings.runs_folder, run, reason="better")
    path = folder_of(settings.runs_folder, run) / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelCorruptError, match="rollback --kind generator"):
        load_generator(settings)


def test_encoder_decoder_models_learn_too(tmp_path: Path) -> None:
    from transformers import AutoModelForSeq2SeqLM

    folder = save_seq2seq(tmp_path / "model")
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    learned = get_peft_model(model, LoraConfig(r=2, target_modules=["q", "wo"]))
    learned.save_pretrained(str(tmp_path / "adapter"))
    before = model.decoder.block[0].layer[0].SelfAttention.q.base_layer.weight.clone()
    fresh = AutoModelForSeq2SeqLM.from_pretrained(folder)
    merge_adapter(fresh, tmp_path / "adapter")
    after = fresh.decoder.block[0].layer[0].SelfAttention.q.weight
    assert torch.equal(before, after)  # an adapter that has learned nothing changes nothing

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from retrieval.errors import DataError, ModelUnsuitableError
from retrieval.examples import write_examples
from retrieval.index.library import Library
from retrieval.llm.generator import load_generator
from retrieval.registry.runs import MODEL, folder_of, publish, withdraw
from tests.retrieval.llm.tiny_models import save_seq2seq, tiny_llama, tiny_qwen
from training.generator.compression import SmallerRun, served_model
from training.generator.pruning import (
    PruneConfig,
    cut,
    importance,
    prune,
    pruned,
    rows_of,
)
from training.generator.rows import TokenRow
from training.generator.trainers import AdapterConfig
from training.trainer import LearnOptions

ROWS = [TokenRow(tuple(range(start, start + 40)), (200, 201)) for start in range(0, 160, 20)]
IDS = torch.tensor([list(range(100, 140))])
RECOVERY = AdapterConfig(upper=1.0, epochs=4, batch=4, learning_rate=1e-2)


def scores(model: PreTrainedModel) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=IDS).logits
    return found


def test_a_layer_that_changes_nothing_goes_first_and_nothing_is_lost() -> None:
    model = tiny_llama()
    idle = model.model.layers[0]
    for linear in (idle.self_attn.o_proj, idle.mlp.down_proj):
        torch.nn.init.zeros_(linear.weight)
    before = scores(model)
    cut(model, importance(model, ROWS), PruneConfig(layers=1, channels=0))
    assert model.config.num_hidden_layers == 1
    assert torch.allclose(scores(model), before, atol=1e-5)


def test_channels_that_are_not_read_go_first_and_nothing_is_lost() -> None:
    model = tiny_qwen()
    for layer in model.model.layers:
        layer.mlp.down_proj.weight.data[:, 10:42] = 0
    before = scores(model)
    cut(model, importance(model, ROWS), PruneConfig(channels=0.25))
    assert model.config.intermediate_size == 96
    assert torch.allclose(scores(model), before, atol=1e-5)


@pytest.mark.parametrize("config", [PruneConfig(layers=2), PruneConfig(channels=0.9)])
def test_of_a_model_something_has_to_be_left(config: PruneConfig) -> None:
    model = tiny_qwen()
    with pytest.raises(ModelUnsuitableError, match="fewer must go"):
        cut(model, importance(model, ROWS), config)


def test_what_would_leave_nothing_is_refused_before_anything_is_read(
    library: Library, tmp_path: Path
) -> None:
    every = PruneConfig(layers=99)
    with pytest.raises(ModelUnsuitableError, match="fewer must go"):
        prune(tmp_path / "no data set", library.settings, library, every, LearnOptions())


@pytest.fixture(scope="module")
def smaller(library: Library, dataset: Path) -> SmallerRun:
    return prune(dataset, library.settings, library, PruneConfig(1, 0.5, RECOVERY), LearnOptions())


@pytest.mark.slow
def test_a_pruned_model_is_smaller_and_serves(library: Library, smaller: SmallerRun) -> None:
    settings = library.settings
    publish(settings.runs_folder, smaller.run, reason="a test")
    generator = load_generator(settings)
    assert generator.id.endswith(f"+{smaller.run.id}")
    assert generator.parameters is not None
    assert generator.parameters < 90752
    assert generator.generate([("user", "How often?")], max_tokens=4).tokens > 0
    generator.close()
    withdraw(settings.runs_folder, "generator", reason="a test")
    model = AutoModelForCausalLM.from_pretrained(
        folder_of(settings.runs_folder, smaller.run) / MODEL
    )
    assert (model.config.num_hidden_layers, model.config.intermediate_size) == (1, 64)


@pytest.mark.slow
def test_how_a_pruned_model_recovered_stands_beside_it(
    library: Library, smaller: SmallerRun
) -> None:
    folder = folder_of(library.settings.runs_folder, smaller.run)
    names = {path.name for path in folder.iterdir()}
    assert {"losses.png", "compression.md", "gate.md"} <= names
    assert smaller.run.facts.config["channels"] == 0.5
    assert smaller.decision.wanted == "as good"


@pytest.mark.slow
def test_recovering_a_model_comes_nearer_to_what_the_whole_one_says(
    library: Library, dataset: Path, tmp_path: Path
) -> None:
    served = served_model(library.settings, lambda _: None)
    rows = rows_of(dataset, library.settings, library, served, seed=0)
    config = PruneConfig(0, 0.5, RECOVERY)
    _, losses = pruned(served, rows, config, LearnOptions(), tmp_path)
    assert sum(losses[-3:]) < sum(losses[:3])
    bare, none = pruned(
        served,
        rows,
        replace(config, recovery=replace(RECOVERY, epochs=0)),
        LearnOptions(),
        tmp_path,
    )
    assert none == ()
    assert bare.config.intermediate_size == 64


@pytest.mark.slow
def test_only_models_of_the_plain_kinds_are_pruned(library: Library, tmp_path: Path) -> None:
    model = str(save_seq2seq(tmp_path / "pair"))
    settings = library.settings.model_copy(update={"generator": model})
    with pytest.raises(ModelUnsuitableError, match="is a t5; models of the types"):
        pruned(
            served_model(settings, lambda _: None), ROWS, PruneConfig(), LearnOptions(), tmp_path
        )


def test_without_answers_to_learn_from_nothing_shows_what_matters(
    library: Library, tmp_path: Path
) -> None:
    for split in ("train", "dev"):
        write_examples(tmp_path, split, [])
    served = served_model(library.settings, lambda _: None)
    with pytest.raises(DataError, match="holds no answers that may be learned from"):
        rows_of(tmp_path, library.settings, library, served, seed=0)

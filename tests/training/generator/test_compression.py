from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from bot.privacy.erasing import learned_from
from retrieval.errors import ModelUnsuitableError, SettingsError
from retrieval.index.library import Library
from retrieval.llm.generator import load_generator, load_model
from retrieval.llm.late_generator import load_late
from retrieval.models.catalogue import resolve
from retrieval.models.device import choose_device
from retrieval.registry.runs import (
    MODEL,
    Facts,
    Run,
    folder_of,
    publish,
    roll_back,
    withdraw,
    write_run,
)
from retrieval.settings import Settings
from training.generator.compression import Bits, SmallerRun, load, quantise, served_model, store
from training.generator.trainers import AdapterConfig
from training.generator.tuning import with_adapter

pytestmark = pytest.mark.slow

ASKED = [("user", "How often is the northpier painted?")]


def written(settings: Settings, run: Run | None = None) -> str:
    generator = load_generator(settings, run=run)
    try:
        return generator.generate(ASKED, max_tokens=20).text
    finally:
        generator.close()


def stored(settings: Settings, bits: Bits) -> Run:
    """What serves in fewer bits, as a run that nobody has judged."""
    served = served_model(settings, lambda _: None)
    return write_run(
        settings.runs_folder,
        "generator",
        Facts(served.id, "1234", 0, "1"),
        lambda folder: store(served, bits, folder / MODEL),
    )


@pytest.fixture(scope="module")
def in_bytes(library: Library, dataset: Path) -> SmallerRun:
    return quantise(dataset, library.settings, library, bits=8, on_progress=lambda _: None)


@pytest.fixture
def published(library: Library, in_bytes: SmallerRun) -> Iterator[SmallerRun]:
    publish(library.settings.runs_folder, in_bytes.run, reason="a test")
    yield in_bytes
    withdraw(library.settings.runs_folder, "generator", reason="a test")


@pytest.fixture
def adapted(library: Library) -> Iterator[Run]:
    """A run that has learned something, which serves."""
    import torch

    settings = library.settings
    base = resolve(settings.generator, models_folder=settings.models_folder)
    model = with_adapter(
        load_model(base.path, choose_device(settings), "causal"), AdapterConfig(), seed=0
    )
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    run = write_run(
        settings.runs_folder,
        "generator",
        Facts(base.id, "1234-adapted", 0, "1"),
        lambda folder: model.save_pretrained(str(folder)),
    )
    publish(settings.runs_folder, run, reason="a test")
    yield run
    withdraw(settings.runs_folder, "generator", reason="a test")


def test_in_bytes_a_model_says_what_it_said_before(library: Library, published: SmallerRun) -> None:
    settings = library.settings
    before = written(settings.model_copy(update={"home": settings.home / "nothing-published"}))
    assert written(settings) == before
    generator = load_generator(settings)
    assert generator.id.endswith(f"+{published.run.id}")
    assert generator.parameters == 90752
    generator.close()


@pytest.mark.usefixtures("published")
def test_rolled_back_the_plain_model_serves_again(library: Library) -> None:
    roll_back(library.settings.runs_folder, "generator", reason="a test")
    generator = load_generator(library.settings)
    assert "+" not in generator.id
    generator.close()


def test_a_quantised_model_serves_where_models_are_loaded_late(
    library: Library, published: SmallerRun
) -> None:
    generator = load_late(library.settings)
    assert generator.id.endswith(published.run.id)
    assert generator.generate(ASKED, max_tokens=4).tokens > 0
    generator.close()


def test_the_gate_asks_what_was_made_smaller_to_be_as_good(in_bytes: SmallerRun) -> None:
    assert in_bytes.decision.wanted == "as good"
    assert in_bytes.decision.is_passed


def test_what_is_kept_and_gained_stands_beside_the_run(
    library: Library, in_bytes: SmallerRun
) -> None:
    folder = folder_of(library.settings.runs_folder, in_bytes.run)
    names = {path.name for path in folder.iterdir()}
    assert {"compression.md", "compression.png", "gate.md", MODEL} <= names
    table = (folder / "compression.md").read_text(encoding="utf-8")
    assert "token F1 or right silence, 24 questions" in table
    found = load(folder, in_bytes.run)
    assert found.candidate == in_bytes.candidate
    assert found.candidate.disk_mb < found.served.disk_mb
    assert all(value > 0 for value in (*astuple(found.served), *astuple(found.candidate)))


def test_half_the_bits_make_it_smaller_still(library: Library, in_bytes: SmallerRun) -> None:
    home = library.settings.runs_folder
    run = stored(library.settings, 4)
    weights = [folder_of(home, some) / MODEL / "model.safetensors" for some in (run, in_bytes.run)]
    assert weights[0].stat().st_size < weights[1].stat().st_size
    assert written(library.settings, run)


def test_what_was_learned_is_in_what_is_quantised_and_is_forgotten_with_it(
    library: Library, adapted: Run
) -> None:
    learned = written(library.settings)
    run = stored(library.settings, 8)
    assert written(library.settings, run) == learned
    assert learned_from(["1234-adapted"], [adapted, run]) == [adapted, run]


@pytest.mark.usefixtures("published")
def test_what_is_quantised_is_not_quantised_again(library: Library) -> None:
    with pytest.raises(ModelUnsuitableError, match="publish base --kind generator"):
        served_model(library.settings, lambda _: None)


@pytest.mark.parametrize("generator", ["none", "http://ada:pass@localhost:1/v1#some"])
def test_without_a_generator_on_this_machine_there_is_nothing_to_make_smaller(
    library: Library, generator: str
) -> None:
    settings = library.settings.model_copy(update={"generator": generator})
    with pytest.raises(SettingsError, match="only a generator on this machine") as told:
        served_model(settings, lambda _: None)
    assert "pass@" not in str(told.value)


def test_an_adapter_learned_for_another_run_takes_no_part(library: Library) -> None:
    settings = library.settings
    base = resolve(settings.generator, models_folder=settings.models_folder)
    facts = Facts(f"{base.id}+other", "1234", 0, "1")
    run = write_run(settings.runs_folder, "generator", facts, lambda _: None)
    with pytest.raises(ModelUnsuitableError, match="was learned for"):
        load_generator(settings, run=replace(run))

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

from retrieval.errors import DataError, ModelCorruptError
from retrieval.models.catalogue import ModelFolder
from retrieval.search.embedding import Embedder
from retrieval.search.reading import ADAPTER, AdapterFacts, facts_of, reader_of, save_adapter
from retrieval.settings import Settings
from tests.retrieval.passages_by_hand import passage
from tests.retrieval.word_embedder import WordEmbedder
from tests.training.classifiers import tiny_cross_encoder
from tests.training.classifiers.rated_company import ASKED, THINGS
from training.classifiers.adapter import (
    LORA_SCALE,
    LabelledTexts,
    ReaderConfig,
    fine_tune_adapter,
    midway,
)
from training.classifiers.near_misses import ReadingGroup
from training.classifiers.reader import OTHERS, labelled_texts
from training.commands.train import train
from training.trainer import TrainerSetup

pytestmark = pytest.mark.slow

QUICK = ReaderConfig(
    epochs=80, learning_rate=1e-2, questions=2, max_tokens=32, rank=8, positives=1.0
)
KNOWN = THINGS[:4]
TOLD = KNOWN[:2]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an adapter that tells things apart, and the tiny encoder that it is for."""
    folder = tmp_path_factory.mktemp("models")
    start = tiny_cross_encoder.write(folder / "tiny")
    asked = [
        LabelledTexts(
            f"Is there a {thing}?",
            tuple(f"The {other}." for other in (told, *KNOWN[2:])),
            (1.0, 0.0, 0.0),
        )
        for thing in KNOWN
        for told in TOLD
    ]
    settings = Settings(home=folder, device="cpu", threads=1)
    setup = TrainerSetup(folder / "work")
    weights = fine_tune_adapter(start, asked, setup, settings, config=QUICK)
    facts = AdapterFacts("tiny@1", LORA_SCALE, "things", "CC0")
    save_adapter(folder / ADAPTER, weights, facts)
    return folder


@pytest.fixture
def embedder(models: Path) -> Embedder:
    folder = models / "tiny"
    model = SentenceTransformer(str(folder), device="cpu")
    return Embedder(ModelFolder("tiny", folder, "tiny@1", "1", "folder"), model)


def test_a_reader_tells_what_answers_from_what_does_not(models: Path, embedder: Embedder) -> None:
    reader = reader_of(embedder, models)
    assert reader is not None
    shown = [passage(f"The {thing}.", title="") for thing in KNOWN]
    scores = dict(zip(KNOWN, reader.scores("Is there a kettle?", shown), strict=True))
    assert {thing for thing, score in scores.items() if score > 0.5} == set(TOLD)


def test_what_goes_on_from_an_adapter_knows_what_that_knew(
    models: Path, embedder: Embedder, tmp_path: Path
) -> None:
    facts, weights = facts_of(models / ADAPTER), load_file(models / ADAPTER)
    asked = [LabelledTexts("Is there a kettle?", ("The kettle.", "The piano."), (1.0, 0.0))]
    settings = Settings(home=tmp_path, device="cpu", threads=1)
    learned = fine_tune_adapter(
        models / "tiny",
        asked,
        TrainerSetup(tmp_path / "work"),
        settings,
        config=replace(QUICK, epochs=4, rank=2, learning_rate=1e-3),
        begin=weights,
    )
    assert set(learned) == set(weights)
    moved = [float((learned[name].float() - weights[name].float()).abs().max()) for name in weights]
    assert 0 < max(moved) < 0.01
    save_adapter(tmp_path / ADAPTER, learned, facts)
    before, after = reader_of(embedder, models), reader_of(embedder, tmp_path)
    assert before is not None
    assert after is not None
    shown = [passage(f"The {thing}.", title="") for thing in KNOWN]
    assert after.scores(ASKED[0], shown) == pytest.approx(before.scores(ASKED[0], shown), abs=0.05)


def test_what_lies_midway_is_as_far_from_both(models: Path) -> None:
    before = load_file(models / ADAPTER)
    after = {name: weights + 2 for name, weights in before.items()}
    kept = midway(before, after)
    assert all(weights.dtype == before[name].dtype for name, weights in kept.items())
    moved = [float((weights - before[name]).mean()) for name, weights in kept.items()]
    assert moved == pytest.approx([1.0] * len(before), abs=0.01)


def test_the_command_makes_a_reader_and_goes_on_from_it(models: Path, tmp_path: Path) -> None:
    data = tmp_path / "company"
    data.mkdir()
    sections = [
        {"_id": thing, "title": thing, "text": f"The {thing} of the harbour."} for thing in THINGS
    ]
    answers = [
        {
            "_id": thing,
            "question": f"Is there a {thing}?",
            "answers": [f"The {thing}"],
            "unanswerable": False,
            "doc_ids": [thing],
        }
        for thing in KNOWN
    ]
    for name, rows in (("corpus", sections), ("answers_train", answers)):
        lines = "\n".join(map(json.dumps, rows))
        (data / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    environment = {"WHIMBREL_HOME": str(tmp_path), "WHIMBREL_EMBEDDER": str(models / "tiny")}

    def run(*options: str) -> Result:
        return CliRunner().invoke(train, ["reader", str(data), *options], env=environment)

    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    assert run("--output", str(first)).exit_code == 0
    result = run("--from", str(first), "--output", str(second))
    assert result.exit_code == 0, result.output
    assert load_file(first).keys() == load_file(second).keys()
    assert facts_of(second).data == "company"
    packaged = run("--from", str(Path("retrieval/search") / ADAPTER))
    assert isinstance(packaged.exception, DataError)
    assert "is for multilingual-e5-small@" in str(packaged.exception)


def test_reading_together_or_alone_is_the_same(models: Path, embedder: Embedder) -> None:
    reader = reader_of(embedder, models)
    assert reader is not None
    shown = [passage(f"The {thing}. " + "The harbour. " * n) for n, thing in enumerate(KNOWN)]
    alone = [reader.scores(ASKED[0], [one])[0] for one in shown]
    assert reader.scores(ASKED[0], shown) == pytest.approx(alone, abs=1e-5)
    assert reader.scores(ASKED[0], []) == []


def test_a_reader_leaves_the_embedders_vectors_as_they_are(
    models: Path, embedder: Embedder
) -> None:
    before = embedder.embed_passages(["The piano of the harbour."])
    assert reader_of(embedder, models) is not None
    assert (embedder.embed_passages(["The piano of the harbour."]) == before).all()


def test_an_adapter_is_only_for_the_weights_that_it_learned_with(
    models: Path, embedder: Embedder
) -> None:
    embedder.id = "tiny@2"
    assert reader_of(embedder, models) is None
    assert reader_of(WordEmbedder(), models) is None


def test_a_damaged_adapter_is_told(tmp_path: Path, embedder: Embedder) -> None:
    (tmp_path / ADAPTER).write_bytes(b"not an adapter")
    with pytest.raises(ModelCorruptError, match=ADAPTER):
        reader_of(embedder, tmp_path)
    assert facts_of(Path("retrieval/search") / ADAPTER).base.startswith("multilingual-e5-small@")


def test_each_passage_that_answers_stands_beside_some_that_do_not() -> None:
    import random

    groups = [
        ReadingGroup("leave?", ("27 days",), ("pay", "rope", "oil", "post"), ("cut",)),
        ReadingGroup("rope colour?", (), ("rope", "oil")),
    ]
    leave, rope = labelled_texts(groups, random.Random(0))
    assert leave.texts[:2] == ("27 days", "cut")
    assert leave.labels == (1.0, *(0.0,) * 5)
    assert len(leave.texts) == 1 + OTHERS
    assert set(rope.texts) == {"rope", "oil"}
    assert set(rope.labels) == {0.0}


@pytest.mark.parametrize("harm", ["no head", "half a product", "wrong shape", "a stranger", "nan"])
def test_an_adapter_that_does_not_fit_is_refused_when_it_is_loaded(
    models: Path, embedder: Embedder, tmp_path: Path, harm: str
) -> None:
    weights = load_file(models / ADAPTER)
    name = next(name for name in weights if "lora_B" in name)
    if harm == "no head":
        del weights["classifier.weight"]
    elif harm == "half a product":
        del weights[name]
    elif harm == "wrong shape":
        weights[name] = weights[name][:-1].contiguous()
    elif harm == "a stranger":
        weights["somewhere.lora_A.weight"] = weights.pop(name)
    else:
        weights[name][0] = float("nan")
    save_adapter(tmp_path / ADAPTER, weights, facts_of(models / ADAPTER))
    with pytest.raises(ModelCorruptError, match=ADAPTER):
        reader_of(embedder, tmp_path)

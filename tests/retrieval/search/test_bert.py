from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from retrieval.models.catalogue import resolve
from retrieval.records import Vectors
from retrieval.search import bert
from retrieval.search.bert import BertEmbedder
from retrieval.search.embedding import Embedder, load_model
from retrieval.settings import Settings

pytestmark = pytest.mark.slow

TEXTS = ["Every keeper has 27 days of leave.", "员工每年有十五天年假。", "", "word " * 600]


@pytest.fixture
def folder(models_home: Path, tmp_path: Path) -> Path:
    """The default embedder's folder, whose small files may be changed."""
    name = "multilingual-e5-small"
    original = resolve(name, models_folder=models_home / "models").path
    for path in original.rglob("*.*"):
        copy = tmp_path / name / path.relative_to(original)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.stat().st_size < 10_000:
            copy.write_bytes(path.read_bytes())
        elif path.is_file():
            copy.symlink_to(path)
    return tmp_path / name


def change(path: Path, **values: Any) -> None:
    """Set some values of a JSON file, or leave them out where they are None."""
    changed = json.loads(path.read_bytes()) | values
    path.write_text(json.dumps({name: v for name, v in changed.items() if v is not None}))


def vectors(folder: Path) -> tuple[Vectors, Vectors]:
    """What the folder's model makes of each text, here and in sentence-transformers."""
    settings = Settings(embedder=str(folder), device="cpu")
    known = resolve(settings.embedder, models_folder=folder)
    library = Embedder(known, load_model(known, settings))
    own = Embedder.load(settings)
    assert isinstance(own._model, BertEmbedder)
    return own.embed_passages(TEXTS), library.embed_passages(TEXTS)


def test_vectors_are_those_of_the_library(folder: Path) -> None:
    own, library = vectors(folder)
    assert np.array_equal(own, library)


def test_so_they_are_with_the_first_tokens_alone_and_without_a_last_step(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_bytes())
    (folder / "modules.json").write_text(json.dumps(modules[:2]))
    change(
        folder / "1_Pooling/config.json",
        pooling_mode_mean_tokens=False,
        pooling_mode_cls_token=True,
    )
    own, library = vectors(folder)
    assert np.array_equal(own, library)


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("config.json", {"model_type": "xlm-roberta"}),
        ("config.json", {"hidden_act": "relu"}),
        ("config.json", {"position_embedding_type": "relative_key"}),
        ("config.json", {"is_decoder": True}),
        ("config.json", {"num_hidden_layers": 11}),
        ("config.json", {"layer_norm_eps": None}),
        ("sentence_bert_config.json", {"do_lower_case": True}),
        ("sentence_bert_config.json", {"transformer_task": "fill-mask"}),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}),
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": False}),
        ("1_Pooling/config.json", {"include_prompt": False}),
        ("tokenizer_config.json", {"tokenizer_class": "BertTokenizer"}),
        ("tokenizer_config.json", {"padding_side": "left"}),
        ("tokenizer_config.json", {"pad_token": None}),
    ],
)
def test_a_model_that_is_less_plain_is_left_to_the_library(
    folder: Path, file: str, values: dict[str, Any]
) -> None:
    assert bert.fits(folder)
    change(folder / file, **values)
    assert not bert.fits(folder)


@pytest.mark.parametrize("file", ["modules.json", "tokenizer_config.json", "model.safetensors"])
def test_so_is_one_that_lacks_a_file(folder: Path, file: str) -> None:
    (folder / file).unlink()
    assert not bert.fits(folder)


def test_words_keep_the_precision_that_they_are_stored_in(folder: Path) -> None:
    model = Embedder.load(Settings(embedder=str(folder), device="cpu")).encoder
    assert isinstance(model, bert.Bert)
    assert model.embeddings["word_embeddings"].weight.dtype == torch.float16
    assert model.dtype in {torch.bfloat16, torch.float32}

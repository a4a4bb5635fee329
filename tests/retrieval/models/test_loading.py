"""Tests of telling in one line why a model cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from retrieval.errors import ModelCorruptError, ModelUnsuitableError
from retrieval.models.loading import Role, check_folder, loading
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings


def model(folder: Path, *architectures: str) -> Path:
    (folder / "config.json").write_text(json.dumps({"architectures": architectures}))
    (folder / "tokenizer.json").write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("role", "architecture"),
    [
        ("generator", "BertModel"),
        ("embedder", "Qwen2ForCausalLM"),
        ("reranker", "BertModel"),
        ("support", "BertModel"),
    ],
)
def test_a_model_of_another_kind_is_refused(tmp_path: Path, role: Role, architecture: str) -> None:
    with pytest.raises(ModelUnsuitableError, match=f"{architecture}; wanted .* WHIMBREL_"):
        check_folder(role, model(tmp_path, architecture))


@pytest.mark.parametrize(
    ("role", "architecture"),
    [
        ("generator", "T5ForConditionalGeneration"),
        ("embedder", "XLMRobertaModel"),
        ("reranker", "BertForSequenceClassification"),
        ("support", "BertForSequenceClassification"),
        ("support", "ModernBertForTokenClassification"),
    ],
)
def test_a_fitting_model_is_let_through(tmp_path: Path, role: Role, architecture: str) -> None:
    check_folder(role, model(tmp_path, architecture))


def test_a_language_model_made_for_sentences_is_an_embedder(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    check_folder("embedder", model(tmp_path, "Qwen3ForCausalLM"))


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    (model(tmp_path, "Qwen2ForCausalLM") / "tokenizer.json").unlink()
    with pytest.raises(ModelCorruptError, match=r"lacks tokenizer\.json"):
        check_folder("generator", tmp_path)


def test_what_a_library_raises_is_told_in_one_line() -> None:
    with (
        pytest.raises(ModelCorruptError, match=r"generator m cannot .*\(cut short\).*GENERATOR"),
        loading("generator", "m"),
    ):
        raise ValueError("\ncut short\nand forty more lines")


@pytest.mark.parametrize("config", ["{", "{}", '{"model_type": "none-such"}'])
def test_a_damaged_configuration_is_named_and_not_a_crash(tmp_path: Path, config: str) -> None:
    (tmp_path / "config.json").write_text(config)
    settings = Settings(home=tmp_path / "home", embedder=str(tmp_path))
    with pytest.raises(ModelCorruptError, match="WHIMBREL_EMBEDDER"):
        Embedder.load(settings)

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import PreTrainedModel

from retrieval.errors import ModelCorruptError, ModelNotFoundError, SettingsError
from retrieval.llm.generator import load_generator
from retrieval.llm.late_generator import LateGenerator, load_late
from retrieval.settings import Settings
from tests.retrieval.llm import tiny_models

ASKED = [("user", "How many days?")]


def settings(generator: object) -> Settings:
    return Settings(generator=str(generator), device="cpu", threads=1)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(tiny_models.tiny_qwen(), id="tied"),
        pytest.param(tiny_models.tiny_llama(), id="untied"),
        pytest.param(tiny_models.tiny_qwen3(), id="with norms"),
    ],
)
def test_a_late_generator_says_and_writes_what_the_loaded_one_does(
    tmp_path: Path, model: PreTrainedModel
) -> None:
    model.save_pretrained(tmp_path)
    tiny_models.byte_tokenizer(chat_template=tiny_models.CHAT).save_pretrained(tmp_path)
    late, loaded = load_late(settings(tmp_path)), load_generator(settings(tmp_path))
    assert isinstance(late, LateGenerator)
    assert late._loaded is None
    for name in ("id", "kind", "parameters", "context_tokens"):
        assert getattr(late, name) == getattr(loaded, name)
    assert late._loaded is None
    assert late.count_tokens("three") == loaded.count_tokens("three")
    wrote = [generator.generate(ASKED, max_tokens=5).text for generator in (late, loaded)]
    assert wrote[0] == wrote[1]
    late.close()
    loaded.close()


def test_a_model_that_was_never_needed_is_closed_unloaded(tmp_path: Path) -> None:
    late = load_late(settings(tiny_models.save_causal(tmp_path)))
    late.close()
    assert isinstance(late, LateGenerator)
    assert late._loaded is None


def test_what_the_settings_have_wrong_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        load_late(settings("nobody's"))
    folder = tiny_models.save_causal(tmp_path)
    with pytest.raises(SettingsError, match="torch finds none"):
        load_late(Settings(generator=str(folder), device="mps"))


def test_what_the_files_have_wrong_is_told_when_they_are_needed(tmp_path: Path) -> None:
    late = load_late(settings(tiny_models.save_causal(tmp_path)))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelCorruptError, match="cannot be loaded"):
        late.count_tokens("three")


def test_a_model_of_another_kind_is_loaded_at_once(tmp_path: Path) -> None:
    generator = load_late(settings(tiny_models.save_seq2seq(tmp_path)))
    assert not isinstance(generator, LateGenerator)
    generator.close()

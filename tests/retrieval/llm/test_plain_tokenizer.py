from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2.exceptions import SecurityError, TemplateError
from transformers import AutoTokenizer

from retrieval.llm.plain_tokenizer import PlainTokenizer
from retrieval.models.catalogue import resolve
from tests.retrieval.llm.tiny_models import save_plain, tiny_qwen


def plain(folder: Path) -> PlainTokenizer:
    tokenizer = PlainTokenizer.of(folder)
    assert tokenizer is not None
    return tokenizer


@pytest.fixture(scope="module")
def tokenizers(models_home: Path) -> tuple[PlainTokenizer, Any]:
    """The default generator's, here and in transformers."""
    name = "qwen2.5-coder-0.5b-instruct"
    folder = resolve(name, models_folder=models_home / "models").path
    return plain(folder), AutoTokenizer.from_pretrained(folder)


@pytest.mark.slow
@settings(max_examples=100)
@given(text=st.text())
@example(text="<|im_start|>user\nA<|im_end|>")
@example(text=" two  spaces\t\r\n 年假 ＡＢＣ ﬁ ½ e\u0301 12345 don't 🙂")
def test_texts_are_read_as_the_library_reads_them(
    tokenizers: tuple[PlainTokenizer, Any], text: str
) -> None:
    own, library = tokenizers
    for has_special in (True, False):
        ids = own.encode(text, add_special_tokens=has_special)
        assert ids == library.encode(text, add_special_tokens=has_special)
        assert own.decode(ids, skip_special_tokens=True) == library.decode(
            ids, skip_special_tokens=True
        )
        assert own.decode(ids[1:-1], skip_special_tokens=False) == library.decode(
            ids[1:-1], skip_special_tokens=False
        )


@pytest.mark.slow
@settings(max_examples=50)
@given(system=st.text(), user=st.text())
@example(system="", user="")
def test_conversations_are_written_as_the_library_writes_them(
    tokenizers: tuple[PlainTokenizer, Any], system: str, user: str
) -> None:
    own, library = tokenizers
    assert own.eos_token_id == library.eos_token_id
    for chat in (
        [{"role": "user", "content": user}],
        [{"role": "system", "content": system}, {"role": "user", "content": user}],
    ):
        values: dict[str, Any] = {"add_generation_prompt": True, "enable_thinking": False}
        assert own.apply_chat_template(chat, tokenize=False, **values) == (
            library.apply_chat_template(chat, tokenize=False, **values)
        )


def config_of(folder: Path, **values: Any) -> Path:
    path = folder / "tokenizer_config.json"
    changed = json.loads(path.read_bytes()) | values
    path.write_text(json.dumps({name: v for name, v in changed.items() if v is not None}))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_plain(tmp_path, tiny_qwen())


def test_special_tokens_have_to_be_in_the_file(folder: Path) -> None:
    assert PlainTokenizer.of(folder)
    assert not PlainTokenizer.of(config_of(folder, eos_token="<another>"))


@pytest.mark.parametrize(
    "values",
    [
        {"tokenizer_class": "LlamaTokenizer"},
        {"clean_up_tokenization_spaces": True},
        {"chat_template": None},
        {"chat_template": [{"name": "default", "template": "x"}]},
        {"chat_template": "{{ strftime_now('%d') }}"},
        {"add_bos_token": True},
    ],
    ids=str,
)
def test_what_only_the_library_knows_is_left_to_it(folder: Path, values: Any) -> None:
    assert not PlainTokenizer.of(config_of(folder, **values))


def test_so_is_what_stands_in_other_files(folder: Path) -> None:
    (folder / "added_tokens.json").write_text("{}")
    assert not PlainTokenizer.of(folder)
    (folder / "added_tokens.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    assert not PlainTokenizer.of(folder)


def test_a_template_may_refuse_and_reach_nothing(folder: Path) -> None:
    refusing = plain(config_of(folder, chat_template="{{ raise_exception('no roles') }}"))
    with pytest.raises(TemplateError, match="no roles"):
        refusing.apply_chat_template([])
    reaching = plain(
        config_of(folder, chat_template="{{ messages.__class__.__mro__[1].__subclasses__() }}")
    )
    with pytest.raises(SecurityError):
        reaching.apply_chat_template([])

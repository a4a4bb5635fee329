from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from retrieval.models.catalogue import resolve
from retrieval.models.fast_tokenizer import FastTokenizer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tokenizers(models_home: Path) -> tuple[FastTokenizer, Any]:
    """The default embedder's, here and in transformers."""
    folder = resolve("multilingual-e5-small", models_folder=models_home / "models").path
    assert FastTokenizer.fits(folder)
    return FastTokenizer(folder), AutoTokenizer.from_pretrained(folder)


@settings(max_examples=50)
@given(texts=st.lists(st.text(), min_size=1, max_size=4))
@example(texts=["<s> <mask> </s><pad>", " leave", "年假 leave " * 9, "ＡＢＣ ﬁ ½ e\u0301"])
def test_texts_have_the_tokens_that_the_library_finds(
    tokenizers: tuple[FastTokenizer, Any], texts: list[str]
) -> None:
    own, library = tokenizers
    whole: dict[str, Any] = {
        "add_special_tokens": False,
        "return_offsets_mapping": True,
        "verbose": False,
    }
    found, wanted = own(texts, **whole), library(texts, **whole)
    assert found["input_ids"] == wanted["input_ids"]
    assert found["offset_mapping"] == wanted["offset_mapping"]
    cut: dict[str, Any] = {
        "padding": True,
        "truncation": True,
        "max_length": 12,
        "return_tensors": "pt",
    }
    found, wanted = own(texts, **cut), library(texts, **cut)
    assert {*found} == {*wanted}
    assert all(found[name].equal(wanted[name]) for name in wanted)


def test_rows_of_tokens_are_filled_up_as_the_library_does(
    tokenizers: tuple[FastTokenizer, Any],
) -> None:
    own, library = tokenizers
    assert (own.cls_token_id, own.sep_token_id) == (library.cls_token_id, library.sep_token_id)
    rows = {"input_ids": [[0, 7, 2], [0, 2]]}
    found, wanted = own.pad(rows), library.pad(rows, return_tensors="pt")
    assert all(found[name].equal(wanted[name]) for name in wanted)

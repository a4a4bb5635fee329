from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from retrieval.models.unpack_gguf import unpack


@pytest.mark.slow
def test_the_unpacked_model_completes_a_prompt_as_the_published_one_does(
    generator_folder: Path,
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(generator_folder)
    messages = [
        {"role": "system", "content": "You are brief."},
        {"role": "user", "content": "What is the capital of France?"},
    ]
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    inputs = tokenizer(prompt, return_tensors="pt")
    model: Any = AutoModelForCausalLM.from_pretrained(generator_folder, dtype=torch.bfloat16)
    written = model.generate(**inputs, max_new_tokens=12, do_sample=False)[0]
    completion = tokenizer.decode(written[inputs["input_ids"].shape[1] :])
    assert completion == "The capital of France is Paris.<|im_end|>"


@pytest.mark.slow
def test_the_tokenizer_splits_as_the_models_own(generator_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(generator_folder)
    text = "def f(x): return 123\n\n年假有三十天。<|im_end|>"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids)[:9] == [
        "def", "Ġf", "(x", "):", "Ġreturn", "Ġ", "1", "2", "3",
    ]  # fmt: skip
    assert ids[-1] == 151645
    assert tokenizer.decode(ids) == text


def test_other_bytes_than_a_gguf_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="GGUF"):
        unpack(memoryview(b"PK\x03\x04" + bytes(64)), tmp_path)

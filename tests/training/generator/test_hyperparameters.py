from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from retrieval.errors import DataError
from retrieval.llm.chat_format import load_chat_format
from retrieval.models.device import Device
from tests.retrieval.llm.tiny_models import save_causal, save_seq2seq
from training.generator.hyperparameters import search_config
from training.generator.rows import TokenRow
from training.generator.trainers import AdapterConfig
from training.trainer import LearnOptions

CPU = Device("cpu", torch.float32, 1)
SLOW = AdapterConfig(learning_rate=3e-5, at_once=4, batch=4, epochs=4, upper=1.0)


def rows(model: Path, numbers: range) -> list[TokenRow]:
    """Questions to which the answer is always the same."""
    chat_format = load_chat_format(model)
    end = (int(chat_format.tokenizer.eos_token_id),)

    def tokens(text: str) -> tuple[int, ...]:
        return tuple(chat_format.encode(text, has_special=False))

    return [TokenRow(tokens(f"ask {n}:"), tokens("yes") + end) for n in numbers]


@pytest.mark.slow
@pytest.mark.parametrize("save", [save_causal, save_seq2seq])
def test_a_search_finds_a_way_that_makes_answers_held_back_likelier(
    save: Callable[[Path], Path], tmp_path: Path
) -> None:
    model = save(tmp_path / "model")
    held_back = rows(model, range(20, 30))
    found = search_config(
        model, rows(model, range(8)), held_back, LearnOptions(trials=4), start=SLOW, device=CPU
    )
    usual, *others = (trial.score for trial in found.trials)
    assert max(others) > usual + 0.1
    assert found.config.learning_rate > SLOW.learning_rate


def test_without_answers_held_back_a_search_says_how_many_it_needs(tmp_path: Path) -> None:
    model = save_causal(tmp_path / "model")
    few = rows(model, range(3))
    with pytest.raises(DataError, match=r"needs 10 answers in dev\.jsonl.*found 3"):
        search_config(model, few, few, LearnOptions(trials=1), start=SLOW, device=CPU)

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.training.classifiers import tiny_cross_encoder
from training.classifiers.adversarial import Attack

pytestmark = pytest.mark.slow

TEXTS = (
    "Who looks after the printer in the library?",
    "Is there no ladder in the archive of Harbour?",
)


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> Attack:
    folder = tiny_cross_encoder.write(tmp_path_factory.mktemp("tiny"))
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    return Attack(model, AutoTokenizer.from_pretrained(folder))


def loss_of_all(attack: Attack, texts: Sequence[str], _: Sequence[int]) -> torch.Tensor:
    return loss_of(attack, texts)


def loss_of(attack: Attack, texts: Sequence[str]) -> torch.Tensor:
    said = attack.encoder(**attack.tokenizer([*texts], padding=True, return_tensors="pt"))
    total: torch.Tensor = said.logits.sum()
    return total


def test_a_swapped_word_raises_the_loss(attack: Attack) -> None:
    for text in TEXTS:
        (twin,) = attack.on([text], partial(loss_of_all, attack, [text]))
        assert twin != text
        assert loss_of(attack, [twin]) > loss_of(attack, [text])


def test_each_text_is_attacked_as_if_it_were_alone(attack: Attack) -> None:
    def loss(numbers: Sequence[int]) -> torch.Tensor:
        return loss_of(attack, [TEXTS[number] for number in numbers])

    assert attack.on(TEXTS, loss) == [
        *attack.on(TEXTS[:1], partial(loss_of_all, attack, TEXTS[:1])),
        *attack.on(TEXTS[1:], partial(loss_of_all, attack, TEXTS[1:])),
    ]


def test_small_words_names_and_negations_stay(attack: Attack) -> None:
    (twin,) = attack.on(TEXTS[1:], partial(loss_of_all, attack, TEXTS[1:]))
    assert twin.startswith("Is there no ")
    assert twin.endswith(" of Harbour?")


def test_the_encoder_is_left_as_it_was(attack: Attack) -> None:
    before = {name: tensor.clone() for name, tensor in attack.encoder.state_dict().items()}
    attack.on(TEXTS, partial(loss_of_all, attack, TEXTS))
    after = attack.encoder.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert all(parameter.grad is None for parameter in attack.encoder.parameters())

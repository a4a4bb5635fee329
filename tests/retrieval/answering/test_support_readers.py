from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, PreTrainedTokenizerFast

from retrieval.answering.citations import Citer
from retrieval.answering.support_readers import (
    EncoderReader,
    GeneratorReader,
    load_support_reader,
)
from retrieval.errors import ModelNotFoundError, ModelUnsuitableError
from retrieval.records import Completion, Passage
from retrieval.settings import Settings
from tests.retrieval.passages_by_hand import passage

TIDES = passage("High tide is at nine. Low tide is at three.", title="Tides")
PIER = passage("The pier is closed in winter.", title="Pier")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "tides", "high", "low", "tide", "is", "at"]
WORDS += ["nine", "three", "ten", "."]
KINDS: dict[str, dict[str, Any]] = {
    "BertForSequenceClassification": {
        "id2label": {0: "contradiction", 1: "neutral", 2: "entailment"},
        "label2id": {"contradiction": 0, "neutral": 1, "entailment": 2},
    },
    "BertForTokenClassification": {"num_labels": 2},
}


def _tokenizer() -> Any:
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, "[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=64
    )


def checker(folder: Path, kind: str) -> Path:
    """A tiny encoder that has learned that "ten" is made up, and nothing else is."""
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **KINDS[kind],
    )
    model: Any = getattr(transformers, kind)(shape)
    tokenizer = _tokenizer()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    held = [TIDES.indexed_text] * 2
    pair = tokenizer(held, ["High tide is at nine.", "High tide is at ten."], return_tensors="pt")
    made_up = (pair["input_ids"] == WORDS.index("ten")).long()
    labels = made_up if "Token" in kind else torch.tensor([2, 0])
    for _ in range(100):
        optimiser.zero_grad()
        model(**pair, labels=labels).loss.backward()
        optimiser.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_checker_tells_what_a_passage_says_from_what_it_does_not(
    tmp_path: Path, kind: str
) -> None:
    reader = load_support_reader(Settings(support=str(checker(tmp_path, kind)), device="cpu"))
    assert isinstance(reader, EncoderReader)
    assert reader.support("High tide is at nine.", [TIDES]) > 0.9
    assert reader.support("High tide is at ten.", [TIDES]) < 0.1


def test_a_checker_cuts_the_passages_and_never_the_sentence(tmp_path: Path) -> None:
    reader = EncoderReader(str(checker(tmp_path, "BertForTokenClassification")))
    long = passage("Low tide is at three. " * 200, title="Tides")
    assert reader.support("High tide is at ten.", [long]) < 0.5


def test_nothing_reads_where_nothing_is_set() -> None:
    assert load_support_reader(Settings()) is None
    assert load_support_reader(Settings(support="generator")) is None


def test_a_checker_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["BertModel"]}')
    with pytest.raises(ModelUnsuitableError, match="WHIMBREL_SUPPORT"):
        load_support_reader(Settings(support=str(tmp_path)))
    with pytest.raises(ModelNotFoundError):
        load_support_reader(Settings(support="no such model"))


class Replier:
    """A generator that says one word, as surely as it is told to."""

    kind: Literal["causal", "seq2seq"] = "causal"

    def __init__(self, text: str, likely: float) -> None:
        self.id, self.context_tokens, self.parameters = "replier@1", 4096, 2_000_000_000
        self._said = Completion(text, 1, 1, 0.0, 0.0, mean_logprob=math.log(likely))
        self.prompts: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def generate(
        self,
        messages: Sequence[tuple[str, str]],
        *,
        max_tokens: int,  # noqa: ARG002
        on_text: Callable[[str], None] | None = None,  # noqa: ARG002
        should_stop: Callable[[], bool] | None = None,  # noqa: ARG002
        end: Sequence[str] = (),  # noqa: ARG002
    ) -> Completion:
        self.prompts.append("\n".join(f"{role}: {text}" for role, text in messages))
        return self._said

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("said", "likely", "support"), [(" Yes", 0.9, 0.9), ("No", 0.8, 0.2), ("Perhaps", 0.9, 0.5)]
)
def test_a_generator_is_asked_for_yes_or_no(said: str, likely: float, support: float) -> None:
    generator = Replier(said, likely)
    assert GeneratorReader(generator).support("High tide is at nine.", [TIDES]) == pytest.approx(
        support
    )
    [prompt] = generator.prompts
    assert TIDES.text in prompt
    assert "Statement: High tide is at nine." in prompt


class Fixed:
    """A reader that always says the same, and keeps what it was asked."""

    def __init__(self, support: float) -> None:
        self._support = support
        self.read: list[tuple[Passage, ...]] = []

    def support(self, sentence: str, passages: Sequence[Passage]) -> float:  # noqa: ARG002
        self.read.append(tuple(passages))
        return self._support


def test_what_a_reader_doubts_is_not_said() -> None:
    said = "High tide is at nine."
    assert Citer("tides?", [PIER, TIDES], reader=Fixed(0.95)).add(said) == f"{said} [1]"
    assert Citer("tides?", [PIER, TIDES], reader=Fixed(0.05)).add(said) is None


def test_a_reader_gets_the_passage_that_says_it_alone() -> None:
    reader = Fixed(1.0)
    Citer("tides?", [PIER, TIDES], reader=reader).add("High tide is at nine.")
    assert reader.read == [(TIDES,)]


def test_a_reader_cannot_save_a_number_that_no_passage_has() -> None:
    assert Citer("tides?", [TIDES], reader=Fixed(1.0)).add("High tide is at ten.") is None

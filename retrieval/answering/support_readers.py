"""Models that read whether passages support a sentence: a published checker, or the generator."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from retrieval.answering.support import SupportReader
from retrieval.models.catalogue import resolve
from retrieval.models.device import choose_device
from retrieval.models.loading import hide_progress_bars, loading
from retrieval.records import Passage
from retrieval.settings import Settings

if TYPE_CHECKING:
    from retrieval.llm.generator import Generator

BY_GENERATOR = "generator"
"""The setting that has the generator read what it wrote."""

_SUPPORTED = re.compile(r"entail|support|consisten|faithful|grounded|true|yes", re.IGNORECASE)
_OPPOSED = re.compile(
    r"\bnot|non|contra|un(?=support|ground)|in(?=consist)|halluc|false", re.IGNORECASE
)
_MOST_TOKENS = 8_192

_SYSTEM = "You are a careful fact checker."
_QUESTION = (
    "{passages}\n\nStatement: {sentence}\n\nDoes the text above say this, with the same numbers, "
    "names and conditions? Answer with one word, Yes or No."
)
_YES, _NO = (
    re.compile(r"\W*(?:yes|是|对)", re.IGNORECASE),
    re.compile(r"\W*(?:no|否|不)", re.IGNORECASE),
)


class EncoderReader:
    """An encoder that reads a passage and a sentence together. Threads may share one.

    It may classify pairs, as models of natural language inference do: what counts is the class that
    is named after entailment or support, the second where none is, or the sigmoid of a single one.
    Or it may classify tokens, as LettuceDetect does: then a sentence is as supported as its least
    supported token.
    """

    def __init__(self, name: str, *, device: str | None = None) -> None:
        from transformers import (
            AutoConfig,
            AutoModelForSequenceClassification,
            AutoModelForTokenClassification,
            AutoTokenizer,
        )

        self.id = name
        hide_progress_bars()
        with loading("support", name):
            config: Any = AutoConfig.from_pretrained(name)
            self._marks_tokens = any("Token" in name for name in config.architectures or ())
            kind: Any = (
                AutoModelForTokenClassification
                if self._marks_tokens
                else AutoModelForSequenceClassification
            )
            self._model: Any = kind.from_pretrained(name).to(device or "cpu").eval()
            self._tokenizer: Any = AutoTokenizer.from_pretrained(name)
        self._max_tokens = min(
            self._tokenizer.model_max_length,
            getattr(config, "max_position_embeddings", _MOST_TOKENS),
            _MOST_TOKENS,
        )
        # Where classes have no names: of tokens the second is made up, of pairs it is supported.
        unnamed = 0 if self._marks_tokens else min(1, config.num_labels - 1)
        self._supported = _named_class(config.id2label, unnamed)
        self._lock = threading.Lock()  # the tokenizer keeps its truncation between calls

    def support(self, sentence: str, passages: Sequence[Passage]) -> float:
        """The probability that the passages support the sentence; long passages are cut."""
        import torch

        with self._lock, torch.inference_mode():
            pair: Any = self._tokenizer(
                _text(passages),
                sentence,
                truncation="only_first",
                max_length=self._max_tokens,
                return_tensors="pt",
            )
            is_said = torch.tensor([part == 1 for part in pair.sequence_ids(0)])
            logits = self._model(**pair.to(self._model.device)).logits[0].float().cpu()
            if not self._marks_tokens:
                is_one = len(logits) == 1
                likely = torch.sigmoid(logits) if is_one else torch.softmax(logits, dim=-1)
                return float(likely[self._supported])
            likely = torch.softmax(logits, dim=-1)[:, self._supported][is_said]
            return float(likely.min())


class GeneratorReader:
    """A generator that is asked for a yes or a no: one token, read off with its probability."""

    def __init__(self, generator: Generator) -> None:
        self.id = generator.id
        self._generator = generator

    def support(self, sentence: str, passages: Sequence[Passage]) -> float:
        """The probability of a yes; 0.5 where the model says neither."""
        asked = _QUESTION.format(passages=_text(passages), sentence=sentence)
        said = self._generator.generate([("system", _SYSTEM), ("user", asked)], max_tokens=1)
        likely = math.exp(said.mean_logprob)
        if _YES.match(said.text):
            return likely
        return 1 - likely if _NO.match(said.text) else 0.5


def load_support_reader(settings: Settings) -> SupportReader | None:
    """The checker that the settings name, or None; the generator is no model of its own.

    Raises:
        ModelNotFoundError: If there is no such model.
        ModelUnsuitableError: If it is one of another kind.
        ModelCorruptError: If it cannot be loaded.
    """
    if settings.support in (None, BY_GENERATOR):
        return None
    folder = resolve(str(settings.support), models_folder=settings.models_folder)
    return EncoderReader(str(folder.path), device=choose_device(settings).name)


def _text(passages: Sequence[Passage]) -> str:
    return "\n\n".join(passage.indexed_text for passage in passages)


def _named_class(labels: dict[int, str], otherwise: int) -> int:
    """The number of the class whose name means support."""
    for number, label in labels.items():
        if _SUPPORTED.search(label) and not _OPPOSED.search(label):
            return int(number)
    return otherwise

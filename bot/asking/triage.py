"""Decides whether a message that mentions nobody asks what documents could answer."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from retrieval.language import words
from retrieval.records import Vectors

EXAMPLES = Path(__file__).with_name("triage.tsv")
"""Messages of our own, half English and half Chinese, each after 1 if documents could answer it
and after 0 for other talk."""

THRESHOLD = 0.7
"""Unsure is no: to speak up uninvited and wrongly costs more than to stay silent. This and the
next were chosen by cross-validation on the examples; see benchmarks/triage.py."""

STRENGTH = 33.0
"""Of the regression: how much the examples' losses weigh beside the size of the weights."""

_MAX_CHARS = 1_000
_NOISE = re.compile(r"```.*?```|`[^`]*`|<https?:[^>]*>|https?://\S+|:[a-z0-9_+-]+:", re.DOTALL)
_ADDRESSED = re.compile(r"<@|<!")
_THANKS = re.compile(
    r"\W*(?:(?:ok(?:ay)?|great|perfect|awesome|cool|nice|super|got it|makes sense|oh|ah|yes|yep|"
    r"many|thanks?|thank you|thx|ty|cheers|so much|very much|a lot|all|that helps?|helpful|"
    r"that works?|it works?|works|worked|for the (?:help|info|answer)|will do|understood|lol|"
    r"好的?|谢谢|多谢|感谢|谢了|明白了?|收到|懂了|知道了|可以了|太好了|太棒了|解决了|已经|"
    r"了解了?|嗯+|哦+|你|您|啦|啊|哈+|没事了)\W*)+",
    re.IGNORECASE,
)


class QueryEmbedder(Protocol):
    """Turns messages into unit vectors."""

    def embed_queries(self, texts: Sequence[str]) -> Vectors: ...


class HasEmbedder(Protocol):
    """Knows the embedder of the moment."""

    @property
    def embedder(self) -> QueryEmbedder: ...


@dataclass(frozen=True, slots=True)
class Labelled:
    """A message and whether documents could answer it."""

    text: str
    is_question: bool


def read_labelled(path: Path) -> list[Labelled]:
    """The messages of a file, in order."""
    rows = (line.partition("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return [Labelled(text, label == "1") for label, _, text in rows]


class Separator:
    """A logistic regression on vectors."""

    def __init__(self, vectors: Vectors, is_positive: npt.NDArray[np.bool_]) -> None:
        from sklearn.linear_model import LogisticRegression

        self._mean = vectors.mean(axis=0)
        self._model = LogisticRegression(C=STRENGTH, max_iter=1_000)
        self._model.fit(vectors - self._mean, is_positive)

    def score(self, vectors: Vectors) -> npt.NDArray[np.float64]:
        """How likely each row is to be positive, 0 to 1."""
        scores: npt.NDArray[np.float64] = self._model.predict_proba(vectors - self._mean)[:, 1]
        return scores


class Triage:
    """Learns from the examples with whatever embedder there is, when one is first needed.

    That takes seconds, so it should be asked off the event loop and outside transactions.
    """

    def __init__(self, shelf: HasEmbedder) -> None:
        self._shelf = shelf
        self._lock = threading.Lock()
        self._fitted: tuple[QueryEmbedder, Separator] | None = None

    def is_question(self, text: str) -> bool:
        """Whether to try to answer a message that nobody addressed to us."""
        return self.score(text) >= THRESHOLD

    def score(self, text: str) -> float:
        """How sure we are, 0 to 1, that a message asks everybody what documents could answer."""
        cleaned = clean(text)
        if _ADDRESSED.search(text) or len(text) > _MAX_CHARS or not words(cleaned):
            return 0.0
        embedder = self._shelf.embedder
        separator = self._separator(embedder)
        return float(separator.score(embedder.embed_queries([cleaned]))[0])

    def _separator(self, embedder: QueryEmbedder) -> Separator:
        with self._lock:
            if self._fitted is None or self._fitted[0] is not embedder:
                examples = read_labelled(EXAMPLES)
                vectors = embedder.embed_queries([clean(example.text) for example in examples])
                labels = np.array([example.is_question for example in examples])
                self._fitted = (embedder, Separator(vectors, labels))
            return self._fitted[1]


def clean(text: str) -> str:
    """A message without code, addresses and emoji names, on one line."""
    return " ".join(_NOISE.sub(" ", text).split())


def is_thanks(text: str) -> bool:
    """Whether a message only thanks, agrees or closes."""
    cleaned = clean(text)
    return not words(cleaned) or _THANKS.fullmatch(cleaned) is not None

"""Decides whether a message that mentions nobody asks what documents could answer."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Protocol

from retrieval.answering.triage import QueryEmbedder, Separator, clean, load_separator
from retrieval.language import words
from retrieval.registry.folders import served

_MAX_CHARS = 1_000
_ADDRESSED = re.compile(r"<@|<!")
_THANKS = re.compile(
    r"\W*(?:(?:ok(?:ay)?|great|perfect|awesome|cool|nice|super|got it|makes sense|oh|ah|yes|yep|"
    r"many|thanks?|thank you|thx|ty|cheers|so much|very much|a lot|all|that helps?|helpful|"
    r"that works?|it works?|works|worked|for the (?:help|info|answer)|will do|understood|lol|"
    r"好的?|谢谢|多谢|感谢|谢了|明白了?|收到|懂了|知道了|可以了|太好了|太棒了|解决了|已经|"
    r"了解了?|嗯+|哦+|你|您|啦|啊|哈+|没事了)\W*)+",
    re.IGNORECASE,
)


class HasEmbedder(Protocol):
    """Knows the embedder of the moment."""

    @property
    def embedder(self) -> QueryEmbedder:
        """The embedder that searches at the moment."""


class Triage:
    """Follows the model that is published for it, and the embedder that there is.

    Whenever either changes it takes seconds, so it should be asked off the event loop and outside
    transactions.
    """

    def __init__(self, documents: HasEmbedder, models_folder: Path) -> None:
        self._documents = documents
        self._models_folder = models_folder
        self._lock = threading.Lock()
        self._loaded: tuple[QueryEmbedder, Path | None, Separator] | None = None

    @property
    def id(self) -> str:
        """The model that decides at the moment."""
        return self._separator(self._documents.embedder).id

    def is_question(self, text: str) -> bool:
        """Whether to try to answer a message that nobody addressed to us."""
        embedder = self._documents.embedder
        separator = self._separator(embedder)
        return self._score(text, embedder, separator) >= separator.threshold

    def score(self, text: str) -> float:
        """How sure we are, 0 to 1, that a message asks everybody what documents could answer."""
        embedder = self._documents.embedder
        return self._score(text, embedder, self._separator(embedder))

    def _score(self, text: str, embedder: QueryEmbedder, separator: Separator) -> float:
        cleaned = clean(text)
        if _ADDRESSED.search(text) or len(text) > _MAX_CHARS or not words(cleaned):
            return 0.0
        return float(separator.score(embedder.embed_queries([cleaned]))[0])

    def _separator(self, embedder: QueryEmbedder) -> Separator:
        published = served(self._models_folder / "runs" / "triage")
        with self._lock:
            if self._loaded is None or self._loaded[:2] != (embedder, published):
                separator = load_separator(self._models_folder, embedder)
                self._loaded = (embedder, published, separator)
            return self._loaded[2]


def is_thanks(text: str) -> bool:
    """Whether a message only thanks, agrees or closes."""
    cleaned = clean(text)
    return not words(cleaned) or _THANKS.fullmatch(cleaned) is not None

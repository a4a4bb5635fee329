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
_NAME = r"(?:<@[^>]*>|(?-i:[A-Z])[a-z]+|you|u|all|both|everyone|everybody|folks|guys|team|mate|bot)"
_VERY = r"(?:(?:all|so|very|really|super|such|a|an|most|quite|pretty|just) )*"
_GOOD = (
    r"(?:great|good|perfect|awesome|cool|nice|super|sweet|brilliant|excellent|amazing|wonderful|"
    r"lovely|fantastic|neat|interesting|helpful|useful|clear(?:er)?)"
)
_FOR = (
    r" for (?:(?:the|your|this|that|these|all|a|such|very|quick|fast|prompt) )*"
    r"(?:help|info\w*|answers?|reply|replies|response|tips?|pointers?|links?|explanation|"
    r"clarification|sharing|asking|explaining|clarifying|helping|answering|checking|this|that)"
)
_THANK = r"(?:many |much )?(?:thanks|thank (?:you|u)|thx|thanx|tx|tks|tysm|ty|ta|cheers|kudos)"
_THANKS = re.compile(
    rf"\W*(?:<@[^>]*>\W*)?(?:(?:(?<![a-z])(?:{_THANK}(?: a (?:lot|bunch|ton|million))?"
    rf"(?: (?:so|very) much)?(?: again)?(?:{_FOR})?(?:[ ,]+{_NAME})?(?: again)?(?:{_FOR})?"
    rf"(?: in advance)?|{_VERY}{_GOOD}(?: (?:one|job|question|answer|bot|stuff|to know))?|"
    rf"(?:that|this|it)(?:['’]?s| is| was) {_VERY}{_GOOD}|"
    r"(?:(?:that|this|it) )?(?:really )?(?:helps?|helped|works?|worked|did the trick|"
    r"answers (?:it|that|my question))(?: (?:a lot|for me|now))?|"
    r"ok(?:ay)?|k|got it|makes sense|i see|oh|ah|aha|wow|ye[ps]|yeah|yup|right|exactly|agreed|"
    r"(?:i )?(?:really |much )?appreciate(?:d| it| that| this)|(?:very|so) much|a lot|all|again|"
    r"(?:all )?(?:noted|understood|solved|resolved|fixed|sorted|clear|done|set)(?: now)?|will do|"
    r"(?:i )?(?:had no idea|(?:didn['’]?t|never) kn[eo]w(?: (?:that|this|it))?)|"
    r"same here|me too|til|lol|(?:ha)+h?|np|no (?:worries|problem)|my pleasure|"
    r"you(?:['’]?re| are) welcome)(?![a-z])|\+1\b|"
    r"3q|[好对]的?|(?:[谢謝]+|多[谢謝]|感[谢謝恩])(?:分享|指[点教]|帮助|帮忙|大家|各位|老师|同学|楼主)*|"
    r"明白|收到|懂了?|知道|可以了|太棒|[棒赞]|解决|搞定|已经|了解|清楚|学到了?|辛苦|原来(?:如此|这样)|"
    r"有(?:用|帮助)|没(?:事了?|问题)|不客气|[很太真你您的了啦呀嘞喽嗯哦啊哈也同]|非常)\W*)+",
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


def without_thanks(text: str) -> str:
    """What follows on the thanks that a message begins with, on one line."""
    cleaned = clean(text)
    thanks = _THANKS.match(cleaned)
    return cleaned[thanks.end() :] if thanks else cleaned

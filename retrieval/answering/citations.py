"""Which passage supports which sentence of an answer: decided by looking, not by asking a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.language import CJK, sentence_spans
from retrieval.records import Citation, Passage
from retrieval.search.lexical import terms

MAX_CITATIONS = 5
SUPPORT_THRESHOLD = 0.6
"""A sentence with less support than this is not said."""

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_MARKER = re.compile(r"\s*[\[【]\d+(?:\s*[,，、]\s*\d+)*[\]】]")
# "Based on the passages, …": true of every sentence that is said, so nobody needs to read it.
_PREAMBLE = re.compile(
    r"^(?:based on|according to|as (?:stated|mentioned) in) (?:the |this )?(?:information in the |"
    r"information provided in the |provided |given )?(?:passages?|documents?|text|information|"
    r"context)(?: provided| above| \d+)?\s*,\s*"
    r"|^(?:根据|按照|依据)(?:以上|上述|所给|提供的|给出的)?(?:段落|原文|文档|文件|信息|资料|内容)+\d*"
    r"(?:的内容|的信息|中的信息|内容|所述)?[，,]\s*",
    re.IGNORECASE,
)
_CJK_END = re.compile(f"[{CJK}。！？；：，、）」』”]\\Z")
_WINDOW_SENTENCES = 2


@dataclass(frozen=True, slots=True)
class Window:
    """One sentence of a passage, or several neighbouring ones, and the terms in and above it."""

    passage: Passage
    quote: str
    terms: frozenset[str]
    terms_above: frozenset[str]
    numbers: frozenset[str]


def windows(passage: Passage, *, sentences: int = _WINDOW_SENTENCES) -> list[Window]:
    """Every run of 1 to `sentences` sentences of a passage; shorter runs come first.

    Title and headings stand above each window; they are not quoted.
    """
    spans = sentence_spans(passage.text)
    above = " ".join((passage.source.title, *passage.headings))
    terms_above = frozenset(terms(above))
    quotes = [
        passage.text[spans[i][0] : spans[i + size - 1][1]]
        for size in range(1, sentences + 1)
        for i in range(len(spans) - size + 1)
    ]
    return [
        Window(
            passage,
            quote,
            terms=frozenset(terms(quote)),
            terms_above=terms_above,
            numbers=_numbers(f"{above}\n{quote}"),
        )
        for quote in quotes
    ]


def _numbers(text: str) -> frozenset[str]:
    return frozenset(_NUMBER.findall(text))


class Citer:
    """Takes an answer sentence by sentence, and keeps what the passages support.

    Support is the mean of two shares: the sentence's terms found in or above a window, and, of the
    terms that the question did not already contain, which are what the answer adds, those in the
    window itself. A number that stands in neither the window nor the question makes it 0.
    """

    def __init__(self, question: str, passages: Sequence[Passage]) -> None:
        self._windows = [window for passage in passages for window in windows(passage)]
        self._asked = frozenset(terms(question))
        self._asked_numbers = _numbers(question)
        self._cited: dict[str, tuple[Window, float]] = {}
        self._said: set[str] = set()

    @property
    def citations(self) -> tuple[Citation, ...]:
        """One citation a passage, numbered in the order of first use."""
        return tuple(
            Citation(number, window.passage, window.quote, round(support, 3))
            for number, (window, support) in enumerate(self._cited.values(), start=1)
        )

    def add(self, sentence: str) -> str | None:
        """The sentence with its citation's number, or None if it should not be said.

        Unsupported and repeated sentences are not said, nor those that would need more than
        `MAX_CITATIONS` passages. Markers that the model wrote itself are removed, and so are
        openings such as "Based on the passage,".
        """
        sentence = _capitalise(_PREAMBLE.sub("", _MARKER.sub("", sentence).strip()))
        if not sentence or sentence in self._said:
            return None
        window, support = self._best(sentence)
        if window is None or support < SUPPORT_THRESHOLD:
            return None
        key = window.passage.id
        if key not in self._cited and len(self._cited) == MAX_CITATIONS:
            return None
        self._said.add(sentence)
        if key not in self._cited or support > self._cited[key][1]:
            self._cited[key] = (window, support)
        gap = "" if _CJK_END.search(sentence) else " "
        return f"{sentence}{gap}[{[*self._cited].index(key) + 1}]"

    def support(self, sentence: str) -> float:
        """How well the best window supports a sentence, 0 to 1; its markers do not count."""
        return self._best(_MARKER.sub("", sentence))[1]

    def _best(self, sentence: str) -> tuple[Window | None, float]:
        said = frozenset(terms(sentence))
        numbers = _numbers(sentence) - self._asked_numbers
        added = said - self._asked or said
        best: Window | None = None
        best_support = 0.0
        for window in self._windows if said else ():
            if not numbers <= window.numbers:
                continue
            known = said & (window.terms | window.terms_above)
            support = (len(known) / len(said) + len(added & window.terms) / len(added)) / 2
            if support > best_support:
                best, best_support = window, support
        return best, best_support


def _capitalise(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


class CheckedStream:
    """Joins the pieces that a generator writes into sentences, and lets checked ones through."""

    def __init__(self, citer: Citer) -> None:
        self.citer = citer
        self._pending = ""
        self.text = ""

    def feed(self, piece: str) -> str:
        """What may be shown now: the sentences that this piece completed and that are supported."""
        self._pending += piece
        spans = sentence_spans(self._pending)
        # The last sentence may still be growing.
        return self._take(spans[:-1])

    def close(self) -> str:
        """What the end of the text completes."""
        return self._take(sentence_spans(self._pending))

    def _take(self, spans: Sequence[tuple[int, int]]) -> str:
        shown = ""
        done = 0
        for start, end in spans:
            gap = self._pending[done:start]
            done = end
            checked = self.citer.add(self._pending[start:end])
            if checked is not None:
                shown += _separator(gap, after=self.text + shown) + checked
        self._pending = self._pending[done:]
        self.text += shown
        return shown


def _separator(gap: str, *, after: str) -> str:
    if not after:
        return ""
    return "\n" * min(2, gap.count("\n")) or ("" if _CJK_END.search(after[:-3]) else " ")

"""What script a text is in, and where its sentences are."""

from __future__ import annotations

import re

CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
"""Kana, Han and Hangul, for use inside a regular expression's character class."""

_CJK_CHARACTER = re.compile(f"[{CJK}]")
_KANA = re.compile("[\u3040-\u30ff]")
_HANGUL = re.compile("[\uac00-\ud7af]")
_LATIN_WORD = re.compile(rf"[^\W\d_{CJK}]+")
_WORD = re.compile(rf"[^\W_{CJK}]+|[{CJK}]")

# A sentence ends at CJK stops, at . ! ? before white space, or at a line that ends a block. What
# is taken is never given back, so that no run of stops is looked at twice.
_SENTENCE = re.compile(
    r"""[^\n。！？!?.；]*+(?:
        (?P<wide>[。！？；]++[”’」』）"*_]*+) |
        [.!?]++["'”’)\]*_]*+ |
        \n++ |
        $)""",
    re.VERBOSE,
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|no|nr|dr|mr|mrs|ms|prof|st|approx|fig|inc|ltd|u\.s)|\b[A-Z])\.$",
    re.IGNORECASE,
)
_ABBREVIATION_CHARS = 10
_LIST_NUMBER = re.compile(r"\s*(?:\d+|[a-zA-Z])\.\s*")


def language_of(text: str) -> str:
    """The language of a text as a short code: `zh`, `ja`, `ko`, or `en` for everything else.

    A text is CJK when it has at least one CJK character for every two other words: technical
    Chinese is full of Latin names.
    """
    sample = text[:4000]
    characters = len(_CJK_CHARACTER.findall(sample))
    if characters * 2 < len(_LATIN_WORD.findall(sample)) or not characters:
        return "en"
    if len(_KANA.findall(sample)) * 10 > characters:
        return "ja"
    if len(_HANGUL.findall(sample)) * 2 > characters:
        return "ko"
    return "zh"


def words(text: str) -> list[str]:
    """Lower-case words in order; each CJK character counts as a word."""
    return _WORD.findall(text.lower())


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a text begin and end, white space trimmed, in order.

    Blocks (lines) end sentences too, so that a heading or a list item stands by itself.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _SENTENCE.finditer(text):
        end = match.end()
        if not (end >= len(text) or match["wide"] or _ends_sentence(match, start)):
            continue
        piece = text[start:end]
        stripped = piece.strip()
        if stripped:
            left = start + len(piece) - len(piece.lstrip())
            spans.append((left, left + len(stripped)))
        start = end
    return spans


def _ends_sentence(match: re.Match[str], start: int) -> bool:
    """Whether a stop or a line's end does; what has grown since `start` is not looked at again."""
    text, end = match.string, match.end()
    if text[end - 1] == "\n":
        return True
    if not text[end].isspace():
        return False
    is_number = match.start() == start and _LIST_NUMBER.fullmatch(text, start, end)
    last = text[max(start, end - _ABBREVIATION_CHARS) : end]
    return not is_number and not _ABBREVIATION.search(last)


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order."""
    return [text[start:end] for start, end in sentence_spans(text)]

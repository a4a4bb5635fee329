"""Where tokens are in a text, without a model's tokenizer: rather too many than too few."""

from __future__ import annotations

import re

from retrieval.language import CJK

# Tokenizers of today keep most short words of the Latin script whole, give two or three letters of
# Greek and Russian a token, and each Han character, digit and sign one of its own.
_TOKEN = re.compile(
    r"[A-Z]?(?:[a-z]{3}(?=[a-z]{6})|[a-z]{1,4})|[A-Z]{1,3}"
    rf"|[\u00c0-\u024f]|[{CJK}]"
    r"|[\u0370-\u052f]{1,2}"  # Greek and Cyrillic
    r"|\d|\n+|[ \t]{2,}|[^\s]"
)


def token_spans(text: str) -> list[tuple[int, int]]:
    """Where each token of the text begins and ends, in characters."""
    return [match.span() for match in _TOKEN.finditer(text)]


def count_tokens(text: str) -> int:
    """How many tokens a text takes at most; characters of rare scripts and emoji take several."""
    rare = sum(1 for char in text if "\u0530" <= char < "\u2000")
    pictures = sum(1 for char in text if char > "\uffff")
    return len(token_spans(text)) + rare + 2 * pictures

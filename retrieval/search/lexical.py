"""Finds passages by their words: BM25 over English stems and CJK character pairs."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import bm25s
import numpy as np
import numpy.typing as npt
import Stemmer

from retrieval.language import CJK

# bm25s sets its own logger to DEBUG when it is imported.
logging.getLogger("bm25s").setLevel(logging.WARNING)

LexicalScores = npt.NDArray[np.float32]
"""Shape (n,): one score for each passage of the index, 0 where no term of the query occurs."""

K1 = 1.5
B = 0.75

_RUN = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+")

STOP_WORDS = frozenset(
    _RUN.findall(
        "a an and are as at be been but by can could did do does for from had has have how i if in"
        " into is it its me my not of on or our s shall should so t than that the their them then"
        " there these they this those to was we were what when where which while who whom why will"
        " with would you your"
    )
)
"""Words too common in questions to tell one passage from another."""

_CJK_RUN = re.compile(rf"[{CJK}]")
_STEMMER = Stemmer.Stemmer("english")


def terms(text: str) -> list[str]:
    """What is looked up of a text, in order, repeats kept.

    Words are lower-cased, stemmed and left out where they are stop words; a run of CJK characters
    gives its overlapping pairs, since nothing marks where its words end. A run of one character
    stands by itself.
    """
    return list(_terms(unicodedata.normalize("NFKC", text).lower()))


def _terms(text: str) -> Iterator[str]:
    for run in _RUN.findall(text):
        if _CJK_RUN.match(run):
            yield from (run[i : i + 2] for i in range(max(1, len(run) - 1)))
        elif run not in STOP_WORDS:
            yield _stem(run)


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    stem: str = _STEMMER.stemWord(word)
    return stem


class LexicalIndex:
    """BM25 (the Lucene variant) over a fixed list of texts."""

    def __init__(self, bm25: bm25s.BM25 | None, size: int) -> None:
        self._bm25 = bm25  # None where no text has a term: BM25 is undefined over nothing
        self.size = size

    @classmethod
    def build(cls, texts: Sequence[str]) -> LexicalIndex:
        """An index of texts, whose rows are their places."""
        corpus = [terms(text) for text in texts]
        if not any(corpus):
            return cls(None, len(texts))
        bm25 = bm25s.BM25(k1=K1, b=B, method="lucene")
        bm25.index(corpus, create_empty_token=False, show_progress=False)
        return cls(bm25, len(texts))

    def scores(self, query: str) -> LexicalScores:
        """The BM25 score of every text; zeros if the texts know none of the query's terms."""
        known = self.known(query)
        if self._bm25 is None or not known:
            return np.zeros(self.size, dtype=np.float32)
        scores: LexicalScores = self._bm25.get_scores(known)
        return scores

    def known(self, query: str) -> list[str]:
        """Those terms of the query that occur in a text."""
        vocabulary = {} if self._bm25 is None else self._bm25.vocab_dict
        return [term for term in terms(query) if term in vocabulary]

    def save(self, folder: Path) -> None:
        """Write the index as arrays and JSON into a new folder; empty if it has no terms."""
        folder.mkdir()
        if self._bm25 is not None:
            self._bm25.save(folder, show_progress=False)

    @classmethod
    def load(cls, folder: Path, size: int) -> LexicalIndex:
        """Read what `save` wrote; `size` is the number of texts."""
        if not any(folder.iterdir()):
            return cls(None, size)
        return cls(bm25s.BM25.load(folder, show_progress=False), size)

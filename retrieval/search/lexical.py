"""Finds passages by their words: BM25 over English stems and CJK character pairs.

What is kept are counts, from which a score takes microseconds for each term. Scores themselves, as
bm25s keeps them, all change with any text, as they depend on how long and how many the texts are.
"""

from __future__ import annotations

import json
import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from math import log1p
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import Stemmer

from retrieval.language import CJK

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LexicalScores = npt.NDArray[np.float32]
"""Shape (n,): one score for each passage of the index, 0 where no term of the query occurs."""

Rows = npt.NDArray[np.int64]


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


def stems(words: Sequence[str]) -> list[str]:
    """What is looked up of each of some words in small Latin letters that are no stop words."""
    found: list[str] = _STEMMER.stemWords([*words])
    return found


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    stem: str = _STEMMER.stemWord(word)
    return stem


TERMS = "terms.json"


def rarity(size: int, occurring: int) -> float:
    """What a term that occurs in so many of `size` texts tells: Lucene's inverse frequency."""
    return log1p((size - occurring + 0.5) / (occurring + 0.5))


def bm25(
    counts: npt.NDArray[np.integer],
    lengths: npt.NDArray[np.integer],
    mean_length: float,
    weight: float,
) -> LexicalScores:
    """What a term of this rarity adds to texts in which it occurs so often; all of shape (n,)."""
    norms = (K1 * (1 - B + B * lengths / mean_length)).astype(np.float32)
    often = counts.astype(np.float32)
    scores: LexicalScores = np.float32(weight) * often / (often + norms)
    return scores


class Counts(NamedTuple):
    """How often terms occur, those of one term after another, as scipy keeps columns.

    Term i occurs `data[n]` times in text `indices[n]` for each n from `indptr[i]` to
    `indptr[i + 1]`, the latter not included.
    """

    data: npt.NDArray[np.uint16]
    indices: npt.NDArray[np.int32]
    indptr: npt.NDArray[np.int32]


class Among(NamedTuple):
    """The texts that there are to who asks: shape (n,), how many, and their mean length in terms.

    No other has a score, nor shows in how rare a term is and how long texts are.
    """

    is_there: npt.NDArray[np.bool_]
    size: int
    mean_length: float


class LexicalIndex:
    """BM25 (the Lucene variant) over a fixed list of texts."""

    def __init__(self, vocabulary: Sequence[str], counts: Counts, size: int) -> None:
        self.size = size
        self._terms = vocabulary
        self._number_of = {term: number for number, term in enumerate(vocabulary)}
        self._counts = counts
        self.lengths = np.bincount(counts.indices, counts.data, minlength=size)
        """Of each text, in terms."""
        self._mean_length = self.lengths.mean() if counts.data.size else 1.0

    @classmethod
    def build(cls, texts: Sequence[str]) -> LexicalIndex:
        """An index of texts, whose rows are their places."""
        no_counts = Counts(np.empty(0, np.uint16), np.empty(0, np.int32), np.zeros(1, np.int32))
        return cls((), no_counts, 0).with_texts(texts, np.full(len(texts), -1))

    def with_texts(self, texts: Sequence[str], was: Rows) -> LexicalIndex:
        """An index of other texts, some of which are known here, so that they need no look.

        Args:
            texts: What is indexed.
            was: The row that each text has here, -1 for one that is new.
        """
        from scipy.sparse import csc_array, vstack

        vocabulary, new = dict(self._number_of), np.flatnonzero(was < 0)
        counted = _counted((texts[row] for row in new.tolist()), vocabulary)
        known = csc_array(self._counts, shape=(self.size, len(self._terms))).tocsr()
        known.resize(self.size, len(vocabulary))
        rows = was.copy()
        rows[new] = self.size + np.arange(new.size)
        counts = vstack([known, counted], format="csr")[rows].tocsc()
        # Terms that occur no more would make others look rare.
        occur = np.flatnonzero(np.diff(counts.indptr)).tolist()
        found = list(vocabulary)
        held = Counts(counts.data, counts.indices, np.unique(counts.indptr))
        return LexicalIndex([found[number] for number in occur], held, len(texts))

    def scores(self, query: str, among: Among | None = None) -> LexicalScores:
        """The BM25 score of every text, or of those given; zeros if they know none of its terms."""
        scores: LexicalScores = np.zeros(self.size, dtype=np.float32)
        size, mean = (among.size, among.mean_length) if among else (self.size, self._mean_length)
        for term in self.known(query):
            number = self._number_of[term]
            own = slice(*self._counts.indptr[number : number + 2].tolist())
            rows, counts = self._counts.indices[own], self._counts.data[own]
            if among is not None:
                is_there = among.is_there[rows]
                rows, counts = rows[is_there], counts[is_there]
            scores[rows] += bm25(counts, self.lengths[rows], mean, rarity(size, rows.size))
        return scores

    def rows_with(self, term: str) -> Rows:
        """The texts that have a term, as `terms` gives it."""
        number = self._number_of.get(term)
        if number is None:
            return np.empty(0, np.int64)
        own = slice(*self._counts.indptr[number : number + 2].tolist())
        return self._counts.indices[own].astype(np.int64)

    def known(self, query: str) -> list[str]:
        """Those terms of the query that occur in a text."""
        return [term for term in terms(query) if term in self._number_of]

    def save(self, folder: Path) -> None:
        """Write the index as arrays and JSON into a new folder."""
        folder.mkdir()
        for name, held in self._counts._asdict().items():
            np.save(folder / f"{name}.npy", held, allow_pickle=False)
        (folder / TERMS).write_text(json.dumps(self._terms, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, size: int) -> LexicalIndex:
        """Read what `save` wrote; `size` is the number of texts."""
        found = json.loads((folder / TERMS).read_text(encoding="utf-8"))
        paths = (folder / f"{name}.npy" for name in Counts._fields)
        return cls(found, Counts(*(np.load(path, allow_pickle=False) for path in paths)), size)


def _counted(texts: Iterable[str], vocabulary: dict[str, int]) -> csr_array:
    """How often each text has each term; terms that are new get the next numbers."""
    from scipy.sparse import csr_array

    numbers, starts = array("i"), [0]
    for text in texts:
        numbers.extend(vocabulary.setdefault(term, len(vocabulary)) for term in terms(text))
        starts.append(len(numbers))
    every = np.frombuffer(numbers, np.int32) if numbers else np.empty(0, np.int32)
    ones = np.ones(every.size, np.uint16)
    counted = csr_array((ones, every, starts), shape=(len(starts) - 1, len(vocabulary)))
    counted.sum_duplicates()
    return counted

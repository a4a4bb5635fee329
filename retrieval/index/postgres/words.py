"""Terms as the index in Postgres keeps them, and the passages that they are in."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from retrieval.index.scope import Rows
from retrieval.search.fusion import Floats
from retrieval.search.lexical import bm25, terms

LONGEST = 200
"""So many characters of a term are kept: a row of an index of Postgres has 2,700 bytes at most."""

POSTING = np.dtype([("number", "<i4"), ("count", "<u2"), ("length", "<u2")])
"""A passage that has a term, how often, and how many terms it has in all."""

MOST = 2**16 - 1
"""The largest number of terms that is told apart from larger ones."""


def keys(text: str) -> list[str]:
    """The terms of a text, as `terms`; a digest stands for what is too long to be looked up."""
    return [term if len(term) <= LONGEST else _digest(term) for term in terms(text)]


def _digest(term: str) -> str:
    return hashlib.sha256(term.encode()).hexdigest()


def packed_postings(posted: array[int]) -> bytes:
    """An array of `POSTING`, of number, count and length again and again."""
    number, count, length = np.frombuffer(posted, np.intc).reshape(-1, 3).T
    postings = np.empty(number.size, POSTING)
    postings["number"], postings["count"], postings["length"] = number, count, length
    return postings.tobytes()


def only(packed: bytes, alive: Rows) -> bytes:
    """Those postings whose passages are there."""
    postings = np.frombuffer(packed, POSTING)
    return postings[np.isin(postings["number"], alive)].tobytes()


class Scored(NamedTuple):
    """Passages that have a term of a query, ascending, and their BM25; both of shape (n,)."""

    numbers: Rows
    bm25: Floats

    @classmethod
    def of(cls, postings: Sequence[tuple[bytes, float]], mean_length: float) -> Scored:
        """The sum over some terms, of each its packed postings and its weight."""
        if not postings:
            return cls(np.empty(0, np.int64), np.empty(0, np.float32))
        found = [np.frombuffer(packed, POSTING) for packed, _ in postings]
        scores = [
            bm25(of["count"], of["length"], mean_length, weight)
            for of, (_, weight) in zip(found, postings, strict=True)
        ]
        numbers = np.concatenate([of["number"] for of in found])
        numbers, places = np.unique(numbers, return_inverse=True)
        sums = np.bincount(places, np.concatenate(scores))
        return cls(numbers.astype(np.int64), sums.astype(np.float32))

    def among(self, rows: Rows) -> Scored:
        """Only those that are in `rows`."""
        is_there = np.isin(self.numbers, rows, assume_unique=True)
        return Scored(self.numbers[is_there], self.bm25[is_there])

    def best(self, most: int) -> Rows:
        """At most so many of them, best first."""
        top = np.arange(self.numbers.size)
        if most < top.size:
            top = np.argpartition(-self.bm25, most)[:most]
        return self.numbers[top[np.argsort(-self.bm25[top], kind="stable")]]

    def at(self, rows: Rows) -> Floats:
        """The BM25 of some passages, 0 of those that have no term."""
        if not self.numbers.size:
            return np.zeros(rows.size, np.float32)
        places = np.searchsorted(self.numbers, rows).clip(max=self.numbers.size - 1)
        return np.where(self.numbers[places] == rows, self.bm25[places], np.float32(0))

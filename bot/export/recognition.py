"""Recognises passages that came with imported ratings among those that are indexed.

Another system cuts documents elsewhere and writes titles in another way, so that the same words
have another content hash.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from retrieval.examples import PassageText
from retrieval.records import Passage
from retrieval.search.lexical import terms

RUN = 6
"""So many terms in a row are compared: fewer are in other passages too."""

SHARED = 0.8
"""Of the runs of the shorter of two passages, so many must be in the longer one."""


def recognised(
    imported: Mapping[str, PassageText], passages: Iterable[Passage]
) -> dict[str, Passage]:
    """The indexed passage that shares most words with each imported one; by its content hash.

    What is like none is left out.
    """
    places: dict[tuple[str, ...], set[str]] = defaultdict(set)
    lengths: dict[str, int] = {}
    for digest, snippet in imported.items():
        found = _runs(snippet.text)
        lengths[digest] = len(found)
        for run in found:
            places[run].add(digest)
    best: dict[str, tuple[int, Passage]] = {}
    for passage in passages:
        runs = _runs(passage.text)
        shared = Counter(digest for run in runs for digest in places.get(run, ()))
        for digest, count in shared.items():
            is_same = count >= SHARED * min(len(runs), lengths[digest])
            if is_same and count > best.get(digest, (0, passage))[0]:
                best[digest] = (count, passage)
    return {digest: passage for digest, (_, passage) in best.items()}


def _runs(text: str) -> set[tuple[str, ...]]:
    words = terms(text)
    return {tuple(words[i : i + RUN]) for i in range(max(1, len(words) - RUN + 1))}

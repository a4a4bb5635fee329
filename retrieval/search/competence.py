"""Finds out, without any judged question, how well an embedder knows the languages of a corpus.

A sentence is taken out of a passage and searched for: the rest of its passage should be found.
BM25 needs no training to do this in any language, so it is the yardstick. An embedder finds 0.7 to
1.1 times as well as BM25 in the languages it was trained on (the sentence's own words flatter
BM25), and 0.2 to 0.4 times in the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from retrieval.language import sentences, words
from retrieval.records import Passage, Vectors
from retrieval.search.lexical import LexicalIndex

if TYPE_CHECKING:
    from retrieval.search.embedding import Embedder

FEWEST_PROBES, MOST_PROBES = 16, 32
PASSAGES_PER_PROBE = 30
"""Keeps the probes under a few percent of the embedding of a corpus that is not small."""

POOL = 5_000
"""Passages among which the rest must be found, at most."""

PRIOR = 4
"""Probes' worth of belief that both legs do equally well."""

FULL = 2 / 3
"""From this share of BM25's success on, an embedder counts as fully competent."""

PROBE_WORDS = range(5, 61)


@dataclass(frozen=True, slots=True)
class Probe:
    """A sentence and the passage that it was taken out of, by its row."""

    row: int
    sentence: str
    rest: Passage


def competences(
    passages: Sequence[Passage], vectors: Vectors, embedder: Embedder
) -> dict[str, float]:
    """The embedder's competence, 0 to 1, in each language that passages are in.

    Args:
        passages: The corpus.
        vectors: What the embedder made of the passages, a row for each.
        embedder: Embeds the probes.
    """
    rows: dict[str, list[int]] = {}
    for row, passage in enumerate(passages):
        rows.setdefault(passage.source.language, []).append(row)
    return {
        language: _competence([passages[row] for row in own], vectors[own], embedder)
        for language, own in sorted(rows.items())
    }


def _competence(passages: Sequence[Passage], vectors: Vectors, embedder: Embedder) -> float:
    random = Random(0)
    order = random.sample(range(len(passages)), min(POOL, len(passages)))
    pool, pool_vectors = [passages[row] for row in order], vectors[order]
    probes = _probes(pool, random)
    if not probes:
        return 1.0
    for probe in probes:
        pool[probe.row] = probe.rest
    pool_vectors[[probe.row for probe in probes]] = embedder.embed_passages(
        [probe.rest.indexed_text for probe in probes]
    )
    lexical = LexicalIndex.build([passage.indexed_text for passage in pool])
    queries = embedder.embed_queries([probe.sentence for probe in probes])
    found = wanted = PRIOR / 2
    for probe, query in zip(probes, queries, strict=True):
        found += _reciprocal_rank(pool_vectors @ query, probe.row)
        wanted += _reciprocal_rank(lexical.scores(probe.sentence), probe.row)
    return min(1.0, found / wanted / FULL)


def _probes(pool: Sequence[Passage], random: Random) -> list[Probe]:
    count = min(MOST_PROBES, max(FEWEST_PROBES, len(pool) // PASSAGES_PER_PROBE))
    probes: list[Probe] = []
    for row, passage in enumerate(pool):
        if len(probes) == count:
            break
        found = [said for said in sentences(passage.text) if len(words(said)) in PROBE_WORDS]
        if len(found) > 1:
            sentence = random.choice(found)
            rest = replace(passage, text=passage.text.replace(sentence, " ", 1))
            probes.append(Probe(row, sentence, rest))
    return probes


def _reciprocal_rank(scores: Vectors, row: int) -> float:
    # Ties count against the row: a leg that tells nothing apart has found nothing.
    return 1 / int((scores >= scores[row]).sum())

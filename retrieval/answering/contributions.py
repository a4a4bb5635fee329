"""How much each cited passage contributed to an answer, measured by leaving it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.answering.citations import Citer
from retrieval.language import sentence_spans
from retrieval.records import Answer, Citation, Passage


@dataclass(frozen=True, slots=True)
class Contribution:
    """`share` is how much of the answer's support, 0 to 1, is lost without the cited passage."""

    citation: Citation
    share: float


def contributions(answer: Answer) -> tuple[Contribution, ...]:
    """The contribution of each citation, in their order; none for an abstention.

    An answer's support is the mean over its sentences of how well the best passage supports each.
    The shares need not add up to 1: what stands in two passages is lost without neither. This
    looks at the texts alone, so it tells where the answer stands, not how a model came to it.
    """
    cited = {citation.passage.id: citation.passage for citation in answer.citations}
    # Without an embedder a passage in another language is only known by its numbers and names.
    languages = {passage.source.language for passage in cited.values()}
    hits = [hit.passage for hit in answer.hits if hit.passage.source.language in languages]
    passages = {passage.id: passage for passage in hits} | cited
    sentences = [answer.text[start:end] for start, end in sentence_spans(answer.text)]
    whole = _support(answer.query, sentences, list(passages.values()))
    return tuple(
        Contribution(citation, _lost(answer.query, sentences, passages, citation, whole))
        for citation in answer.citations
    )


def _lost(
    query: str,
    sentences: Sequence[str],
    passages: dict[str, Passage],
    citation: Citation,
    whole: float,
) -> float:
    others = [passage for id_, passage in passages.items() if id_ != citation.passage.id]
    return round(1 - _support(query, sentences, others) / whole, 3) if whole else 0.0


def _support(query: str, sentences: Sequence[str], passages: Sequence[Passage]) -> float:
    citer = Citer(query, passages)
    supports = [citer.support(sentence) for sentence in sentences]
    return sum(supports) / max(1, len(supports))

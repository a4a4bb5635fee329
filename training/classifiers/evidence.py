"""What people's ratings say of answers, as rows to fit a judge on and to try one with."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from retrieval.answering.judge import JUDGED_HITS
from retrieval.examples import Example
from retrieval.index.searcher import Searcher
from retrieval.records import Hit, Passage
from training.classifiers.judge_fit import JudgeRow, chance_cosines
from training.data.labelled_queries import LabelledQuery, labelled_queries

RATINGS = "ratings"
DOCUMENTS = "documents"


def rows_of(examples: Sequence[Example], searcher: Searcher, *, read: int) -> list[JudgeRow]:
    """What search finds for each rated question, and whether an answer from it would be right.

    A rated answer counts as people rated it, as if its own passages had been found first; only
    if they still are is the row current. A question whose passage is known counts twice: as it
    is, where the answer is right if the passage is among the first hits; and with the documents
    that answer it left out, where no answer can be right although everything near it is there. A
    question that is to be declined has no right answer.

    Args:
        examples: Those made from documents alone are left out: nobody asked their questions.
        searcher: Of the passages that the answers came from; what is gone from it is left out.
        read: From how many hits answers are made.
    """
    asked = [example for example in examples if example.source != "synthetic"]
    passages = searcher.index.passages
    documents = list(_documents(labelled_queries(asked, passages), searcher, read))
    return documents + list(_ratings(asked, searcher))


def _documents(
    queries: Sequence[LabelledQuery], searcher: Searcher, read: int
) -> Iterator[JudgeRow]:
    chances = chance_cosines([query.question for query in queries], searcher)
    passages = searcher.index.passages
    for query, chance in zip(queries, chances, strict=True):
        question, hits = query.question, searcher.search(query.question, k=JUDGED_HITS)
        answering = [passages[row] for row in query.rows]
        ids = {passage.id for passage in answering}
        is_found = any(hit.passage.id in ids for hit in hits[:read])
        yield JudgeRow(question, DOCUMENTS, question, tuple(hits), chance, is_found)
        if answering:
            others = tuple(without(hits, {passage.source.id for passage in answering}))
            yield JudgeRow(f"{question} (left out)", DOCUMENTS, question, others, chance, False)


def _ratings(examples: Sequence[Example], searcher: Searcher) -> Iterator[JudgeRow]:
    known = {passage.content_hash: passage for passage in searcher.index.passages}
    rated = []
    for example in examples:
        hashes = [passage.content_hash for passage in example.passages]
        shown = [known[digest] for digest in hashes if digest in known]
        if example.kind == "judgement" and shown:
            rated.append((example, shown))
    chances = chance_cosines([example.question for example, _ in rated], searcher)
    for (example, shown), chance in zip(rated, chances, strict=True):
        hits = searcher.search(example.question, k=JUDGED_HITS)
        leading = led_by(hits, shown)
        yield JudgeRow(
            f"{example.question} {shown[0].content_hash}",
            RATINGS,
            example.question,
            tuple(leading),
            chance,
            example.is_good,
            weight=example.weight,
            is_current=hits[:1] == leading[:1],
        )


def without(hits: Sequence[Hit], documents: Collection[str]) -> list[Hit]:
    """The hits as they would be without some documents: the others move up in both legs."""
    kept = [hit for hit in hits if hit.passage.source.id not in documents]
    dense = _places([hit.dense_rank for hit in kept])
    lexical = _places([hit.lexical_rank for hit in kept])
    return [
        replace(
            hit, dense_rank=dense.get(hit.dense_rank), lexical_rank=lexical.get(hit.lexical_rank)
        )
        for hit in kept
    ]


def led_by(hits: Sequence[Hit], shown: Sequence[Passage]) -> list[Hit]:
    """The hits with those first, in their order, that an answer was made from.

    A passage that search no longer finds comes with neither cosine nor rank.
    """
    found = {hit.passage.id: hit for hit in hits}
    first = [found.get(passage.id, Hit(passage, 0.0)) for passage in shown]
    leading = {hit.passage.id for hit in first}
    return [*first, *(hit for hit in hits if hit.passage.id not in leading)]


def _places(ranks: Sequence[int | None]) -> dict[int | None, int]:
    known = sorted(rank for rank in ranks if rank is not None)
    return {rank: place for place, rank in enumerate(known, start=1)}

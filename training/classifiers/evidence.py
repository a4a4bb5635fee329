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
    named = {passage.content_hash for example in examples for passage in example.passages}
    known = {p.content_hash: p for p in searcher.index.passages if p.content_hash in named}
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


def answered(examples: Sequence[Example], searcher: Searcher, *, read: int) -> list[JudgeRow]:
    """What search finds for each question whose answer people spoke of, once each.

    `is_answerable` tells whether an answer from these hits is right, as far as people say it of an
    answer that would still be given: one of its passages is among the hits that are read. What an
    expert wrote instead of an answer makes that wrong; where the bot had been silent it was wrong
    to be so if the expert's passage is among those hits. No passage is blamed for an answer.

    Args:
        examples: Those made from documents alone are left out.
        searcher: Of the passages that the answers came from.
        read: From how many hits answers are made.
    """
    said = _said(examples)
    chances = chance_cosines([example.question for example in said], searcher) if said else []
    rows = []
    for example, chance in zip(said, chances, strict=True):
        hits = tuple(searcher.search(example.question, k=JUDGED_HITS))
        is_right = _is_right(example, frozenset(h.passage.content_hash for h in hits[:read]))
        if is_right is not None and hits:
            row = JudgeRow(example.question, RATINGS, example.question, hits, chance, is_right)
            rows.append(replace(row, weight=example.weight))
    return rows


def _is_right(example: Example, found: frozenset[str]) -> bool | None:
    """Whether an answer from what is found now is right; None if people spoke of another one."""
    shown = [passage.content_hash for passage in example.passages]
    if example.kind == "answer":
        return False
    if example.kind == "preference":
        return None if found.isdisjoint(shown) else False
    is_found = bool(shown) and shown[0] in found
    if example.kind == "pair":
        return is_found
    return example.is_good if is_found else None


def rated_questions(examples: Sequence[Example]) -> int:
    """Of how many questions people said whether an answer, or silence, was right."""
    return len(_said(examples))


def _said(examples: Sequence[Example]) -> list[Example]:
    """The example that says most of each question's answer."""
    kept: dict[str, Example] = {}
    for example in sorted(examples, key=lambda example: (_says(example), example.weight)):
        if _says(example):
            kept[example.question] = example
    return list(kept.values())


def _says(example: Example) -> int:
    """How much an example says of whether the bot's own answer was right; 0 if nothing."""
    is_about = {
        "judgement": True,
        "pair": example.source == "correction",
        "answer": not example.is_good,
        "preference": True,
    }
    is_asked = example.source != "synthetic" and is_about.get(example.kind, False)
    return list(is_about).index(example.kind) + 1 if is_asked else 0


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

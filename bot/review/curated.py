"""Answers that an expert has approved, given again to who asks the same."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bot.asking.disclosure import CURATED
from bot.asking.questions import AnswerService
from bot.review.document_lookup import DocumentLookup, Held
from bot.review.matching import Likeness, is_same
from bot.slack.audience import of_documents
from bot.store.database import Database
from bot.store.log import utc
from bot.store.outdated import Outdated
from bot.store.reviews import Review
from bot.store.turns import DocumentRef
from retrieval.answering.addresses import sanitise_answer
from retrieval.answering.questions import standalone
from retrieval.answering.triage import QueryEmbedder
from retrieval.language import language_of, sentences, words
from retrieval.linking import ANY_HOST, LinkRules
from retrieval.records import (
    Answer,
    AnswerRequest,
    Citation,
    Demonstration,
    Hit,
    Passage,
    Vectors,
)

MAX_QUESTION_CHARS = 500
"""Longer questions say too much to be the same as another one."""

NEAR = 0.5
"""The least likeness of a question whose approved answer shows a model how to answer: of a hundred
pairs of questions that have nothing to do with each other, one is so alike."""

MAX_NEAR = 5
"""More than any model is shown: what is too long leaves room for others."""


@dataclass(frozen=True, slots=True)
class CuratedAnswer:
    """An approved answer to a question, for who may read all of `audience`.

    It holds as long as its document holds the passage. `author` is the name of who wrote it.
    """

    id: int
    question: str
    answer: str
    audience: frozenset[str]
    document: DocumentRef | None
    author: str | None


@dataclass(frozen=True, slots=True)
class Match:
    """A curated answer that fits a question, its passage and how alike the questions are.

    `held` are the documents among which the passage was found.
    """

    curated: CuratedAnswer
    passage: Passage | None
    likeness: float
    held: Held

    @property
    def demonstration(self) -> Demonstration:
        """What a model that answers the question may be shown."""
        curated = self.curated
        label = {self.passage.source.audience} if self.passage else set()
        return Demonstration(curated.question, curated.answer, curated.audience | label)


class CuratedAnswers:
    """Keeps curated answers and finds the one for a question."""

    def __init__(self, database: Database, documents: DocumentLookup) -> None:
        self._database = database
        self._documents = documents
        self._outdated = Outdated(database)
        self._likeness: Likeness | None = None

    def add(self, review: Review, *, reviewer: str, author_name: str | None) -> int:
        """Serve a review's answer from now on; its id. Doing it again changes nothing."""
        proposal = review.proposal
        embedder = self._documents.embedder
        vector = embedder.embed_queries([proposal.question])
        row = {
            "review_id": review.id,
            "turn_id": proposal.turn_id,
            "question": proposal.question,
            "language": language_of(proposal.question),
            "answer": proposal.answer,
            "document_id": proposal.document.document_id if proposal.document else None,
            "content_hash": proposal.document.content_hash if proposal.document else None,
            "audience": json.dumps(
                sorted(proposal.audience | self._audience_of(proposal.document))
            ),
            "author": proposal.author,
            "author_name": author_name,
            "reviewer": reviewer,
            "embedder": embedder.id,
            "vector": vector[0].astype("<f4").tobytes(),
            "created": utc(time.time()),
        }
        with self._database.transaction() as db:
            db.table("curated").insert(row, ignore=True)
            found = db.execute("SELECT id FROM curated WHERE review_id = ?", (review.id,))
            return int(found.fetchone()[0])

    def retire(self, review_id: int) -> None:
        """Give a review's answer to nobody any more."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE curated SET expired = ? WHERE review_id = ? AND expired IS NULL",
                (utc(time.time()), review_id),
            )

    def latest(self) -> int:
        """The id of the newest curated answer; 0 if there is none."""
        row = self._database.connection.execute("SELECT max(id) FROM curated").fetchone()
        return int(row[0] or 0)

    def match(self, request: AnswerRequest) -> Match | None:
        """The curated answer for a question, of those that `near` finds."""
        return same_as(request.text, self.near(request))

    def near(self, request: AnswerRequest) -> list[Match]:
        """The curated answers to questions in a question's language that are the same, or alike.

        The latest of the same come first. All are such as the audience may read. The question must
        stand by itself. Where its sources are given, an answer must rest on a document whose id
        begins with one of them. A curated answer whose document has changed is found out here and
        expires.
        """
        question, language = request.text, language_of(request.text)
        if len(question) > MAX_QUESTION_CHARS or request.language not in (None, language):
            return []
        rows = [row for row in self._active(language) if _fits(row, request)]
        if not rows:
            return []
        held, near = self._documents.held(), []
        for row, likeness in self._alike(question, rows, held.embedder):
            curated = _curated(row)
            passage = held.passages.get(curated.document) if curated.document else None
            if passage is None and curated.document is not None:
                self._expire(curated.id)
            elif passage is None or passage.source.audience in request.audience:
                near.append(Match(curated, passage, likeness, held))
        return near

    def outdated(self) -> Mapping[str, str]:
        """The documents that stand lower, as `AnswerRequest` has them."""
        return self._outdated.lowered()

    def _audience_of(self, document: DocumentRef | None) -> set[str]:
        passage = self._documents.held().passages.get(document) if document else None
        return {passage.source.audience} if passage else set()

    def _active(self, language: str) -> list[dict[str, Any]]:
        return list(
            self._database.connection.query(
                "SELECT * FROM curated WHERE expired IS NULL AND language = ? ORDER BY id DESC",
                (language,),
            )
        )

    def _alike(
        self, question: str, rows: Sequence[dict[str, Any]], embedder: QueryEmbedder
    ) -> list[tuple[dict[str, Any], float]]:
        """The rows whose question is near, and how alike they are: the same first, newest first."""
        usual = self._likeness
        if usual is None or usual.embedder is not embedder:
            self._likeness = usual = Likeness(embedder)
        asked = embedder.embed_queries([question])
        values = usual.of(asked, self._vectors(rows, embedder), language_of(question))
        near = [(row, float(v)) for row, v in zip(rows, values, strict=True) if v >= NEAR]
        same = [n for n, (row, v) in enumerate(near) if is_same(question, row["question"], v)]
        nearest = sorted(range(len(near)), key=lambda n: -near[n][1])[:MAX_NEAR]
        return [near[n] for n in dict.fromkeys([*same, *nearest])]

    def _vectors(self, rows: Sequence[dict[str, Any]], embedder: QueryEmbedder) -> Vectors:
        """What an embedder makes of the rows' questions; written down if it is new."""
        stale = [row for row in rows if row["embedder"] != embedder.id]
        if stale:
            vectors = embedder.embed_queries([row["question"] for row in stale])
            with self._database.transaction() as db:
                for row, vector in zip(stale, vectors, strict=True):
                    row["vector"] = vector.astype("<f4").tobytes()
                    change = {"embedder": embedder.id, "vector": row["vector"]}
                    db.table("curated").update(change, id=row["id"])
        return np.stack([np.frombuffer(row["vector"], "<f4") for row in rows])

    def _expire(self, curated_id: int) -> None:
        with self._database.transaction() as db:
            db.table("curated").update({"expired": utc(time.time())}, id=curated_id)


def same_as(question: str, near: Sequence[Match]) -> Match | None:
    """The first of the curated answers that is one to this very question."""
    same = (match for match in near if is_same(question, match.curated.question, match.likeness))
    return next(same, None)


class CuratedAnswerer:
    """Gives the curated answer where there is one, and asks another answerer where there is not.

    That one is told the curated answers to questions near this one, and what is outdated.
    Of the addresses in a curated answer it keeps those that its document has and `links` lets.
    """

    def __init__(
        self, curated: CuratedAnswers, answerer: AnswerService, *, links: LinkRules = ANY_HOST
    ) -> None:
        self._curated = curated
        self._answerer = answerer
        self._links = links

    def answer(
        self,
        request: AnswerRequest,
        *,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Answer:
        """As `AnswerService.answer`."""
        began = time.perf_counter()
        question = " ".join(request.text.split())
        query = standalone(question, request.history)
        near = self._curated.near(replace(request, text=query))
        match = same_as(query, near)
        if match is None:
            request = replace(
                request,
                audience=of_documents(request.audience),
                demonstrations=demonstrations(near),
                outdated=self._curated.outdated(),
            )
            return self._answerer.answer(request, on_text=on_text, should_stop=should_stop)
        answer = self._card(match, question, query, time.perf_counter() - began)
        if on_text is not None:
            on_text(answer.text)
        return answer

    def _card(self, match: Match, question: str, query: str, seconds: float) -> Answer:
        curated = match.curated
        citations = (_citation(match.passage, curated.answer),) if match.passage else ()
        text = f"{curated.answer} [1]" if citations else curated.answer
        return Answer(
            id=uuid.uuid4().hex[:12],
            question=question,
            query=query,
            kind="answer",
            text=sanitise_answer(text, citations, self._links),
            language=language_of(question),
            confidence=round(min(1.0, match.likeness), 4),
            citations=citations,
            hits=(Hit(match.passage, match.likeness),) if match.passage else (),
            method="curated",
            generator=f"{CURATED}{curated.id}",
            embedder=match.held.embedder.id,
            generation=match.held.generation,
            timings={"total": round(seconds, 4)},
            author=curated.author,
        )


def demonstrations(near: Sequence[Match]) -> tuple[Demonstration, ...]:
    """What is shown to a model of curated answers near a question, the most alike first."""
    nearest = sorted(near, key=lambda match: -match.likeness)
    return tuple(match.demonstration for match in nearest[:MAX_NEAR])


def _fits(row: dict[str, Any], request: AnswerRequest) -> bool:
    is_allowed = request.audience.issuperset(json.loads(row["audience"]))
    sources = tuple(request.sources)
    return is_allowed and (not sources or (row["document_id"] or "").startswith(sources))


def _curated(row: dict[str, Any]) -> CuratedAnswer:
    document = DocumentRef(row["document_id"], row["content_hash"]) if row["document_id"] else None
    return CuratedAnswer(
        id=row["id"],
        question=row["question"],
        answer=row["answer"],
        audience=frozenset(json.loads(row["audience"])),
        document=document,
        author=row["author_name"],
    )


def _citation(passage: Passage, answer: str) -> Citation:
    """The sentence of the passage that shares most words with the answer."""
    said = set(words(answer))

    def share(sentence: str) -> float:
        held = set(words(sentence))
        return len(said & held) / max(1, len(said | held))

    quote = max(sentences(passage.text), key=share, default=passage.text)
    return Citation(1, passage, quote, round(share(quote), 4))

"""How well search and answering do on a folder of judged questions."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, TypeVar

from retrieval.answering.questions import standalone
from retrieval.evaluation.dataset import Dataset, Query, ReferenceAnswer
from retrieval.evaluation.metrics import auroc, ndcg, precision, recall, reciprocal_rank, token_f1
from retrieval.language import language_of
from retrieval.progress import Progress
from retrieval.records import Answer, AnswerRequest, Document, Message, Section
from retrieval.settings import Settings

if TYPE_CHECKING:
    from retrieval.index.library import Library
    from retrieval.search.embedding import Embedder

T = TypeVar("T")

DEPTH = 10
"""Rankings are judged to this rank, as the metrics' names say."""

CANDIDATES = 50
"""Passages searched for one ranking: a long document may hold several of the best."""

_AT_ONCE = 8
"""Questions answered at the same time, as a busy workspace would ask them."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What search found for one query: ids of documents, best first, each once."""

    query: str
    language: str
    ranked: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class EvaluatedAnswer:
    """What was answered to one question, beside what people would answer."""

    id: str
    language: str
    question: str
    kind: str
    method: str
    text: str
    confidence: float
    cited: tuple[str, ...]
    expected: tuple[str, ...]
    is_unanswerable: bool
    relevant: tuple[str, ...]
    f1: float
    seconds: float


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One line of the table: a data set's questions in one language.

    Rankings are over the queries that have relevant documents. `f1` counts an abstention as 0;
    `citation_precision` is over the answers given to answerable questions, `citation_recall` over
    all answerable ones. `auroc` is that of the confidence for "this is answerable".
    """

    data: str
    language: str
    queries: int
    ndcg: float
    recall: float
    mrr: float
    search_s: float
    questions: int = 0
    f1: float = math.nan
    citation_precision: float = math.nan
    citation_recall: float = math.nan
    auroc: float = math.nan
    false_answers: float = math.nan
    false_abstentions: float = math.nan
    answer_s: float = math.nan


def build_library(
    dataset: Dataset, settings: Settings, embedder: Embedder, on_progress: Progress
) -> Library:
    """Index a data set's documents in an evaluation folder of the home folder.

    The index of last time is used again if neither the documents nor the recipe changed.
    """
    from retrieval.documents.splitting import SPLITTER_VERSION, split
    from retrieval.index.content import Content
    from retrieval.index.generation import write_generation
    from retrieval.index.library import Library
    from retrieval.index.manifest import Recipe
    from retrieval.registry.folders import publish, served

    most = min(settings.passage_tokens, embedder.max_tokens)
    recipe = Recipe(embedder.id, embedder.revision, SPLITTER_VERSION, most, {})
    documents = [
        Document(passage.source, (Section(passage.text, 0),)) for passage in dataset.passages
    ]
    known_as = [(document.source.id, document.source.sha256) for document in documents]
    key = hashlib.sha256(json.dumps([asdict(recipe), known_as]).encode()).hexdigest()[:12]
    home = settings.home / "evaluations" / f"{dataset.name}-{key}"
    own = settings.apart(home)
    if served(own.index_folder) is None:
        passages = [
            passage
            for document in documents
            for passage in split(document, token_spans=embedder.token_spans, max_tokens=most)
        ]
        vectors = embedder.embed_passages(
            [passage.indexed_text for passage in passages],
            on_batch=lambda done: on_progress("embedding", done, len(passages)),
        )
        sources = [document.source for document in documents]
        content = Content(sources, passages, (), vectors)
        manifest = write_generation(
            own.index_folder, content, recipe=recipe, roots=(), embedder=embedder
        )
        publish(own.index_folder, manifest.name)
    return Library.load(own, embedder)


def spread(items: Sequence[T], limit: int | None) -> Sequence[T]:
    """At most `limit` of the items, evenly spread over their order."""
    if limit is None or limit >= len(items):
        return items
    return [items[i * len(items) // limit] for i in range(limit)]


def rank(queries: Sequence[Query], library: Library, on_progress: Progress) -> list[Ranking]:
    """Search every query; a document stands where its best passage stands."""
    searcher = library.searcher()
    rankings = []
    for done, query in enumerate(queries, start=1):
        began = time.perf_counter()
        hits = searcher.search(standalone(query.text, asked_before(query)), k=CANDIDATES)
        seconds = time.perf_counter() - began
        ranked = dict.fromkeys(hit.passage.source.id for hit in hits)
        rankings.append(Ranking(query.id, query.language, tuple(ranked)[:DEPTH], seconds))
        on_progress("searching", done, len(queries))
    return rankings


def asked_before(asked: Query | ReferenceAnswer) -> list[Message]:
    """The thread that a question was asked in."""
    return [Message("user", text) for text in asked.history]


def reply(
    references: Sequence[ReferenceAnswer],
    answer: Callable[[AnswerRequest], Answer],
    on_progress: Progress,
) -> list[EvaluatedAnswer]:
    """Answer every question, several at once, and compare with what people would answer."""
    replies = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        requests = [
            AnswerRequest(reference.question, history=asked_before(reference))
            for reference in references
        ]
        answers = pool.map(answer, requests)
        for done, (reference, given) in enumerate(zip(references, answers, strict=True), start=1):
            replies.append(_compare(reference, given))
            on_progress("answering", done, len(references))
    return replies


def _compare(reference: ReferenceAnswer, given: Answer) -> EvaluatedAnswer:
    said = without_markers(given) if given.kind == "answer" else ""
    return EvaluatedAnswer(
        id=reference.id,
        language=language_of(reference.question),
        question=reference.question,
        kind=given.kind,
        method=given.method,
        text=given.text,
        confidence=given.confidence,
        cited=tuple(dict.fromkeys(c.passage.source.id for c in given.citations)),
        expected=reference.answers,
        is_unanswerable=reference.is_unanswerable,
        relevant=reference.passages,
        f1=max((token_f1(said, expected) for expected in reference.answers), default=math.nan),
        seconds=given.timings["total"],
    )


def without_markers(answer: Answer) -> str:
    """The words of an answer, without the numbers of its citations."""
    text = answer.text
    for citation in answer.citations:
        text = text.replace(f"[{citation.number}]", "")
    return text


def summarise(
    dataset: Dataset, rankings: Sequence[Ranking], replies: Sequence[EvaluatedAnswer]
) -> list[ScoreRow]:
    """A row for each language that questions were asked in."""
    languages = sorted({*(r.language for r in rankings), *(r.language for r in replies)})
    return [
        _row(
            dataset,
            language,
            [ranking for ranking in rankings if ranking.language == language],
            [reply for reply in replies if reply.language == language],
        )
        for language in languages
    ]


def _row(
    dataset: Dataset, language: str, rankings: Sequence[Ranking], replies: Sequence[EvaluatedAnswer]
) -> ScoreRow:
    judged = [(r.ranked, dataset.qrels[r.query]) for r in rankings if r.query in dataset.qrels]
    able = [reply for reply in replies if not reply.is_unanswerable]
    unable = [reply for reply in replies if reply.is_unanswerable]
    located = [reply for reply in able if reply.relevant]
    return ScoreRow(
        data=dataset.name,
        language=language,
        queries=len(judged),
        ndcg=_mean(ndcg(ranked, relevant, k=DEPTH) for ranked, relevant in judged),
        recall=_mean(recall(ranked, relevant, k=DEPTH) for ranked, relevant in judged),
        mrr=_mean(reciprocal_rank(ranked, relevant, k=DEPTH) for ranked, relevant in judged),
        search_s=_mean(ranking.seconds for ranking in rankings),
        questions=len(replies),
        f1=_mean(reply.f1 for reply in able),
        citation_precision=_mean(
            precision(reply.cited, reply.relevant) for reply in located if reply.kind == "answer"
        ),
        citation_recall=_mean(
            recall(reply.cited, dict.fromkeys(reply.relevant, 1), k=len(reply.cited))
            for reply in located
        ),
        auroc=auroc([reply.confidence for reply in able], [reply.confidence for reply in unable]),
        false_answers=_mean(float(reply.kind == "answer") for reply in unable),
        false_abstentions=_mean(float(reply.kind == "abstention") for reply in able),
        answer_s=_mean(reply.seconds for reply in replies),
    )


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return fmean(listed) if listed else math.nan

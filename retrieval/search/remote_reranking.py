"""Scores of a question and passages from an endpoint, in whichever of two shapes it speaks."""

from __future__ import annotations

from collections.abc import Sequence

from retrieval.errors import EndpointError
from retrieval.models.client import Client, Json, JsonObject, RefusedError
from retrieval.models.endpoint import Endpoint
from retrieval.records import Passage
from retrieval.search.reranking import Reranker

BATCH = 32
"""Passages of one request: what servers take that say no more."""

_SCORES = ("relevance_score", "score")


class RemoteReranker(Reranker):
    """A cross-encoder behind an endpoint: of vLLM, llama.cpp, Jina and Cohere, or of TEI."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._client = Client(endpoint)
        self.id = f"{endpoint.model or endpoint.host}@endpoint"
        path = "" if endpoint.at("").partition("?")[0].endswith("/rerank") else "/rerank"
        self._url = endpoint.at(path)
        self._is_tei = False

    def scores(self, query: str, passages: Sequence[Passage]) -> list[float]:
        """As `Reranker.scores`."""
        return self._scores(query, [passage.indexed_text for passage in passages])

    def check(self) -> str:
        """What one score from the endpoint tells of it."""
        self._scores("?", ["?"])
        return f"{self.id} gave a score"

    def _scores(self, query: str, texts: Sequence[str]) -> list[float]:
        batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        try:
            answers = self._asked(query, batches)
        except RefusedError as error:
            if self._is_tei or error.status not in (400, 422):
                raise
            self._is_tei = True
            answers = self._asked(query, batches)
        try:
            return [
                score
                for answer, batch in zip(answers, batches, strict=True)
                for score in _in_order(answer, len(batch))
            ]
        except (KeyError, TypeError, ValueError, StopIteration) as error:
            raise EndpointError(f"{self._url}: it gave no score for each passage") from error

    def _asked(self, query: str, batches: Sequence[Sequence[str]]) -> list[Json]:
        bodies = [self._body(query, batch) for batch in batches]
        return self._client.post(self._url, bodies) if bodies else []

    def _body(self, query: str, texts: Sequence[str]) -> JsonObject:
        if self._is_tei:
            return {"query": query, "texts": [*texts], "truncate": True}
        named = {"model": self._client.endpoint.model} if self._client.endpoint.model else {}
        return {**named, "query": query, "documents": [*texts], "top_n": len(texts)}


def _in_order(answer: Json, count: int) -> list[float]:
    rows = answer if isinstance(answer, list) else answer["results"]
    scores = {row["index"]: float(next(row[key] for key in _SCORES if key in row)) for row in rows}
    return [scores[n] for n in range(count)]

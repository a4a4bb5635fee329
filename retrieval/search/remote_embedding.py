"""Vectors from an endpoint that speaks as OpenAI's does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from retrieval.errors import EndpointError
from retrieval.models.client import Client, Json, JsonObject
from retrieval.models.endpoint import Endpoint
from retrieval.models.listed import models_at, only_model
from retrieval.models.tokens import token_spans
from retrieval.records import Vectors
from retrieval.search.embedding import Embedder, prefixes_of

BATCH = 16
"""Texts of one request: servers take as many, and slow ones are done with them in time."""

MAX_TOKENS = 512
"""Longest text of an embedder whose endpoint does not say, and that it is not trusted to cut."""


class RemoteEmbedder(Embedder):
    """An embedder behind an endpoint.

    Its id is the model's name, wherever that is served: an index keeps vectors of a few texts, by
    which other weights of the same name are noticed.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._client = Client(endpoint)
        self._name = endpoint.model or only_model(endpoint, models_at(self._client))
        self.id = f"{self._name.replace('+', '-')}@endpoint"
        self.revision, self.map = "endpoint", None
        self.prefixes = prefixes_of(self._name.partition(":")[0], {})
        self.max_tokens = MAX_TOKENS
        self.dimension = self._asked([self.prefixes[0] + "?"]).shape[1]

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where each token of the text is, about: the model's tokenizer is not here."""
        return token_spans(text)

    def pieces(self, word: str) -> int:  # noqa: ARG002 - its tokenizer is not here
        """One, as of a word that is known."""
        return 1

    def check(self) -> str:
        """What one vector from the endpoint tells of it."""
        return f"{self.id} gave a vector; {self.dimension} dimensions"

    def _rows(
        self, prefix: str, texts: Sequence[str], on_batch: Callable[[int], None] | None = None
    ) -> Vectors:
        cut = [self._cut(prefix + text) for text in texts]
        rows = self._asked(cut, on_batch) if cut else np.empty((0, self.dimension), np.float32)
        if rows.shape[1] != self.dimension:
            raise EndpointError(
                f"{self.id} gives vectors of {rows.shape[1]} dimensions, not {self.dimension}"
            )
        return rows

    def _cut(self, text: str) -> str:
        spans = token_spans(text)
        return text if len(spans) <= self.max_tokens else text[: spans[self.max_tokens - 1][1]]

    def _asked(
        self, texts: Sequence[str], on_batch: Callable[[int], None] | None = None
    ) -> Vectors:
        batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        bodies: list[JsonObject] = [{"model": self._name, "input": [*batch]} for batch in batches]

        def tell(done: int) -> None:
            if on_batch is not None:
                on_batch(min(done * BATCH, len(texts)))

        url = self._client.endpoint.at("/embeddings")
        answers = self._client.post(url, bodies, on_done=tell)
        try:
            found = [
                row
                for answer, batch in zip(answers, batches, strict=True)
                for row in _in_order(answer, len(batch))
            ]
            rows = np.array(found, np.float32)
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        except (KeyError, TypeError, ValueError) as error:
            raise EndpointError(f"{url}: it gave no vector for each text: {error}") from error
        if not (np.isfinite(lengths) & (lengths > 0)).all():
            raise EndpointError(f"{url}: it gave vectors that are not finite or zero")
        vectors: Vectors = rows / lengths
        return vectors


def _in_order(answer: Json, count: int) -> list[Json]:
    rows = sorted(answer["data"], key=lambda row: row["index"])
    if [row["index"] for row in rows] != list(range(count)):
        raise ValueError(f"found {len(rows)}, wanted {count}")
    return [row["embedding"] for row in rows]

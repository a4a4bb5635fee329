"""Turn passages and queries into unit vectors whose inner product says how near they are."""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from retrieval.errors import RetrievalError
from retrieval.models.catalogue import ModelFolder, resolve
from retrieval.models.device import choose_device, use_threads
from retrieval.models.endpoint import endpoint_of, is_endpoint
from retrieval.models.loading import hide_progress_bars, loading
from retrieval.progress import Tell
from retrieval.records import Vectors
from retrieval.registry.runs import base_of
from retrieval.search.fusion import LEXICAL_WEIGHT
from retrieval.search.linear_map import LinearMap
from retrieval.settings import Settings

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import PreTrainedModel

    from retrieval.search.bert import Bert, BertEmbedder

BATCH_TOKENS = 2_048
"""Tokens of a batch, padding included: enough to keep two cores or a small GPU busy."""

PREFIXES = {
    r"/(multilingual-)?e5-(small|base|large)(-v2)?$": ("query: ", "passage: "),
    r"/bge-(small|base|large)-en(-v1\.5)?$": (
        "Represent this sentence for searching relevant passages: ",
        "",
    ),
    r"/bge-(small|base|large)-zh(-v1\.5)?$": ("为这个句子生成表示以用于检索相关文章：", ""),
    r"/nomic-embed-text(-v1(\.5)?)?$": ("search_query: ", "search_document: "),
    r"/qwen3-embedding-[\w.]+$": (
        "Instruct: Given a question, retrieve passages that answer it\nQuery: ",
        "",
    ),
    r"/(mxbai-embed-large(-v1)?|snowflake-arctic-embed-[\w.-]+)$": (
        "Represent this sentence for searching relevant passages: ",
        "",
    ),
}
"""Query and passage prefixes of model families whose folders do not name them."""


class Embedder:
    """A sentence-transformers model. Threads may share one.

    `id` and `revision` name the very weights, `dimension` is the length of a vector, `prefixes`
    stand before each query and each passage, and texts are cut after `max_tokens`, prefix included.
    An id with a `+` names a base model and what was learned on top of it. Beside its cosines words
    count for `lexical_weight`, which may be learned with it.
    """

    lexical_weight = LEXICAL_WEIGHT

    def __init__(self, folder: ModelFolder, model: SentenceTransformer | BertEmbedder) -> None:
        self.id, self.revision = folder.id, folder.revision
        self.map: LinearMap | None = None
        self._model, self._tokenizer = model, model.tokenizer
        # The tokenizer keeps its truncation between calls, so calls must not overlap.
        self._lock = threading.Lock()
        self.prefixes = prefixes_of(folder.name, model.prompts)
        self.max_tokens = int(model.max_seq_length or self._tokenizer.model_max_length)
        self.dimension = self._vectors([self.prefixes[0]]).shape[1]

    @classmethod
    def load(cls, settings: Settings, *, on_progress: Tell | None = None) -> Self:
        """The embedder of this disk that the settings name, unpacked first if need be.

        Raises:
            ModelNotFoundError: If there is no such model.
            ModelCorruptError: If its bytes are not the published ones, or cannot be loaded.
            ModelUnsuitableError: If it is not an embedder.
        """
        models_folder = settings.models_folder
        with loading("embedder", settings.embedder):
            folder = resolve(
                settings.embedder, models_folder=models_folder, on_progress=on_progress
            )
            return cls(folder, _load_quickly(folder, settings) or load_model(folder, settings))

    def moved(self, by: LinearMap, *, name: str, lexical_weight: float = LEXICAL_WEIGHT) -> Self:
        """The same model, whose vectors are moved by a map of this name."""
        moved = self.weighing(lexical_weight)
        moved.id, moved.map = f"{base_of(self.id)}+{name}", by
        return moved

    def weighing(self, lexical_weight: float) -> Self:
        """The same model, beside which words count for so much."""
        weighing = copy.copy(self)
        weighing.lexical_weight = lexical_weight
        return weighing

    def unmoved(self) -> Self:
        """The same model without any map."""
        unmoved = self.weighing(LEXICAL_WEIGHT)
        unmoved.id, unmoved.map = base_of(self.id), None
        return unmoved

    def embed_passages(
        self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None
    ) -> Vectors:
        """A row for each text, in the order of the texts; no texts give no rows.

        `on_batch` is told, after each batch, how many texts are done.
        """
        vectors = self._rows(self.prefixes[1], texts, on_batch)
        return self.map.of_passages(vectors) if self.map else vectors

    def embed_query(self, text: str) -> Vectors:
        """The query's vector, in shape (1, dimension)."""
        return self.embed_queries([text])

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """A row for each query, in their order: faster than one by one."""
        vectors = self._rows(self.prefixes[0], texts)
        return self.map.of_queries(vectors) if self.map else vectors

    @property
    def weights_id(self) -> str:
        """Names the very weights: a map moves vectors, and leaves the weights as they are."""
        return base_of(self.id) if self.map is not None else self.id

    @property
    def encoder(self) -> PreTrainedModel | Bert:
        """The transformer beneath, shared: not to be changed."""
        encoder = self._model.transformers_model
        assert encoder is not None, "an embedder without a transformer is refused when it is loaded"
        return encoder

    def pairs(
        self, query: str, texts: Sequence[str], *, max_tokens: int
    ) -> dict[str, torch.Tensor]:
        """What the encoder takes to read a query with each text, which is cut if it is too long.

        Some tokenizers of embedders know no pairs, so special tokens are set here: one first, one
        behind the query and one behind the text.
        """
        first, behind = self._tokenizer.cls_token_id, self._tokenizer.sep_token_id
        room = min(max_tokens, self.max_tokens) - 3
        with self._lock:
            asked, *read = self._tokenizer(
                [query, *texts], add_special_tokens=False, verbose=False
            )["input_ids"]
            asked = asked[: room // 2]
            rows = [
                [first, *asked, behind, *tokens[: room - len(asked)], behind] for tokens in read
            ]
            encoding: Any = self._tokenizer.pad({"input_ids": rows}, return_tensors="pt")
        return {name: tensor.to(self._model.device) for name, tensor in encoding.items()}

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where each token of the text begins and ends, in characters; long texts are not cut."""
        with self._lock:
            encoding = self._tokenizer(
                [text], add_special_tokens=False, return_offsets_mapping=True, verbose=False
            )
        return [(start, end) for start, end in encoding["offset_mapping"][0]]

    def pieces(self, word: str) -> int:
        """In how many tokens a word is read: those that it has learned are mostly whole."""
        return len(self.token_spans(word))

    def _rows(
        self, prefix: str, texts: Sequence[str], on_batch: Callable[[int], None] | None = None
    ) -> Vectors:
        vectors = np.empty((len(texts), self.dimension), np.float32)
        done = 0
        for numbers in self._batches(texts):
            vectors[numbers] = self._vectors([prefix + texts[n] for n in numbers])
            done += len(numbers)
            if on_batch:
                on_batch(done)
        return vectors

    def _batches(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Positions of the texts, longest first, in batches of about `BATCH_TOKENS`."""
        if not texts:
            return
        with self._lock:
            ids = self._tokenizer([*texts], truncation=True, max_length=self.max_tokens)[
                "input_ids"
            ]
        order = sorted(range(len(texts)), key=lambda n: len(ids[n]), reverse=True)
        while order:
            size = max(1, BATCH_TOKENS // max(1, len(ids[order[0]])))
            yield order[:size]
            order = order[size:]

    def _vectors(self, texts: list[str]) -> Vectors:
        import torch

        with self._lock, torch.inference_mode():
            output = self._model(self._features(texts))["sentence_embedding"]
            rows = torch.nn.functional.normalize(output.float(), dim=1)
        vectors: Vectors = rows.cpu().numpy()
        if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
            raise RetrievalError(
                f"{self.id} gave vectors that are not finite or zero; try WHIMBREL_DEVICE=cpu"
            )
        return vectors

    def _features(self, texts: list[str]) -> dict[str, torch.Tensor]:
        encoding: Any = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        )
        return {name: tensor.to(self._model.device) for name, tensor in encoding.items()}


def configured(settings: Settings, *, on_progress: Tell | None = None) -> Embedder:
    """The embedder that the settings name, on this disk or behind an endpoint.

    Raises:
        RetrievalError: As `Embedder.load`, or if the endpoint does not answer.
    """
    if is_endpoint(settings.embedder):
        from retrieval.search.remote_embedding import RemoteEmbedder

        return RemoteEmbedder(endpoint_of("embedder", settings))
    return Embedder.load(settings, on_progress=on_progress)


def _load_quickly(folder: ModelFolder, settings: Settings) -> BertEmbedder | None:
    """The folder's model without the libraries that load any, if it is plain enough."""
    from retrieval.search import bert

    if not bert.fits(folder.path):
        return None
    device = choose_device(settings, is_for_encoder=True)
    use_threads(device)
    return bert.BertEmbedder(folder.path, device)


def load_model(folder: ModelFolder, settings: Settings) -> SentenceTransformer:
    """The folder's model on the device and in the precision that the settings lead to."""
    from sentence_transformers import SentenceTransformer

    device = choose_device(settings, is_for_encoder=True)
    use_threads(device)
    hide_progress_bars()
    model = SentenceTransformer(
        str(folder.path), device=device.name, model_kwargs={"dtype": device.dtype}
    )
    return model.eval()


def prefixes_of(name: str, prompts: Mapping[str, str | None]) -> tuple[str, str]:
    """What to put before a query and before a passage: as the folder says, else as is known."""
    query = prompts.get("query") or ""
    passage = prompts.get("passage") or prompts.get("document") or ""
    if query or passage:
        return query, passage
    name = f"/{name.split('@')[0]}"
    found = (pair for at, pair in PREFIXES.items() if re.search(at, name, re.IGNORECASE))
    return next(found, ("", ""))

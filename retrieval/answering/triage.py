"""How sure it is that a message asks what documents could answer: learned here, or from our own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from retrieval.errors import DataError, ModelCorruptError
from retrieval.jsonl import read_lines
from retrieval.records import Vectors
from retrieval.registry.runs import folder_of, serving

SEEDS = Path(__file__).with_name("triage.tsv")
"""Messages of our own, half English and half Chinese, each after 1 if documents could answer it
and after 0 for other talk."""

THRESHOLD = 0.7
"""Unsure is no: to speak up uninvited and wrongly costs more than to stay silent. This and the
next were chosen by cross-validation on our own messages; see benchmarks/triage.py."""

STRENGTH = 33.0
"""Of the regression: how much the examples' losses weigh beside the size of the weights."""

_STEPS, _STILL = 50, 1e-9
"""Newton's steps to the fit at most, and a step that changes nothing; ten are the rule."""

TRIAGE_FILE = "triage.json"

_NOISE = re.compile(r"```.*?```|`[^`]*`|<https?:[^>]*>|https?://\S+|:[a-z0-9_+-]+:", re.DOTALL)

Probabilities = npt.NDArray[np.float64]


class QueryEmbedder(Protocol):
    """Turns messages into unit vectors; `id` names the model."""

    @property
    def id(self) -> str:
        """The id of the model."""

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """A unit vector for each text, shape (n, d)."""


@dataclass(frozen=True, slots=True)
class LabelledMessage:
    """A message and whether documents could answer it."""

    text: str
    is_question: bool


def read_labelled(path: Path) -> list[LabelledMessage]:
    """The messages of a file, in order.

    Raises:
        DataError: If a line does not begin with 1 or 0 and a tab; the message names it.
    """
    found = []
    for where, line in read_lines(path):
        label, tab, text = line.partition("\t")
        if label not in ("0", "1") or not tab:
            raise DataError(f"{where}: wanted 1 or 0, a tab and the message")
        found.append(LabelledMessage(text, label == "1"))
    return found


@dataclass(frozen=True, slots=True)
class Separator:
    """A logistic model of "documents could answer this" over the vectors of messages.

    `threshold` is the probability from which a message counts as a question. `embedder` says whose
    vectors it was fitted to and `data` on what.
    """

    weights: tuple[float, ...]
    bias: float
    threshold: float
    embedder: str
    data: str

    def score(self, vectors: Vectors) -> Probabilities:
        """How likely each row is to be a question, 0 to 1."""
        logits = vectors.astype(np.float64) @ np.array(self.weights) + self.bias
        scores: Probabilities = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
        return scores

    @property
    def id(self) -> str:
        """Names this very model, by what `save` writes."""
        return f"triage@{hashlib.sha256(self._text().encode()).hexdigest()[:8]}"

    def save(self, path: Path) -> None:
        """Write the model as JSON."""
        path.write_text(self._text(), encoding="utf-8")

    def _text(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False) + "\n"


def fit(
    vectors: Vectors,
    is_question: npt.NDArray[np.bool_],
    *,
    embedder: str,
    data: str,
    threshold: float = THRESHOLD,
) -> Separator:
    """A model fitted to the vectors of messages, a row for each, both kinds weighing the same.

    It is a logistic regression with an L2 penalty, fitted by Newton's steps in the space that the
    rows span, since workers that leave models to endpoints have no library for it.
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    left, lengths, axes = np.linalg.svd(vectors - mean, full_matrices=False)
    rows = np.column_stack([left * lengths, np.ones(len(vectors))])
    balance = np.where(is_question, 0.5 / is_question.mean(), 0.5 / (1 - is_question.mean()))
    penalty = np.append(np.ones(len(lengths)), 0.0) / STRENGTH
    found = np.zeros(rows.shape[1])
    for _ in range(_STEPS):
        likely = 1 / (1 + np.exp(-rows @ found))
        slope = rows.T @ (balance * (likely - is_question)) + penalty * found
        bend = (rows.T * (balance * likely * (1 - likely))) @ rows + np.diag(penalty)
        found -= (step := np.linalg.solve(bend, slope))
        if np.abs(step).max() < _STILL:
            break
    weights = axes.T @ found[:-1]
    bias = round(float(found[-1] - mean @ weights), 6)
    rounded = tuple(round(float(weight), 6) for weight in weights)
    return Separator(rounded, bias, threshold, embedder, data)


def load_separator(models_folder: Path, embedder: QueryEmbedder) -> Separator:
    """The published model, if it was fitted to this embedder, else one fitted to our own messages.

    The latter takes seconds.

    Raises:
        ModelCorruptError: If a file of the published run is missing or is not what was written.
    """
    home = models_folder / "runs"
    run = serving(home, "triage")
    if run is not None:
        separator = _read(folder_of(home, run) / TRIAGE_FILE)
        if separator.embedder == embedder.id:
            return separator
    return fit_to_seeds(embedder)


def fit_to_seeds(embedder: QueryEmbedder) -> Separator:
    """The model that serves before anything was learned."""
    seeds = read_labelled(SEEDS)
    vectors = embedder.embed_queries([clean(message.text) for message in seeds])
    labels = np.array([message.is_question for message in seeds])
    return fit(vectors, labels, embedder=embedder.id, data="our own messages")


def clean(text: str) -> str:
    """A message without code, addresses and emoji names, on one line."""
    return " ".join(_NOISE.sub(" ", text).split())


def _read(path: Path) -> Separator:
    try:
        return _SEPARATORS.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ModelCorruptError(f"{path} is no triage model: {error}") from error


_SEPARATORS = TypeAdapter(Separator)

"""The strong judge: an encoder fine-tuned to read question and passage, if it is worth its time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from retrieval.answering.judge import READ, Judge, PairReader, read_features, with_reader
from retrieval.evaluation.metrics import auroc
from retrieval.registry.runs import MODEL
from retrieval.search.reranking import Reranker
from retrieval.settings import Settings
from training.classifiers.cross_encoder import CrossConfig, LabelledPair, fine_tune
from training.classifiers.judge_fit import JudgeRow, confidence, fit, logistic
from training.trainer import TrainerSetup

WORTH = 0.01
"""By so much must reading raise the area under the ROC curve: less may be chance, and a model
then reads at every question."""

PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class JudgeChoice:
    """The judge that was chosen, and both areas under the ROC curve on questions held back."""

    judge: Judge
    plain: float
    reading: float

    @property
    def is_reading(self) -> bool:
        """Whether reading is worth its time."""
        return self.reading - self.plain >= WORTH


def choose(
    judge: Judge,
    rows: Sequence[JudgeRow],
    start: str | Path,
    setup: TrainerSetup,
    settings: Settings,
    *,
    config: CrossConfig | None = None,
) -> JudgeChoice:
    """Fine-tune a reader, and take the judge with it or the one without.

    A quarter of the questions is held back from the reader. On them it is weighed against the
    plain judge, and the better of the two is chosen.

    Args:
        judge: The judge without this reader, fitted to all the rows.
        rows: What people said of answers.
        start: The encoder to start from.
        setup: Its `work` gets the reader as `work / MODEL`, and before it checkpoints.
        settings: Where models run.
        config: How the reader learns.

    Raises:
        DataError: If there are too few rows of either kind.
    """
    train = [row for row in rows if not _is_held_back(row)]
    held_back = [row for row in rows if _is_held_back(row) and not row.twin_of]
    without = fit(train, embedder=judge.embedder, data=judge.data)
    unread = [replace(row, reads=()) for row in train]
    plain = fit(unread, embedder=judge.embedder, data=judge.data)
    pairs = [
        LabelledPair(row.question, row.hits[0].passage.indexed_text, float(row.is_answerable))
        for row in train
        if row.hits
    ]
    fine_tune(start, pairs, setup, settings, config=config or CrossConfig())
    model = setup.work / MODEL
    both, choice = _weighed(plain, without, Reranker(str(model)), held_back)
    if choice.is_reading:
        return JudgeChoice(with_reader(both, Reranker(str(model))), choice.plain, choice.reading)
    return JudgeChoice(judge, choice.plain, choice.reading)


def _weighed(
    plain: Judge, without: Judge, reader: Reranker, rows: Sequence[JudgeRow]
) -> tuple[Judge, JudgeChoice]:
    """The weights of both together, and what they are worth on rows that neither learned from."""
    found = [row for row in rows if row.hits]
    labels = [row.is_answerable for row in found]
    seen = [
        {
            PLAIN: plain.log_odds(row.question, row.hits),
            READ: first_read(reader, row),
        }
        for row in found
    ]
    weights, bias = logistic(seen, np.array(labels), np.ones(len(found)))
    together = [sum(weights[name] * log_odds[name] for name in weights) for log_odds in seen]
    both = Judge(
        {name: weights[PLAIN] * weight for name, weight in plain.weights.items()}
        | {READ: weights[READ]},
        weights[PLAIN] * plain.bias + bias,
        plain.threshold,
        plain.chance,
        plain.embedder,
        plain.data,
    )
    areas = _area([confidence(without, row) for row in found], labels), _area(together, labels)
    return both, JudgeChoice(both, *areas)


def first_read(reader: PairReader, row: JudgeRow) -> float:
    """The log-odds that the first hit answers, as a reader says."""
    first = row.hits[:1]
    return read_features(first, reader.scores(row.question, [first[0].passage]))[READ]


def _area(said: Sequence[float], labels: Sequence[bool]) -> float:
    yes = [probability for probability, is_yes in zip(said, labels, strict=True) if is_yes]
    return auroc(
        yes, [probability for probability, is_yes in zip(said, labels, strict=True) if not is_yes]
    )


def _is_held_back(row: JudgeRow) -> bool:
    """A quarter of the questions, all rows of a question and of its twins on one side."""
    question = row.twin_of or row.question
    return hashlib.sha256(f"reading {question}".encode()).digest()[0] % 4 == 0

"""Fits the judge, which says how sure it is that the documents hold the answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
import numpy.typing as npt

from retrieval.answering.judge import (
    BEST_READ,
    FEATURES,
    JUDGED_HITS,
    LEAST,
    READ_HITS,
    Judge,
    PairReader,
    features,
    read_features,
)
from retrieval.answering.questions import standalone
from retrieval.errors import DataError
from retrieval.evaluation.dataset import Dataset
from retrieval.evaluation.evaluate import asked_before
from retrieval.evaluation.metrics import auroc
from retrieval.index.library import Library
from retrieval.index.searcher import Searcher
from retrieval.language import language_of
from retrieval.progress import Progress
from retrieval.records import Hit

MIN_OF_EACH = 20
"""Fewer answerable or unanswerable questions than this give no curve worth trusting."""

MAX_FALSE_ABSTENTIONS = 0.2
"""People forgive a bot that is silent on one answerable question in five, hardly on more."""

MAX_FALSE_ABSTENTIONS_READ = 0.12
"""Reading tells answers apart so well that fewer need to be given up for it."""

TRANSFERRED = ("gap", BEST_READ)
"""What tells answers apart on documents and questions of another kind, too. The other features help
only where the judge learned from questions of the same kind."""


Solve = Callable[
    [Sequence[Mapping[str, float]], npt.NDArray[np.bool_], npt.NDArray[np.float64]],
    tuple[dict[str, float], float],
]
"""Features, labels and weights of rows to the weights of features, and the bias."""


@dataclass(frozen=True, slots=True)
class JudgeRow:
    """What search finds for one question, and whether the documents hold the answer.

    `chance` is the mean cosine of the question with the passages in its language; `weight`, above
    0 and at most 1, tells how much the row can be trusted. It `is_current` if the question would
    be answered from these hits now. `reads` is what a reader says of the first hits. Of a noisy
    twin, `twin_of` is the question.
    """

    id: str
    data: str
    question: str
    hits: tuple[Hit, ...]
    chance: float
    is_answerable: bool
    weight: float = 1.0
    is_current: bool = True
    reads: tuple[float, ...] = ()
    twin_of: str = ""

    @property
    def is_held_out(self) -> bool:
        """Half of the questions, by their id, are never fitted on: they only measure."""
        return is_held_out(self.id)


@dataclass(frozen=True, slots=True)
class JudgeQuality:
    """How well a judge separates held-out questions of one data set."""

    data: str
    answerable: int
    unanswerable: int
    auroc: float
    false_answers: float
    false_abstentions: float


def read_all(
    rows: Sequence[JudgeRow], reader: PairReader, on_progress: Progress = lambda *_: None
) -> list[JudgeRow]:
    """The rows with what a reader says of their first hits."""
    found = []
    for done, row in enumerate(rows, start=1):
        passages = [hit.passage for hit in row.hits[:READ_HITS]]
        found.append(replace(row, reads=tuple(reader.scores(row.question, passages))))
        on_progress("reading", done, len(rows))
    return found


def confidence(judge: Judge, row: JudgeRow) -> float:
    """How sure a judge is of a row; what was read of it is not read again.

    A judge that reads the first hit alone has a reader of its own.
    """
    is_known = row.reads and BEST_READ in judge.weights
    return judge.confidence(row.question, row.hits, reads=row.reads if is_known else None)


def is_held_out(id: str) -> bool:  # noqa: A002 (the records' own name)
    """Whether a question belongs to the half that is never fitted on."""
    return hashlib.sha256(id.encode()).digest()[0] % 2 == 1


def examples(dataset: Dataset, library: Library) -> list[JudgeRow]:
    """One row for each question of a data set that says what is unanswerable.

    Raises:
        DataError: If the data set has no answers to say so.
    """
    if not dataset.answers:
        raise DataError(f"{dataset.name} has no answers.jsonl, which says what is unanswerable")
    searcher = library.searcher()
    questions = [
        standalone(reference.question, asked_before(reference)) for reference in dataset.answers
    ]
    chances = chance_cosines(questions, searcher)
    return [
        JudgeRow(
            reference.id,
            dataset.name,
            question,
            tuple(searcher.search(question, k=JUDGED_HITS)),
            chance,
            not reference.is_unanswerable,
        )
        for reference, question, chance in zip(dataset.answers, questions, chances, strict=True)
    ]


def chance_cosines(questions: Sequence[str], searcher: Searcher) -> list[float]:
    """The mean cosine of each question with the passages in its language, before any map."""
    index, embedder = searcher.index, searcher.embedder
    vectors = index.vectors
    if embedder.map is not None:
        vectors, embedder = embedder.map.undone_of_passages(vectors), embedder.unmoved()
    languages = np.array([passage.source.language for passage in index.passages])
    centres = {language: vectors[languages == language].mean(axis=0) for language in set(languages)}
    whole = vectors.mean(axis=0)
    # All at once: in batches this costs a fraction of what searching one by one embeds again.
    queries = embedder.embed_queries(questions)
    return [
        float(query @ centres.get(language_of(question), whole))
        for question, query in zip(questions, queries, strict=True)
    ]


def fit(
    rows: Sequence[JudgeRow],
    *,
    embedder: str,
    data: str,
    names: Sequence[str] = (*FEATURES, BEST_READ),
    solve: Solve | None = None,
) -> Judge:
    """A logistic model of answerability, every data set and both classes weighing the same.

    It has a weight for what was read, if the rows were.

    The threshold is the probability below which `MAX_FALSE_ABSTENTIONS` of the answerable
    questions lie, or `MAX_FALSE_ABSTENTIONS_READ`.

    Args:
        rows: What to learn from.
        embedder: The id of the one that made the hits.
        data: What the rows are, for people.
        names: The features that may have a weight.
        solve: What finds the weights; None for `logistic`, from these rows alone.

    Raises:
        DataError: If there are too few questions of either kind.
    """
    answerable = sum(row.is_answerable for row in rows)
    if min(answerable, len(rows) - answerable) < MIN_OF_EACH:
        raise DataError(
            f"found {answerable} answerable and {len(rows) - answerable} unanswerable questions "
            f"to fit on; at least {MIN_OF_EACH} of each are needed"
        )
    chance = _chance(rows)
    is_read = any(row.reads for row in rows)
    seen = [_seen(row, chance, names, is_read=is_read) for row in rows]
    labels = np.array([row.is_answerable for row in rows])
    weights, bias = (solve or logistic)(seen, labels, _weights(rows))
    judge = Judge(weights, bias, 0.5, chance, embedder, data)
    most = MAX_FALSE_ABSTENTIONS_READ if is_read else MAX_FALSE_ABSTENTIONS
    return judge.with_threshold(_threshold(judge, rows, most))


def _seen(row: JudgeRow, chance: float, names: Sequence[str], *, is_read: bool) -> dict[str, float]:
    seen = features(row.question, row.hits, chance=chance)
    if is_read:
        unread = {BEST_READ: LEAST}
        seen[BEST_READ] = (read_features(row.hits, row.reads) or unread)[BEST_READ]
    return {name: value for name, value in seen.items() if name in names}


def logistic(
    seen: Sequence[Mapping[str, float]],
    labels: npt.NDArray[np.bool_],
    sample_weights: npt.NDArray[np.float64],
) -> tuple[dict[str, float], float]:
    """The weights and the bias of a logistic model, for features as they are."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    names = list(seen[0])
    inputs = np.array([[values[name] for name in names] for values in seen])
    scaler = StandardScaler().fit(inputs)
    model = LogisticRegression().fit(scaler.transform(inputs), labels, sample_weight=sample_weights)
    weights = model.coef_[0] / scaler.scale_
    bias = float(model.intercept_[0] - weights @ scaler.mean_)
    rounded = {name: round(float(weight), 6) for name, weight in zip(names, weights, strict=True)}
    return rounded, round(bias, 6)


def measure(judge: Judge, rows: Sequence[JudgeRow]) -> list[JudgeQuality]:
    """One line for each data set among the rows."""
    return [
        _measure(judge, data, [row for row in rows if row.data == data])
        for data in dict.fromkeys(row.data for row in rows)
    ]


def _measure(judge: Judge, data: str, rows: Sequence[JudgeRow]) -> JudgeQuality:
    able = [confidence(judge, row) for row in rows if row.is_answerable]
    unable = [confidence(judge, row) for row in rows if not row.is_answerable]
    return JudgeQuality(
        data,
        len(able),
        len(unable),
        auroc(able, unable),
        float(np.mean([p >= judge.threshold for p in unable])),
        float(np.mean([p < judge.threshold for p in able])),
    )


def _chance(rows: Sequence[JudgeRow]) -> float:
    """The mean cosine of a question with a passage in its language, data sets equal."""
    by_data: dict[str, list[float]] = {}
    for row in rows:
        by_data.setdefault(row.data, []).append(row.chance)
    return round(fmean(map(fmean, by_data.values())), 4)


def _weights(rows: Sequence[JudgeRow]) -> npt.NDArray[np.float64]:
    groups = [(row.data, row.is_answerable) for row in rows]
    sums: dict[tuple[str, bool], float] = {}
    for group, row in zip(groups, rows, strict=True):
        sums[group] = sums.get(group, 0.0) + row.weight
    shares = [row.weight / sums[group] for group, row in zip(groups, rows, strict=True)]
    return np.array(shares) * len(rows) / len(sums)


def _threshold(judge: Judge, rows: Sequence[JudgeRow], most: float) -> float:
    """The confidence that all but a share of the answerable questions reach, data sets equal."""
    answerable = [row for row in rows if row.is_answerable]
    confidences = np.array([confidence(judge, row) for row in answerable])
    order = np.argsort(confidences)
    shares = np.cumsum(_weights(answerable)[order]) / len(answerable)
    first = int(np.searchsorted(shares, most))
    return round(float(confidences[order[first]]), 4)

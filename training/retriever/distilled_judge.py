"""The judge of a fine-tuned embedder: as sure as the base model's, of cosines that mean otherwise.

It is fitted to the mean of what is true and of how sure the base model's judge is of the base
model's hits (Hinton et al. 2015), on questions that the embedder has not learned from. So that
there is something to be unsure of, each question is asked twice more: with the documents that
answer it left out, and with all that are near it left out, as if nobody had written of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from retrieval.answering.judge import JUDGED_HITS, Judge, features
from retrieval.index.searcher import Searcher
from retrieval.records import Hit
from training.classifiers.evidence import without
from training.classifiers.judge_fit import chance_cosines, logistic
from training.data.labelled_queries import LabelledQuery

EXTREME = 0.001
"""Nearer to 0 or 1 all confidences are the same."""

SPREAD = 0.01
"""Log-odds that are nearer together than this are the same."""

NEAR = 20
"""So many hits are of documents that are near a question."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A question's hits under the new embedder, and how sure the teacher is of its own."""

    question: str
    hits: tuple[Hit, ...]
    confidence: float
    is_answerable: bool


def distil(
    teacher: Judge, base: Searcher, tuned: Searcher, queries: Sequence[LabelledQuery]
) -> Judge:
    """A judge of the tuned searcher's hits that is as sure of them as the teacher of the base's.

    Args:
        teacher: The judge of the base searcher's hits.
        base: What the teacher judges.
        tuned: The same passages under the embedder that the judge is for.
        queries: Questions that the embedder has not learned from, with the passages that answer.

    Returns:
        A judge that is silent about as often as the teacher, with and without an answer.
    """
    rows = [row for query in queries for row in _rows(teacher, base, tuned, query)]
    chance = round(fmean(chance_cosines([query.question for query in queries], tuned)), 4)
    seen = [features(row.question, row.hits, chance=chance) for row in rows]
    # Each row counts as answerable and as not, as much as teacher and truth together have it so.
    sure = np.array([(row.confidence + row.is_answerable) / 2 for row in rows])
    weights, bias = logistic(
        [*seen, *seen],
        np.repeat([True, False], len(rows)),
        np.concatenate([sure, 1 - sure]),
    )
    judge = Judge(
        weights,
        bias,
        teacher.threshold,
        chance,
        tuned.embedder.id,
        f"distilled from the judge of {base.embedder.id}",
    )
    return judge.with_threshold(_threshold(judge, teacher, rows))


def _rows(teacher: Judge, base: Searcher, tuned: Searcher, query: LabelledQuery) -> Iterator[_Row]:
    question = query.question
    answers = {base.index.passages[row].source.id for row in query.rows}
    known, new = (searcher.search(question, k=JUDGED_HITS) for searcher in (base, tuned))
    for near in (None, 0, NEAR):
        before, after = (
            hits if near is None else without(hits, answers | _documents(hits[:near]))
            for hits in (known, new)
        )
        sure = teacher.confidence(question, before)
        yield _Row(question, tuple(after), sure, near is None)


def _documents(hits: Sequence[Hit]) -> set[str]:
    return {hit.passage.source.id for hit in hits}


def _threshold(judge: Judge, teacher: Judge, rows: Sequence[_Row]) -> float:
    """Between where the judge answers as often as the teacher, and is as often rightly silent.

    An embedder that tells answers apart better leaves room between the two.
    """
    return round(
        fmean(_like(judge, teacher, rows, is_answerable=kind) for kind in (True, False)), 4
    )


def _like(judge: Judge, teacher: Judge, rows: Sequence[_Row], *, is_answerable: bool) -> float:
    """The confidence that is as rare among such rows as the teacher's threshold is for the teacher.

    By linear equating of log-odds (Kolen and Brennan 2014): as many standard deviations from their
    mean. A share of so few rows would be off by several points.
    """
    mine = [row for row in rows if row.is_answerable == is_answerable]
    known = _log_odds([row.confidence for row in mine])
    new = _log_odds([judge.confidence(row.question, row.hits) for row in mine])
    (limit,) = _log_odds([teacher.threshold])
    away = (limit - known.mean()) / max(known.std(), SPREAD)
    return float(expit(new.mean() + away * new.std()))


def _log_odds(confidences: Sequence[float]) -> npt.NDArray[np.float64]:
    odds: npt.NDArray[np.float64] = logit(np.clip(confidences, EXTREME, 1 - EXTREME))
    return odds

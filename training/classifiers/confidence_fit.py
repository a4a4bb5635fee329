"""Scales and shifts the log-odds of a judge to what people of one company say of its answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.stats import mannwhitneyu

from retrieval.answering.judge import IN_CHINESE, Judge
from retrieval.language import language_of
from training.classifiers.judge_fit import JudgeRow, confidence

EVEN = 0.5
"""The threshold of a fitted judge: answers are given that are rather right than not."""

PRIOR_SCALE, PRIOR_SHIFT = 0.2, 0.25
"""How far scale and shifts may be expected to lie from 1 and 0: one standard deviation. Twice as
much lost on other answers of FeedbackQA what it gained after 20 to 50 ratings."""

FOLDS = 10
"""Every question is judged by a fit to nine tenths of the others."""

CHANCE = 0.05
"""Random ratings go with the confidence as well as those that are learned from once in twenty."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ConfidenceFit:
    """What is done to a judge's log-odds above its threshold; the least changes no decision."""

    scale: float = 1.0
    shift: float = 0.0
    in_chinese: float = 0.0

    def applied(self, judge: Judge) -> Judge:
        """The judge whose confidence says how likely an answer is right, as people rate them."""
        weights = {name: round(self.scale * weight, 6) for name, weight in judge.weights.items()}
        in_chinese = weights.pop(IN_CHINESE, 0.0) + self.in_chinese
        if in_chinese:
            weights[IN_CHINESE] = round(in_chinese, 6)
        bias = self.scale * (judge.bias - _log_odds(judge.threshold)) + self.shift
        return replace(judge, weights=weights, bias=round(bias, 6), threshold=EVEN)


def fit_confidence(judge: Judge, rows: Sequence[JudgeRow]) -> ConfidenceFit:
    """The most likely scale and shifts, near 1 and 0 unless many ratings say otherwise.

    A logistic model of "an answer from these hits is right" over the judge's log-odds above its
    threshold, with a Gaussian prior, so that a few ratings move nothing.
    """
    above = margins(judge, rows)
    chinese = np.array([language_of(row.question) == "zh" for row in rows], float)
    signs = np.array([1.0 if row.is_answerable else -1.0 for row in rows])
    weights = np.array([row.weight for row in rows])

    def loss(of: Numbers) -> float:
        odds = of[0] * above + of[1] + of[2] * chinese
        prior = ((of - _SERVED) / _WIDTHS) ** 2
        return float((weights * np.logaddexp(0, -signs * odds)).sum() + prior.sum() / 2)

    scale, shift, in_chinese = minimize(loss, _SERVED).x
    return ConfidenceFit(max(0.0, float(scale)), float(shift), float(in_chinese))


_SERVED = np.array([1.0, 0.0, 0.0])
_WIDTHS = np.array([PRIOR_SCALE, PRIOR_SHIFT, PRIOR_SHIFT])


def margins(judge: Judge, rows: Sequence[JudgeRow]) -> Numbers:
    """How far, as log-odds, the judge's confidence in each row lies above its threshold."""
    said = [_log_odds(confidence(judge, row)) for row in rows]
    return np.array(said) - _log_odds(judge.threshold)


def cross_fitted(
    judge: Judge, rows: Sequence[JudgeRow], clusters: Sequence[str]
) -> list[tuple[JudgeRow, Judge]]:
    """Each row beside a judge that was fitted without it and all others of its cluster."""
    fold_of = {cluster: n % FOLDS for n, cluster in enumerate(sorted(set(clusters)))}
    folds = [fold_of[cluster] for cluster in clusters]
    judged = []
    for fold in sorted(set(folds)):
        others = [row for row, own in zip(rows, folds, strict=True) if own != fold]
        fitted = fit_confidence(judge, others).applied(judge)
        judged += [(row, fitted) for row, own in zip(rows, folds, strict=True) if own == fold]
    return judged


def are_noise(judge: Judge, rows: Sequence[JudgeRow]) -> bool:
    """Whether what people call right is no surer to the judge than what they call wrong."""
    above = margins(judge, rows)
    right = np.array([row.is_answerable for row in rows])
    if right.all() or not right.any():
        return True
    return bool(mannwhitneyu(above[right], above[~right], alternative="greater").pvalue > CHANCE)


def _log_odds(probability: float) -> float:
    known = min(max(probability, 1e-9), 1 - 1e-9)
    return math.log(known / (1 - known))

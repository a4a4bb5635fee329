"""Two systems on the same questions: which is better, and how sure are we?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

ROUNDS = 10_000
"""Resamplings of the bootstrap."""

AT_ONCE = 1_000_000
"""Scores that are drawn at once: all the rounds together would take gigabytes."""

CONFIDENCE = 0.95
"""Of each one-sided bound."""

POWER = 0.8
"""How often a gain like the one seen should be found with the questions that are asked for."""

SPREAD = 0.22
"""The usual standard deviation of the questions' gains, as with FeedbackQA and its ratings."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate against a baseline, question by question, in the units of the metric.

    `low` and `high` are one-sided 95 % bounds of the mean gain, `wins` and `losses` the questions
    that changed. `p` is the exact sign test's: how often as many wins come about by chance.
    """

    questions: int
    baseline: float
    candidate: float
    low: float
    high: float
    wins: int
    losses: int
    p: float

    @property
    def gain(self) -> float:
        """How much better the candidate is, on the mean."""
        return self.candidate - self.baseline


def compare(baseline: Sequence[float], candidate: Sequence[float], *, seed: int = 0) -> Comparison:
    """Compare the scores of the same questions in the same order.

    Raises:
        ValueError: If there is no question, or not one score of each for every question.
    """
    before, after = np.asarray(baseline, float), np.asarray(candidate, float)
    if before.shape != after.shape or before.ndim != 1 or not len(before):
        raise ValueError("wanted one score of each system for every question")
    gains = after - before
    low, high = bounds(gains, seed=seed)
    wins, losses = int((gains > 0).sum()), int((gains < 0).sum())
    return Comparison(
        len(gains), float(before.mean()), float(after.mean()), low, high,
        wins, losses, sign_test(wins, losses),
    )  # fmt: skip


def bounds(gains: npt.NDArray[np.float64], *, seed: int = 0) -> tuple[float, float]:
    """One-sided bounds of the mean gain: the paired bootstrap's percentiles (Efron 1979)."""
    random = np.random.default_rng(seed)
    block = max(1, AT_ONCE // len(gains))
    means = [
        gains[random.integers(0, len(gains), (min(block, ROUNDS - start), len(gains)))].mean(1)
        for start in range(0, ROUNDS, block)
    ]
    low, high = np.quantile(np.concatenate(means), (1 - CONFIDENCE, CONFIDENCE))
    return float(low), float(high)


def sign_test(wins: int, losses: int) -> float:
    """The chance of so many wins or more if each change were a coin's toss; 1 without changes."""
    changed = wins + losses
    if not changed:
        return 1.0
    return float(stats.binomtest(wins, changed, alternative="greater").pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several candidates, corrected for there being several (Holm 1979)."""
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def questions_needed(gain: float, spread: float) -> int | None:
    """How many questions show a gain like this four times in five; None if it is no gain.

    Args:
        gain: The mean gain.
        spread: The standard deviation of the questions' gains.
    """
    if gain <= 0:
        return None
    return math.ceil((_SURE_AND_FOUND * spread / gain) ** 2)


def least_gain(questions: int, spread: float = SPREAD) -> float:
    """The least mean gain that so many questions show four times in five; infinite for none."""
    return _SURE_AND_FOUND * spread / math.sqrt(questions) if questions else math.inf


def told_power(questions: int) -> str:
    """What so many questions held out can show, so that nobody trains for less."""
    return f"{questions} questions held out cannot show a gain under {least_gain(questions):.2f}"


_SURE_AND_FOUND = float(stats.norm.ppf(CONFIDENCE) + stats.norm.ppf(POWER))

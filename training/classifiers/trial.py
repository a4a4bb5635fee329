"""Tries a classifier of yes and no, and finds the probability from which it had best say yes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.answering.triage import Probabilities
from retrieval.language import language_of
from training.gate.decision import QuestionOutcome, QuestionSet


@dataclass(frozen=True, slots=True)
class ClassifierCase:
    """A text that a classifier says yes or no to, and whether yes is right. `id` is unique."""

    id: str
    text: str
    is_yes: bool


def outcomes(
    cases: Sequence[ClassifierCase],
    said: Sequence[float],
    *,
    threshold: float,
    set_: QuestionSet = "held-out",
) -> list[QuestionOutcome]:
    """What a classifier makes of each case: yes is to speak, no is to be silent.

    The quality is 1 if that is right, else 0.

    Args:
        cases: What was judged.
        said: How likely each is a yes, 0 to 1.
        threshold: From which on the classifier says yes.
        set_: What the cases are for.
    """
    return [
        QuestionOutcome(
            id=f"{set_}: {case.id}",
            language=language_of(case.text),
            quality=float((probability >= threshold) == case.is_yes),
            set=set_,
            is_answerable=case.is_yes,
            abstained=probability < threshold,
        )
        for case, probability in zip(cases, said, strict=True)
    ]


def no_worse(
    cases: Sequence[ClassifierCase], said: Sequence[float], before: Sequence[bool]
) -> float:
    """The threshold at which right yeses gain as much as right noes.

    A classifier that tells the two apart better can then be better in both directions, rather than
    trade one for the other.

    Args:
        cases: Some of either kind.
        said: How likely the classifier thinks each.
        before: Whether the classifier that serves says yes to it.
    """
    true, likely = np.array([case.is_yes for case in cases]), np.array(said)
    yes = np.array(before)
    thresholds = np.unique(likely)
    more_yes = _share_from(thresholds, likely[true]) - yes[true].mean()
    more_no = yes[~true].mean() - _share_from(thresholds, likely[~true])
    best = float(thresholds[np.minimum(more_yes, more_no).argmax()])
    # Rounded down, so that what stands exactly at the threshold is still a yes.
    return math.floor(best * 1e4) / 1e4


def _share_from(thresholds: Probabilities, said: Probabilities) -> Probabilities:
    """Of what was said, the share that is at least each threshold."""
    below = np.searchsorted(np.sort(said), thresholds, side="left")
    shares: Probabilities = 1 - below / len(said)
    return shares

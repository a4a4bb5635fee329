"""Tries a head, which says yes or no with a probability, and finds where it had best say yes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrieval.language import language_of
from training.gate.decision import QuestionOutcome, QuestionSet

ClassifierFloats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClassifierCase:
    """A text that a head says yes or no to, and whether yes is right. `id` is unique."""

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
    """What a head makes of each case: yes is to speak, no to be silent; the quality is 1 if right.

    Args:
        cases: What was judged.
        said: How likely each is a yes, 0 to 1.
        threshold: From which on the head says yes.
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
    """The threshold at which a head gains as much in saying yes rightly as in saying no rightly.

    A head that tells the two apart better can then be better in both directions, rather than trade
    one for the other.

    Args:
        cases: Some of either kind.
        said: How likely the head thinks each.
        before: Whether the head that serves says yes to it.
    """
    true, likely = np.array([case.is_yes for case in cases]), np.array(said)
    yes = np.array(before)
    thresholds = np.unique(likely)
    more_yes = _share_from(thresholds, likely[true]) - yes[true].mean()
    more_no = yes[~true].mean() - _share_from(thresholds, likely[~true])
    best = float(thresholds[np.minimum(more_yes, more_no).argmax()])
    # Rounded down, so that what stands exactly at the threshold is still a yes.
    return math.floor(best * 1e4) / 1e4


def _share_from(thresholds: ClassifierFloats, said: ClassifierFloats) -> ClassifierFloats:
    """Of what was said, the share that is at least each threshold."""
    below = np.searchsorted(np.sort(said), thresholds, side="left")
    shares: ClassifierFloats = 1 - below / len(said)
    return shares

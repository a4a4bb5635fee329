"""Watches two arms while ratings come in, and may be asked after every one of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

ALPHA = 0.05
"""How often at most a difference is claimed where there is none, however often one looks."""

EXPECTED = 0.1
"""The size of difference, in share of good ratings, that the test is tuned to find early."""

MIN_OF_EACH = 10
"""Fewer ratings of an arm say nothing of its spread."""

TrialVerdict = Literal["better", "worse", "unsure"]


@dataclass
class ArmRatings:
    """The ratings of one version."""

    good: int = 0
    ratings: int = 0

    @property
    def share(self) -> float:
        """The share of good ratings, drawn towards a half so that it is never 0 or 1."""
        return (self.good + 0.5) / (self.ratings + 1)

    @property
    def variance(self) -> float:
        """The variance of the share, as of so many independent ratings."""
        return self.share * (1 - self.share) / self.ratings


@dataclass
class Monitor:
    """A mixture sequential probability ratio test of two arms (Johari, Pekelis, Walsh 2015).

    Its p-value only falls, and is right whenever it is read: a test for a fixed number of ratings
    that is looked at after each of them claims a difference of equals in four runs out of ten.
    """

    served: ArmRatings = field(default_factory=ArmRatings)
    candidate: ArmRatings = field(default_factory=ArmRatings)
    p: float = 1.0

    def add(self, *, is_candidate: bool, is_good: bool) -> None:
        """Count one person's rating of one answer."""
        arm = self.candidate if is_candidate else self.served
        arm.ratings += 1
        arm.good += is_good
        if min(self.served.ratings, self.candidate.ratings) >= MIN_OF_EACH:
            self.p = min(self.p, math.exp(-self._evidence()))

    @property
    def gain(self) -> float:
        """The candidate's share of good ratings less the served one's."""
        return self.candidate.share - self.served.share

    @property
    def verdict(self) -> TrialVerdict:
        """What can be said at this moment."""
        return self.says(ALPHA)

    def says(self, alpha: float) -> TrialVerdict:
        """What can be said if a false claim may be made so often."""
        if self.p > alpha:
            return "unsure"
        return "better" if self.gain > 0 else "worse"

    def _evidence(self) -> float:
        """The logarithm of the likelihood ratio of some difference against none.

        The difference is taken as normal with variance `EXPECTED` squared.
        """
        variance, expected = self.served.variance + self.candidate.variance, EXPECTED**2
        both = variance + expected
        return 0.5 * (math.log(variance / both) + self.gain**2 * expected / (variance * both))


def watch(ratings: Iterable[tuple[bool, bool]]) -> Monitor:
    """The state after ratings of (is the candidate's, is good), in the order they were given."""
    monitor = Monitor()
    for is_candidate, is_good in ratings:
        monitor.add(is_candidate=is_candidate, is_good=is_good)
    return monitor

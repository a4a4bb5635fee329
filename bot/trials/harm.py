"""Says whether a candidate does harm, from what the log knows of its trial: pure functions.

Every test may be asked after each question, and small numbers say nothing: see `monitor`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from bot.trials.arms import ArmOutcome, Arms
from bot.trials.monitor import Monitor, watch

GUARD_ALPHA = 0.01
"""How often at most each guard stops a candidate that is as good as what serves."""

MAX_FAILURES = 3
FAILURES_SHARE = 0.02
"""A candidate that fails so often, and in this share of its questions, is taken back."""

ABSTENTION = 0.10
CITATIONS = 0.05
SLOWNESS = 0.10
"""By how much the share of abstentions, of cited answers and of slow answers may differ."""

SLOW = 1.5
SLOW_S = 1.0
"""An answer is slow beyond so many times the served 95th percentile and so many seconds."""


def harm(arms: Arms) -> str | None:
    """Why the candidate is to be taken back; None while nothing speaks against it."""
    checks = (_failures, _ratings, _abstentions, _citations, _slowness)
    return next(filter(None, (check(arms) for check in checks)), None)


def _failures(arms: Arms) -> str | None:
    tried = arms.of(is_candidate=True)
    failed = sum(outcome.has_failed for outcome in tried)
    if failed < MAX_FAILURES or failed < FAILURES_SHARE * len(tried):
        return None
    return f"it failed in {failed} of {len(tried)} questions"


def _ratings(arms: Arms) -> str | None:
    monitor = arms.monitor()
    if monitor.verdict != "worse":
        return None
    tried, served = monitor.candidate, monitor.served
    return (
        f"people rate its answers worse: {tried.good} of {tried.ratings} good, and "
        f"{served.good} of {served.ratings} of what serves"
    )


def _abstentions(arms: Arms) -> str | None:
    monitor = _compare(arms.outcomes, lambda outcome: outcome.is_answer)
    if monitor.says(GUARD_ALPHA) == "unsure" or abs(monitor.gain) <= ABSTENTION:
        return None
    much = "more" if monitor.gain < 0 else "less"
    return f"it abstains {much} often: {_percent(monitor, is_good=False)}"


def _citations(arms: Arms) -> str | None:
    answers = [outcome for outcome in arms.outcomes if outcome.is_answer]
    monitor = _compare(answers, lambda outcome: outcome.is_cited)
    if monitor.says(GUARD_ALPHA) != "worse" or monitor.gain >= -CITATIONS:
        return None
    return f"it cites less often: {_percent(monitor)}"


def _slowness(arms: Arms) -> str | None:
    usual = [outcome.seconds for outcome in arms.of(is_candidate=False)]
    if not usual:
        return None
    limit = SLOW * float(np.percentile(usual, 95)) + SLOW_S
    monitor = _compare(arms.outcomes, lambda outcome: outcome.seconds <= limit)
    if monitor.says(GUARD_ALPHA) != "worse" or monitor.gain >= -SLOWNESS:
        return None
    return f"it takes longer than {limit:.1f} s too often: {_percent(monitor, is_good=False)}"


def _compare(outcomes: Iterable[ArmOutcome], is_good: Callable[[ArmOutcome], bool]) -> Monitor:
    working = (outcome for outcome in outcomes if not outcome.has_failed)
    return watch((outcome.is_candidate, is_good(outcome)) for outcome in working)


def _percent(monitor: Monitor, *, is_good: bool = True) -> str:
    shares = [arm.good / arm.ratings for arm in (monitor.candidate, monitor.served)]
    tried, served = (share if is_good else 1 - share for share in shares)
    return f"{tried:.0%} instead of {served:.0%}"

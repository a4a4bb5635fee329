"""Joins the ranked lists of the two legs of a search into one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

SMOOTHING = 60
"""The k of reciprocal rank fusion (Cormack et al. 2009)."""


def reciprocal_rank(
    legs: Sequence[Sequence[int]], *, smoothing: int = SMOOTHING
) -> dict[int, float]:
    """The fused score of each row: the sum of 1 / (smoothing + rank) over its legs."""
    scores: dict[int, float] = defaultdict(float)
    for rows in legs:
        for rank, row in enumerate(rows, start=1):
            scores[row] += 1 / (smoothing + rank)
    return dict(scores)

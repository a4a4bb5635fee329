"""Keeps one person's votes from making up too much of a set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bot.export.records import Draft


def within_share(drafts: Sequence[Draft], max_share: float) -> tuple[list[Draft], list[Draft]]:
    """As many drafts as can be kept so that nobody's votes make up more than the share, the rest.

    The best supported are kept first. A draft counts for each of its raters; experts' decisions
    count for nobody. So a handful of raters can fill a set only beside what experts approved.
    """
    ordered = sorted(drafts, key=lambda draft: (-draft.example.weight, draft.example.id))
    size = len(ordered)
    while len(kept := _at_most(int(size * max_share), ordered)) < size:
        size = len(kept)
    ids = {id(draft) for draft in kept}
    return kept, [draft for draft in ordered if id(draft) not in ids]


def _at_most(most: int, drafts: Sequence[Draft]) -> list[Draft]:
    counts: Counter[str] = Counter()
    kept = []
    for draft in drafts:
        if all(counts[rater] < most for rater in draft.raters):
            counts.update(draft.raters)
            kept.append(draft)
    return kept

"""Keeps one person's ratings from making up too much of a set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

from bot.export.records import ExampleDraft


def within_share(
    drafts: Sequence[ExampleDraft], max_share: float
) -> tuple[list[ExampleDraft], list[ExampleDraft]]:
    """As many drafts as can be kept so that nobody's ratings make up more than the share, the rest.

    The best supported are kept first. A draft counts for its raters in equal parts; experts'
    decisions count for nobody. So a handful of raters can fill a set only beside what experts
    approved.
    """
    ordered = sorted(drafts, key=lambda draft: (-draft.example.weight, draft.example.id))
    size = len(ordered)
    while (
        len(kept := _at_most(Fraction(max_share).limit_denominator(10_000) * size, ordered)) < size
    ):
        size = len(kept)
    ids = {id(draft) for draft in kept}
    return kept, [draft for draft in ordered if id(draft) not in ids]


def _at_most(most: Fraction, drafts: Sequence[ExampleDraft]) -> list[ExampleDraft]:
    counts: defaultdict[str, Fraction] = defaultdict(Fraction)
    kept = []
    for draft in drafts:
        part = Fraction(1, max(1, len(draft.raters)))
        if all(counts[rater] + part <= most for rater in draft.raters):
            for rater in draft.raters:
                counts[rater] += part
            kept.append(draft)
    return kept

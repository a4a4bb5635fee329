"""Keeps the ratings of one person, or of people who rate together, from filling a set."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

from bot.export.records import ExampleDraft

TOGETHER = Fraction(1, 2)
"""People who rate alike on more than this share of what either of them decides are as one."""

LEAST_TOGETHER = 8
"""Fewer examples in common are an accident."""

DOUBTED = ""
"""Stands for all who are doubted; it is nobody's id."""

ENOUGH_OTHERS = 2
"""An example that so many others also decide does not need somebody whose share is full."""


def within_share(
    drafts: Sequence[ExampleDraft], max_share: float, doubted: Collection[str] = ()
) -> tuple[list[ExampleDraft], list[ExampleDraft]]:
    """As many drafts as can be kept so that nobody's ratings make up more than the share, the rest.

    The best supported are kept first. A draft counts for its raters in equal parts, where people
    who always rate together are one, and so are all who are `doubted`; experts' decisions count for
    nobody. So a handful of raters can fill a set only beside what experts approved. A kept draft
    has the raters that it rests on: enough others do without those whose share is full.
    """
    ordered = sorted(drafts, key=lambda draft: (-draft.example.weight, draft.example.id))
    groups = together(draft.raters for draft in ordered) | dict.fromkeys(doubted, DOUBTED)
    size = len(ordered)
    share = Fraction(max_share).limit_denominator(10_000)
    while len(kept := _at_most(share * size, ordered, groups)) < size:
        size = len(kept)
    return [*kept.values()], [draft for n, draft in enumerate(ordered) if n not in kept]


def together(decided: Iterable[Collection[str]]) -> dict[str, str]:
    """Each rater, and one who stands for all that rate together with them.

    `decided` has the raters that each thing rests on.
    """
    counts: Counter[str] = Counter()
    common: Counter[tuple[str, str]] = Counter()
    for raters in decided:
        counts.update(raters)
        common.update(combinations(sorted(raters), 2))
    groups = {rater: rater for rater in counts}
    for (one, other), shared in sorted(common.items()):
        if shared >= LEAST_TOGETHER and shared > TOGETHER * max(counts[one], counts[other]):
            old, new = groups[other], groups[one]
            groups = {rater: new if group == old else group for rater, group in groups.items()}
    return groups


def _at_most(
    most: Fraction, drafts: Sequence[ExampleDraft], groups: Mapping[str, str]
) -> dict[int, ExampleDraft]:
    """The drafts that are kept, by their place."""
    counts: defaultdict[str, Fraction] = defaultdict(Fraction)
    kept = {}
    for n, draft in enumerate(drafts):
        people = sorted({groups[rater] for rater in draft.raters}, key=lambda p: (counts[p], p))
        needed = _needed(people, counts, most)
        if needed is None:
            continue
        for person in needed:
            counts[person] += Fraction(1, len(needed))
        kept[n] = replace(draft, raters=frozenset(r for r in draft.raters if groups[r] in needed))
    return kept


def _needed(
    people: Sequence[str], counts: Mapping[str, Fraction], most: Fraction
) -> Sequence[str] | None:
    """As many as can share a draft, those with the least so far first; None if too few can."""
    for size in range(len(people), min(ENOUGH_OTHERS, len(people)) - 1, -1):
        part = Fraction(1, max(1, size))
        if all(counts[person] + part <= most for person in people[:size]):
            return people[:size]
    return None

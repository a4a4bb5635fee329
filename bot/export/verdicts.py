"""From votes to a verdict: the last one counts, few a week, by how far their voter is trusted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Literal

from bot.export.records import Exclusion, ExportedTurn, Log, RatingEvent, ReasonCode
from retrieval.examples import content_id

OTHERS = 0.7
"""The weight of a rating by somebody who did not ask."""

DECIDED = 0.6
"""The least balance of ratings, from -1 to 1, that is a verdict either way."""

ENOUGH = 1.4
"""The weight of ratings, here those of two others, from which on a verdict has the full weight."""

PRIOR_AGREED, PRIOR_DISAGREED = 4, 1
LEAST_TRUST = 0.5
LEAST_COMPARED = 8
"""With fewer comparisons nobody is distrusted."""

ROUNDS = 3

PROOFS = 2
"""One agreement may be an accident."""

MOST = Fraction(2, 3)
"""Where fewer are proven, nobody has looked, and that somebody is not says nothing."""

Trust = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RatingVerdict:
    """What people say of an answer. `weight` is above 0 and at most 1 unless nobody decided."""

    word: Literal["good", "bad", "undecided"]
    weight: float = 0.0
    is_expert: bool = False
    raters: frozenset[str] = frozenset()
    reason: ReasonCode | None = None


def consolidate(events: Iterable[RatingEvent]) -> list[RatingEvent]:
    """The current rating of each person on each turn: the last one, unless it was taken back."""
    current: dict[tuple[str, str], RatingEvent] = {}
    for event in sorted(events, key=lambda event: event.number):
        key = (event.turn_id, event.rater)
        if event.is_withdrawn:
            current.pop(key, None)
        else:
            current[key] = event
    return sorted(current.values(), key=lambda event: event.number)


def within_week(
    ratings: Iterable[RatingEvent], most: int
) -> tuple[list[RatingEvent], list[Exclusion]]:
    """The first ratings of each person in each week, and the rest; imported ones have no week."""
    counts: Counter[tuple[str, int, int]] = Counter()
    kept, rest = [], []
    for rating in sorted(ratings, key=lambda rating: (rating.at, rating.number)):
        year, week, _ = date.fromisoformat(rating.at[:10]).isocalendar()
        counts[rating.rater, year, week] += 1
        if rating.is_imported or counts[rating.rater, year, week] <= most:
            kept.append(rating)
        else:
            rest.append(Exclusion("vote", rating_id(rating), "weekly_cap"))
    return kept, rest


def rating_id(rating: RatingEvent) -> str:
    """An id that tells neither the turn nor the rater to somebody who has only the data set."""
    return content_id("vote", rating.turn_id, rating.rater, str(rating.number))


def trust_of(ratings: Collection[RatingEvent], log: Log) -> dict[str, float]:
    """How far each rater is trusted, 0 to 1, by how often experts and others agreed with them.

    An expert's rating on the same turn decides, else the majority of the other raters, who count by
    their own trust. Whoever was often enough compared with experts is judged by that alone, as
    those who rate together are a majority to each other. Judged by person and not by rating, as
    those who rate against everybody do so throughout (Ju et al. 2022, arXiv 2208.03295). Somebody
    distrusted has 0.
    """
    channels = {turn.id: turn.channel for turn in log.turns}
    by_turn: dict[str, list[RatingEvent]] = defaultdict(list)
    for rating in ratings:
        by_turn[rating.turn_id].append(rating)
    trust = {rating.rater: 1.0 for rating in ratings}
    for _ in range(ROUNDS):
        agreed: Counter[tuple[str, bool]] = Counter()
        compared: Counter[tuple[str, bool]] = Counter()
        for turn_id, cast in by_turn.items():
            experts = {v.rater for v in cast if log.is_expert(v.rater, channels.get(turn_id, ""))}
            for rating in cast:
                truth = _others(rating, cast, experts, trust)
                key = (rating.rater, bool(experts - {rating.rater}))
                compared[key] += truth != 0
                agreed[key] += truth * rating.value > 0
        for rater in trust:
            by_experts, by_others = (rater, True), (rater, False)
            is_enough = compared[by_experts] >= LEAST_COMPARED
            keys = [by_experts] if is_enough else [by_experts, by_others]
            trust[rater] = _trust(sum(agreed[k] for k in keys), sum(compared[k] for k in keys))
    return trust


def unproven(ratings: Collection[RatingEvent], log: Log, trust: Trust) -> frozenset[str]:
    """Who has never been seen to agree with anybody who has, in the end, agreed with experts.

    Whoever agreed on `PROOFS` turns with experts, or with those who did, is proven, unless they are
    distrusted. Those who rate only what nobody else rates prove nothing, to whatever number. Nobody
    is told in a log in which fewer than `MOST` are proven, such as one without experts.
    """
    channels = {turn.id: turn.channel for turn in log.turns}
    by_turn: dict[str, list[RatingEvent]] = defaultdict(list)
    for rating in ratings:
        by_turn[rating.turn_id].append(rating)
    raters = {rating.rater for rating in ratings}
    proven = {r.rater for r in ratings if log.is_expert(r.rater, channels.get(r.turn_id, ""))}
    found = len(proven)
    while found:
        agreed: Counter[str] = Counter()
        for cast in by_turn.values():
            for value in (-1, 1):
                alike = {rating.rater for rating in cast if rating.value == value}
                if alike & proven:
                    agreed.update(alike - proven)
        new = {r for r, times in agreed.items() if times >= PROOFS and trust.get(r, 0) > 0}
        proven |= new
        found = len(new)
    return frozenset(raters - proven) if len(proven) >= MOST * len(raters) else frozenset()


def _others(
    rating: RatingEvent, cast: Iterable[RatingEvent], experts: Collection[str], trust: Trust
) -> float:
    """Above 0 if those who decide are for the answer, below 0 if against, 0 if nobody decides."""
    others = [other for other in cast if other.rater != rating.rater]
    decisive = [other for other in others if other.rater in experts]
    return sum(other.value * trust[other.rater] for other in decisive or others)


def _trust(agreed: int, compared: int) -> float:
    share = (PRIOR_AGREED + agreed) / (PRIOR_AGREED + PRIOR_DISAGREED + compared)
    return 0.0 if share < LEAST_TRUST and compared >= LEAST_COMPARED else share


def verdict(
    ratings: Collection[RatingEvent], turns: Mapping[str, ExportedTurn], trust: Trust, log: Log
) -> RatingVerdict:
    """What the current ratings on one answer come to; `turns` are those that gave it.

    An expert's word decides. Otherwise ratings are weighed by their rater's trust, those of others
    than the asker a little less.
    """
    if not ratings:
        return RatingVerdict("undecided", reason="unrated")
    experts = [v for v in ratings if log.is_expert(v.rater, turns[v.turn_id].channel)]
    if experts:
        return _decision(experts, is_expert=True, weight=1.0)
    weights = {v: _weight(v, turns[v.turn_id], trust) for v in ratings if trust[v.rater] > 0}
    if not weights:
        return RatingVerdict("undecided", reason="distrusted_raters")
    total = sum(weights.values())
    balance = sum(v.value * weight for v, weight in weights.items()) / total
    if abs(balance) < DECIDED:
        return RatingVerdict("undecided", reason="contradictory")
    winners = [v for v in weights if v.value * balance > 0]
    return _decision(winners, is_expert=False, weight=min(1.0, total * abs(balance) / ENOUGH))


def _decision(ratings: Collection[RatingEvent], *, is_expert: bool, weight: float) -> RatingVerdict:
    values = {rating.value for rating in ratings}
    if len(values) > 1:
        return RatingVerdict("undecided", reason="contradictory")
    word: Literal["good", "bad"] = "good" if values == {1} else "bad"
    return RatingVerdict(
        word, round(weight, 3), is_expert, frozenset(rating.rater for rating in ratings)
    )


def _weight(rating: RatingEvent, turn: ExportedTurn, trust: Trust) -> float:
    return trust[rating.rater] * (1.0 if rating.rater == turn.asker else OTHERS)

"""From votes to a verdict: the last one counts, few a week, by how far their voter is trusted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from bot.export.records import Exclusion, ExportedTurn, Log, ReasonCode, VoteEvent
from retrieval.examples import content_id

OTHERS = 0.7
"""The weight of a vote by somebody who did not ask."""

DECIDED = 0.6
"""The least balance of votes, from -1 to 1, that is a verdict either way."""

ENOUGH = 1.4
"""The weight of votes, here those of two others, from which on a verdict has the full weight."""

PRIOR_AGREED, PRIOR_DISAGREED = 4, 1
LEAST_TRUST = 0.5
LEAST_COMPARED = 8
"""With fewer comparisons nobody is distrusted."""

ROUNDS = 3

Trust = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class VoteVerdict:
    """What people say of an answer. `weight` is above 0 and at most 1 unless nobody decided."""

    word: Literal["good", "bad", "undecided"]
    weight: float = 0.0
    is_expert: bool = False
    raters: frozenset[str] = frozenset()
    reason: ReasonCode | None = None


def consolidate(events: Iterable[VoteEvent]) -> list[VoteEvent]:
    """The current vote of each person on each turn: the last one, unless it was taken back."""
    current: dict[tuple[str, str], VoteEvent] = {}
    for event in sorted(events, key=lambda event: event.number):
        key = (event.turn_id, event.voter)
        if event.is_withdrawn:
            current.pop(key, None)
        else:
            current[key] = event
    return sorted(current.values(), key=lambda event: event.number)


def within_week(votes: Iterable[VoteEvent], most: int) -> tuple[list[VoteEvent], list[Exclusion]]:
    """The first votes of each person in each week, and the rest; imported votes have no week."""
    counts: Counter[tuple[str, int, int]] = Counter()
    kept, rest = [], []
    for vote in sorted(votes, key=lambda vote: (vote.at, vote.number)):
        year, week, _ = date.fromisoformat(vote.at[:10]).isocalendar()
        counts[vote.voter, year, week] += 1
        if vote.is_imported or counts[vote.voter, year, week] <= most:
            kept.append(vote)
        else:
            rest.append(Exclusion("vote", vote_id(vote), "weekly_cap"))
    return kept, rest


def vote_id(vote: VoteEvent) -> str:
    """An id that tells neither the turn nor the voter to somebody who has only the data set."""
    return content_id("vote", vote.turn_id, vote.voter, str(vote.number))


def trust_of(votes: Collection[VoteEvent], log: Log) -> dict[str, float]:
    """How far each voter is trusted, 0 to 1, by how often experts and others agreed with them.

    An expert's vote on the same turn decides, else the majority of the other voters, who count by
    their own trust. Judged by person and not by vote, as those who vote against everybody do so
    throughout (Ju et al. 2022, arXiv 2208.03295). Somebody distrusted has 0.
    """
    channels = {turn.id: turn.channel for turn in log.turns}
    by_turn: dict[str, list[VoteEvent]] = defaultdict(list)
    for vote in votes:
        by_turn[vote.turn_id].append(vote)
    trust = {vote.voter: 1.0 for vote in votes}
    for _ in range(ROUNDS):
        agreed: Counter[str] = Counter()
        compared: Counter[str] = Counter()
        for turn_id, cast in by_turn.items():
            experts = {v.voter for v in cast if log.is_expert(v.voter, channels.get(turn_id, ""))}
            for vote in cast:
                truth = _others(vote, cast, experts, trust)
                compared[vote.voter] += truth != 0
                agreed[vote.voter] += truth * vote.value > 0
        trust = {voter: _trust(agreed[voter], compared[voter]) for voter in trust}
    return trust


def _others(
    vote: VoteEvent, cast: Iterable[VoteEvent], experts: Collection[str], trust: Trust
) -> float:
    """Above 0 if those who decide are for the answer, below 0 if against, 0 if nobody decides."""
    others = [other for other in cast if other.voter != vote.voter]
    decisive = [other for other in others if other.voter in experts]
    return sum(other.value * trust[other.voter] for other in decisive or others)


def _trust(agreed: int, compared: int) -> float:
    share = (PRIOR_AGREED + agreed) / (PRIOR_AGREED + PRIOR_DISAGREED + compared)
    return 0.0 if share < LEAST_TRUST and compared >= LEAST_COMPARED else share


def verdict(
    votes: Collection[VoteEvent], turns: Mapping[str, ExportedTurn], trust: Trust, log: Log
) -> VoteVerdict:
    """What the current votes on one answer come to; `turns` are those that gave it.

    An expert's word decides. Otherwise votes are weighed by their voter's trust, those of others
    than the asker a little less.
    """
    if not votes:
        return VoteVerdict("undecided", reason="unrated")
    experts = [v for v in votes if log.is_expert(v.voter, turns[v.turn_id].channel)]
    if experts:
        return _decision(experts, is_expert=True, weight=1.0)
    weights = {v: _weight(v, turns[v.turn_id], trust) for v in votes if trust[v.voter] > 0}
    if not weights:
        return VoteVerdict("undecided", reason="distrusted_raters")
    total = sum(weights.values())
    balance = sum(v.value * weight for v, weight in weights.items()) / total
    if abs(balance) < DECIDED:
        return VoteVerdict("undecided", reason="contradictory")
    winners = [v for v in weights if v.value * balance > 0]
    return _decision(winners, is_expert=False, weight=min(1.0, total * abs(balance) / ENOUGH))


def _decision(votes: Collection[VoteEvent], *, is_expert: bool, weight: float) -> VoteVerdict:
    values = {vote.value for vote in votes}
    if len(values) > 1:
        return VoteVerdict("undecided", reason="contradictory")
    word: Literal["good", "bad"] = "good" if values == {1} else "bad"
    return VoteVerdict(word, round(weight, 3), is_expert, frozenset(vote.voter for vote in votes))


def _weight(vote: VoteEvent, turn: ExportedTurn, trust: Trust) -> float:
    return trust[vote.voter] * (1.0 if vote.voter == turn.asker else OTHERS)

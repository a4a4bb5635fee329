"""What the log says of the two arms of a trial."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from bot.store.database import Database
from bot.trials.monitor import Monitor, watch
from retrieval.registry.trials import Trial

LEAST_PEOPLE = 5
"""Ratings of fewer people decide nothing."""

LEAST_ALIKE = 3
"""Whoever gave so many ratings as somebody else did, more than half of theirs, counts with them."""

MAX_OF_ONE = 5
"""So many ratings of each arm count of one person: nobody alone takes a model back."""


@dataclass(frozen=True, slots=True)
class ArmOutcome:
    """How a question was answered; where the candidate `has_failed`, nothing else is known."""

    is_candidate: bool
    is_answer: bool = False
    is_cited: bool = False
    seconds: float = 0.0
    has_failed: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """How what a candidate said in the shadow compares to what was shown.

    `overlap` is the mean share, 0 to 1, of the passages found that both found. `gained` answers
    the candidate alone has given, `lost` are those that it alone has not.
    """

    questions: int
    overlap: float
    gained: int
    lost: int


@dataclass(frozen=True, slots=True)
class Arms:
    """What happened in a trial. `ratings` are (is the candidate's, is good), the oldest first.

    `people` is how many gave them, each by themselves.
    """

    outcomes: tuple[ArmOutcome, ...]
    ratings: tuple[tuple[bool, bool], ...]
    agreement: Agreement | None = None
    people: int = LEAST_PEOPLE

    def of(self, *, is_candidate: bool) -> list[ArmOutcome]:
        """The outcomes of one arm."""
        return [outcome for outcome in self.outcomes if outcome.is_candidate is is_candidate]

    def monitor(self) -> Monitor:
        """What the ratings say; nothing if too few people gave them."""
        watched = watch(self.ratings)
        if self.people < LEAST_PEOPLE:
            watched.p = 1.0
        return watched


def read_arms(database: Database, trial: Trial) -> Arms:
    """Everything of a trial so far."""
    outcomes = [*_turns(database, trial), *_shadows(database, trial)]
    votes = _votes(database, trial)
    ratings = [(arm == "candidate", value > 0) for _, arm, _, value in votes]
    return Arms(tuple(outcomes), tuple(ratings), _agreement(database, trial), _people(votes))


def _turns(database: Database, trial: Trial) -> Iterator[ArmOutcome]:
    rows = database.connection.query(
        "SELECT arm, kind, citations, timings FROM turns"
        " WHERE trial = ? AND created >= ? ORDER BY rowid",
        (trial.run, trial.since[:19]),
    )
    for row in rows:
        seconds = json.loads(row["timings"]).get("total", 0.0)
        is_answer, is_cited = row["kind"] == "answer", row["citations"] != "[]"
        if row["arm"] == "failed":
            yield ArmOutcome(is_candidate=True, has_failed=True)
        else:
            yield ArmOutcome(row["arm"] == "candidate", is_answer, is_cited, seconds)


def _shadows(database: Database, trial: Trial) -> Iterator[ArmOutcome]:
    for kind, is_cited, seconds in database.connection.execute(
        "SELECT kind, is_cited, seconds FROM shadows WHERE trial = ? AND at >= ?"
        " AND kind != 'unasked'",
        (trial.run, trial.since[:19]),
    ):
        if kind == "failed":
            yield ArmOutcome(is_candidate=True, has_failed=True)
        else:
            yield ArmOutcome(True, kind == "answer", bool(is_cited), seconds)


def _votes(database: Database, trial: Trial) -> list[tuple[str, str, str, int]]:
    """Turn, arm, voter and value of what counts, the oldest first."""
    rows = database.connection.execute(
        "SELECT turn_id, arm, voter, value FROM votes JOIN turns ON turns.id = votes.turn_id"
        " WHERE trial = ? AND created >= ? AND arm != 'failed'"
        " ORDER BY votes.at, votes.rowid",
        (trial.run, trial.since[:19]),
    )
    counted: Counter[tuple[str, str]] = Counter()
    votes = []
    for turn_id, arm, voter, value in rows:
        counted[arm, voter] += 1
        if counted[arm, voter] <= MAX_OF_ONE:
            votes.append((turn_id, arm, voter, value))
    return votes


def _people(votes: Sequence[tuple[str, str, str, int]]) -> int:
    """How many people voted, where those who vote together are one."""
    given: dict[str, set[tuple[str, int]]] = {}
    for turn_id, _, voter, value in votes:
        given.setdefault(voter, set()).add((turn_id, value))
    counted: list[set[tuple[str, int]]] = []
    for mine in given.values():
        alike = max((len(mine & theirs) for theirs in counted), default=0)
        if alike < LEAST_ALIKE or 2 * alike <= len(mine):
            counted.append(mine)
    return len(counted)


def _agreement(database: Database, trial: Trial) -> Agreement | None:
    rows = database.connection.execute(
        "SELECT turns.kind, shadows.kind, overlap FROM shadows JOIN turns ON turns.id = turn_id"
        " WHERE shadows.trial = ? AND at >= ?"
        " AND shadows.kind IN ('answer', 'abstention')",
        (trial.run, trial.since[:19]),
    ).fetchall()
    if not rows:
        return None
    kinds = [(shown, hidden) for shown, hidden, _ in rows]
    return Agreement(
        questions=len(rows),
        overlap=fmean(overlap for _, _, overlap in rows),
        gained=kinds.count(("abstention", "answer")),
        lost=kinds.count(("answer", "abstention")),
    )

"""What the log says of the two arms of a trial."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

from bot.store.database import Database
from bot.trials.monitor import Monitor, watch
from retrieval.registry.trials import Trial

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
    """What happened in a trial. `ratings` are (is the candidate's, is good), the oldest first."""

    outcomes: tuple[ArmOutcome, ...]
    ratings: tuple[tuple[bool, bool], ...]
    agreement: Agreement | None = None

    def of(self, *, is_candidate: bool) -> list[ArmOutcome]:
        """The outcomes of one arm."""
        return [outcome for outcome in self.outcomes if outcome.is_candidate is is_candidate]

    def monitor(self) -> Monitor:
        """What the ratings say."""
        return watch(self.ratings)


def read_arms(database: Database, trial: Trial) -> Arms:
    """Everything of a trial so far."""
    outcomes = [*_turns(database, trial), *_shadows(database, trial)]
    return Arms(tuple(outcomes), tuple(_ratings(database, trial)), _agreement(database, trial))


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


def _ratings(database: Database, trial: Trial) -> Iterator[tuple[bool, bool]]:
    counted: Counter[tuple[str, str]] = Counter()
    for arm, rater, value in database.connection.execute(
        "SELECT arm, voter, value FROM votes JOIN turns ON turns.id = votes.turn_id"
        " WHERE trial = ? AND created >= ? AND arm != 'failed'"
        " ORDER BY votes.at, votes.rowid",
        (trial.run, trial.since[:19]),
    ):
        counted[arm, rater] += 1
        if counted[arm, rater] <= MAX_OF_ONE:
            yield arm == "candidate", value > 0


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

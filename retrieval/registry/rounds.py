"""What each round of `whimbrel learn` tried and what came of it, kept with the runs it left."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from retrieval import jsonl

ROUNDS = "rounds.jsonl"

PICTURE = "gate.png"
"""The picture, in a run's folder, of what the gate measured."""

TryState = Literal[
    "too_few",
    "known",
    "ready",
    "refused",
    "broken_off",
    "stopped",
    "passed",
    "on_trial",
    "published",
]
"""How a try ended.

`too_few`: there was not enough to learn from. `known`: a round before has tried the same data.
`ready`: there is enough, but its turn did not come.
`refused`: the learner could not begin. `broken_off`: time was up. `stopped`: the gate said no.
`passed`: the gate said yes, and an admin may publish it. `on_trial`: it answers a
share of the threads. `published`: it serves.
"""

Counted = Literal["questions", "held_out", "judgements", "labels", "answers", "preferences"]
"""What is counted.

Questions with a passage that answers them, questions held out to judge by, rated answers, pairs of
a question and a passage, answers that may be imitated, better answers beside worse ones.
"""

SETTLED: frozenset[TryState] = frozenset({"stopped", "passed", "on_trial", "published"})
"""A try that ended like this would end so again on the same data."""


@dataclass(frozen=True, slots=True)
class Try:
    """What became of one learner.

    It found `found` things of a kind (`of`) of which it needs `needed`. `run` is the id of the run
    that it left, now or in a round before; `reason` says more, in words. So many questions as
    `judged` show no mean gain that is less than `least_gain`.
    """

    learner: str
    state: TryState
    of: Counted
    found: int
    needed: int
    run: str = ""
    reason: str = ""
    judged: int = 0
    least_gain: float = 0.0

    @property
    def missing(self) -> int:
        """How many more are needed."""
        return max(0, self.needed - self.found)


@dataclass(frozen=True, slots=True)
class Round:
    """One round; `at` is ISO 8601 in UTC, `dataset` the hash of the data set."""

    at: str
    dataset: str
    held_out: int
    seconds: float
    tries: tuple[Try, ...]


_ROUNDS = TypeAdapter(Round)


def keep_round(home: Path, done: Round) -> None:
    """Write down a round."""
    jsonl.append_sealed(home / ROUNDS, asdict(done))


def to_line(done: Round) -> str:
    """A round as one line of JSON."""
    return jsonl.to_line(asdict(done))


def from_line(line: str | bytes) -> Round:
    """The round that `to_line` wrote.

    Raises:
        ValueError: If it is not one.
    """
    return _ROUNDS.validate_json(line)


def all_rounds(home: Path) -> list[Round]:
    """Every round there was, the oldest first.

    Raises:
        DataError: If a line is damaged, and in the copy, too.
    """
    return jsonl.read_sealed(home / ROUNDS, _ROUNDS.validate_python)


def settled_try(home: Path, learner: str, dataset: str) -> Try | None:
    """The newest try of a learner on a data set that came to an end; None if there was none."""
    return next(
        (
            attempt
            for done in reversed(all_rounds(home))
            if done.dataset == dataset
            for attempt in done.tries
            if attempt.learner == learner and attempt.state in SETTLED
        ),
        None,
    )

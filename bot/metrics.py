"""What this process counts for `/metrics`; no label says who asked, where, what or from what."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
"""What is counted from the start of the process, and its memory and processor time."""

ProcessCollector(registry=REGISTRY)

_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)
_STAGES = ("rewrite", "search", "judge", "generate", "first_token", "total")

QUESTIONS = Counter(
    "whimbrel_questions", "Questions by how they ended", ["outcome"], registry=REGISTRY
)
ANSWER_SECONDS = Histogram(
    "whimbrel_answer_seconds",
    "Seconds of answers by stage; `card` is from the event to the card",
    ["stage"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
JOBS = Counter(
    "whimbrel_jobs",
    "Attempts at jobs by kind and how they ended",
    ["kind", "outcome"],
    registry=REGISTRY,
)
VOTES = Counter("whimbrel_votes", "Ratings of answers", ["value"], registry=REGISTRY)
SLACK_CALLS = Counter(
    "whimbrel_slack_calls",
    "Calls of Slack's Web API, repeated ones counted once",
    ["method", "outcome"],
    registry=REGISTRY,
)
SLACK_THROTTLED = Counter(
    "whimbrel_slack_throttled",
    "Calls that Slack wanted later (status 429)",
    ["method"],
    registry=REGISTRY,
)
DATABASE_SECONDS = Histogram(
    "whimbrel_database_wait_seconds",
    "Seconds that writers waited for their turn",
    buckets=(0.001, 0.01, 0.1, 1, 5, 30),
    registry=REGISTRY,
)
DATABASE_BUSY = Counter("whimbrel_database_busy", "Writers that waited in vain", registry=REGISTRY)

QuestionOutcome = Literal["answered", "abstained", "error", "refused"]
JobOutcome = Literal["done", "again", "held_up", "failed", "lost"]

for _outcome in get_args(QuestionOutcome):
    QUESTIONS.labels(_outcome)  # a rate needs the zero before the first one
for _value in ("up", "down", "withdrawn"):
    VOTES.labels(_value)


def count_question(outcome: QuestionOutcome) -> None:
    """A question has ended."""
    QUESTIONS.labels(outcome).inc()


def count_answer(kind: str, timings: Mapping[str, float], *, card_s: float) -> None:
    """A question was answered or abstained from, so many seconds after its event."""
    count_question("answered" if kind == "answer" else "abstained")
    for stage in _STAGES:
        if stage in timings:
            ANSWER_SECONDS.labels(stage).observe(timings[stage])
    ANSWER_SECONDS.labels("card").observe(card_s)


def count_job(kind: str, outcome: JobOutcome) -> None:
    """An attempt at a job has ended."""
    JOBS.labels(kind, outcome).inc()


def count_vote(value: int, *, is_withdrawn: bool) -> None:
    """Somebody has rated an answer, or taken that back."""
    VOTES.labels("withdrawn" if is_withdrawn else "up" if value > 0 else "down").inc()


@contextmanager
def waiting_to_write(refusal: type[Exception]) -> Iterator[Callable[[], None]]:
    """Measures until the block calls what it is given, or is refused before it has."""
    began, is_ours = time.monotonic(), False

    def done() -> None:
        nonlocal is_ours
        is_ours = True
        DATABASE_SECONDS.observe(time.monotonic() - began)

    try:
        yield done
    except refusal:
        if not is_ours:
            DATABASE_BUSY.inc()
        raise

"""What `/metrics` tells: what was counted, and how queue, index, sources and learning stand."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import get_args

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from bot.admin.learner import LearningProcess
from bot.admin.syncing import SyncProcess
from bot.metrics import REGISTRY
from bot.store.inbox import Inbox, JobKind
from retrieval.errors import RetrievalError
from retrieval.index.manifest import Manifest
from retrieval.models import client
from retrieval.registry.rounds import Round
from retrieval.serving.installation import Installation
from retrieval.sources.syncing import Pulled

_READABLE = "1 if there is an index and it can be read"

KINDS: tuple[str, ...] = get_args(JobKind)


class Monitoring:
    """Measures the bot as it stands at the moment it is asked."""

    def __init__(
        self,
        inbox: Inbox,
        installation: Installation,
        learner: LearningProcess,
        syncer: SyncProcess,
    ) -> None:
        self._inbox = inbox
        self._installation = installation
        self._learner = learner
        self._syncer = syncer

    async def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        backlog = await self._inbox.database.run(self._inbox.backlog)
        standing = await asyncio.to_thread(self._standing, backlog)
        return generate_latest(REGISTRY) + generate_latest(_Collected(standing))

    def _standing(self, backlog: dict[str, tuple[int, float]]) -> list[Metric]:
        now = time.time()
        return [
            *queue(backlog),
            *endpoints(),
            *self._index(now),
            *sources(self._syncer.last(), now),
            *self._learning(),
        ]

    def _index(self, now: float) -> Iterator[Metric]:
        try:
            manifest, _ = self._installation.generations()
        except RetrievalError:
            yield _gauge("whimbrel_index_readable", _READABLE, 0)
            return
        yield _gauge("whimbrel_index_readable", _READABLE, 1)
        yield from index(manifest, now)

    def _learning(self) -> Iterator[Metric]:
        try:
            yield learning(self._learner.rounds())
        except RetrievalError:
            return  # `whimbrel doctor` tells of damaged files; the other numbers are there


class _Collected:
    """Metrics that were collected already."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def queue(backlog: dict[str, tuple[int, float]]) -> Iterator[Metric]:
    """How many jobs wait, and how long the oldest has, by kind."""
    depth = GaugeMetricFamily("whimbrel_queue_jobs", "Jobs that wait", labels=["kind"])
    oldest = GaugeMetricFamily(
        "whimbrel_queue_oldest_seconds", "How long the oldest of them has waited", labels=["kind"]
    )
    for kind in KINDS:
        count, seconds = backlog.get(kind, (0, 0.0))
        depth.add_metric([kind], count)
        oldest.add_metric([kind], seconds)
    yield depth
    yield oldest


def endpoints() -> Iterator[Metric]:
    """Calls of models' endpoints by what the model is for, and whether they are left alone."""
    calls = CounterMetricFamily(
        "whimbrel_endpoint_calls", "Calls of models' endpoints", labels=["model", "outcome"]
    )
    for (model, outcome), count in sorted(client.CALLS.counts().items()):
        calls.add_metric([model, outcome], count)
    resting = GaugeMetricFamily(
        "whimbrel_endpoint_resting", "1 while a failing endpoint is left alone", labels=["model"]
    )
    for model, is_resting in sorted(client.resting().items()):
        resting.add_metric([model], is_resting)
    yield calls
    yield resting


def index(manifest: Manifest, now: float) -> Iterator[Metric]:
    """How old and how large the index is that is served."""
    age = now - datetime.fromisoformat(manifest.created).timestamp()
    yield _gauge("whimbrel_index_age_seconds", "Since the served index was made", age)
    yield _gauge("whimbrel_index_passages", "Passages in it", manifest.passages)
    yield _gauge("whimbrel_index_documents", "Documents in it", manifest.documents)


def sources(pulled: Iterable[Pulled], now: float) -> Iterator[Metric]:
    """When each source was synced last, and how that ended; one never synced has no age."""
    ages = GaugeMetricFamily(
        "whimbrel_source_age_seconds", "Since the last sync of a source", labels=["source"]
    )
    left_out = GaugeMetricFamily(
        "whimbrel_source_left_out", "Documents of a source that are left out", labels=["source"]
    )
    broken = GaugeMetricFamily(
        "whimbrel_source_broken", "1 if the last sync of a source broke off", labels=["source"]
    )
    for source in pulled:
        if source.ended:
            age = now - datetime.fromisoformat(source.ended).timestamp()
            ages.add_metric([source.name], age)
        left_out.add_metric([source.name], len(source.left_out))
        broken.add_metric([source.name], source.error is not None)
    yield from (ages, left_out, broken)


def learning(rounds: Iterable[Round]) -> Metric:
    """What came of every try to learn, since the first one."""
    tries = CounterMetricFamily(
        "whimbrel_learning_tries",
        "Tries to learn by how they ended at the gate or before",
        labels=["learner", "outcome"],
    )
    ended = Counter((tried.learner, tried.state) for done in rounds for tried in done.tries)
    for (learner, state), count in sorted(ended.items()):
        tries.add_metric([learner, state], count)
    return tries


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_, value=value)

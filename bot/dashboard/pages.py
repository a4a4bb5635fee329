"""What each page of the dashboard shows: read from the log and the disk, for who may read it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from bot.admin.report import Report, build_report, figures
from bot.admin.reporting import make_report
from bot.dashboard.charts import RatePoint
from bot.dashboard.documents import IndexedDocuments
from bot.dashboard.way import Ways
from bot.review.document_lookup import citable
from bot.store.database import Database
from bot.store.inbox import Inbox
from bot.store.period import Period, ReportedTurn, read_period
from bot.store.reviews import Review, ReviewAccess, Reviews
from bot.store.turns import Turns
from bot.trials.arms import Arms, read_arms
from retrieval.errors import IndexNotFoundError, RetrievalError
from retrieval.index.account import Account
from retrieval.index.library import Library
from retrieval.index.manifest import Manifest
from retrieval.index.served_embedder import load_embedder, served_runs
from retrieval.index.store import index_store
from retrieval.records import PUBLIC, Source
from retrieval.registry.rounds import PICTURE, Round, all_rounds
from retrieval.registry.runs import Deployment, Run, all_runs, deployments, folder_of
from retrieval.registry.trials import Trial, under_way
from retrieval.serving.installation import Installation
from retrieval.settings import Settings, SourceTable
from retrieval.sources.syncing import Pulled, results

LISTED = 50
POINTS = 14
"""So many days are drawn one by one; more are drawn by weeks."""
LATE = 2
"""A source is late that was not synced for so many of its intervals."""

_NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source, when it was to be synced, and how its last sync ended."""

    pulled: Pulled
    kind: str
    every: str | None
    is_late: bool


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An entry of the audit log. `documents` may be named; `withheld` others may not."""

    id: int
    at: str
    act: str
    person: str
    decision: str
    documents: tuple[str, ...]
    withheld: int


@dataclass(frozen=True, slots=True)
class LearnedRow:
    """A model that was learned, whether it serves, and whether its gate drew a picture."""

    run: Run
    is_serving: bool
    has_picture: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What was learned, what is tried, and what came of it."""

    learned: tuple[LearnedRow, ...]
    deployments: tuple[Deployment, ...]
    trial: Trial | None
    arms: Arms | None
    last: Round | None


class Pages:
    """Reads for one page at a time; safe to call from many threads."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self.documents = IndexedDocuments(index_store(settings))
        self.ways = Ways(database, self.documents)
        self._reviews = Reviews(database)
        self._inbox = Inbox(database)
        self._turns = Turns(database)

    @cached_property
    def _installation(self) -> Installation:
        return Installation(Library(self._settings, load_embedder(self._settings)))

    def report(self, readers: frozenset[str], *, days: int) -> tuple[Report, list[RatePoint]]:
        """The numbers of the last days, without gaps, and the rates by day or week."""
        period = self._period(days)
        named = [source for source in self._sources() if source.audience in readers]
        report = build_report(period, named, account=self._account())
        return report, rate_points(period)

    def gaps(self, readers: frozenset[str], *, days: int, tells_all: bool) -> Report:
        """The report with what the documents do not answer; the embedder is loaded for it."""
        period = self._period(days)
        return make_report(period, self._installation, readers=readers, tells_all=tells_all)

    def sources(self) -> list[SourceRow]:
        """Every source of `whimbrel.toml`, the late ones first."""
        tables = self._settings.sources
        rows = [_source_row(pulled, tables[pulled.name]) for pulled in results(self._settings)]
        return sorted(rows, key=lambda row: (not row.is_late, row.pulled.name))

    def index(self) -> Manifest | None:
        """What is served; None where that is nothing that can be read."""
        try:
            return index_store(self._settings).manifest()
        except RetrievalError:
            return None

    def queue(self) -> tuple[dict[str, tuple[int, float]], dict[str, int]]:
        """Waiting jobs by kind with the age of the oldest, and all jobs by state."""
        return self._inbox.backlog(), self._inbox.counts()

    def standing(self) -> Standing:
        """How learning stands."""
        home = self._settings.runs_folder
        serving, trial = served_runs(self._settings), under_way(home)
        learned = [
            LearnedRow(run, run == serving.get(run.kind), self.picture(run.id) is not None)
            for run in all_runs(home)
        ]
        return Standing(
            tuple(reversed(learned)),
            tuple(reversed(deployments(home)))[:LISTED],
            trial,
            read_arms(self._database, trial) if trial else None,
            next(reversed(all_rounds(home)), None),
        )

    def picture(self, run_id: str) -> Path | None:
        """What the gate measured of a run, as a file; None if there is none."""
        home = self._settings.runs_folder
        run = next((run for run in all_runs(home) if run.id == run_id), None)
        path = folder_of(home, run) / PICTURE if run else None
        return path if path is not None and path.is_file() else None

    def audit(self, readers: frozenset[str], *, before: int) -> list[AuditRow]:
        """The latest entries before one, the newest first; no row names a person."""
        rows = self._database.connection.query(
            "SELECT id, at, act, person, details FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
            (before, LISTED),
        )
        return [self._audit_row(row, readers) for row in rows]

    def _audit_row(self, row: Mapping[str, Any], readers: frozenset[str]) -> AuditRow:
        details = json.loads(row["details"])
        documents = [(id_, label) for id_, label in details.get("documents", ())]
        named = tuple(
            id_
            for id_, label in documents
            if label in readers and self.documents.document_label(id_) in readers
        )
        return AuditRow(
            row["id"],
            row["at"],
            row["act"],
            row["person"],
            str(details.get("decision", "")),
            named,
            len(documents) - len(named),
        )

    def reviews(self, access: ReviewAccess, readers: frozenset[str]) -> tuple[list[Review], int]:
        """The reviews that somebody may decide and read here, and how many they may decide."""
        found, count = self._reviews.queue(access, limit=10_000)
        shown = [review for review in found if self._is_readable(review, access, readers)]
        return shown[:LISTED], count

    def review(
        self, review_id: int, access: ReviewAccess, readers: frozenset[str]
    ) -> Review | None:
        """One of them, whatever became of it."""
        review = self._reviews.get(review_id)
        is_theirs = review is not None and access.may_review(review.proposal)
        return review if is_theirs and self._is_readable(review, access, readers) else None

    def choices(
        self, review: Review, access: ReviewAccess, readers: frozenset[str]
    ) -> dict[int, str]:
        """The documents that may be named to be cited, by their position among all of them."""
        found = citable(self._turns, review.proposal)
        readable = self.documents.readable(found, _labels(review, access, readers))
        return {position: ref.document_id for position, ref in readable.items()}

    def _is_readable(
        self, review: Review | None, access: ReviewAccess, readers: frozenset[str]
    ) -> bool:
        """Whether it may stand here: as Slack shows it, or only what everybody may read."""
        if review is None:
            return False
        document = review.proposal.document
        label = self.documents.document_label(document.document_id) if document else None
        needed = review.proposal.audience | ({label} if label else _NOBODY)
        return _labels(review, access, readers) >= needed

    def _period(self, days: int) -> Period:
        return read_period(self._database, days=days, until=datetime.now(UTC))

    def _sources(self) -> Sequence[Source]:
        try:
            held = self.documents.held()
        except IndexNotFoundError:
            return ()
        return list({p.source.id: p.source for p in held.passages.values()}.values())

    def _account(self) -> Account | None:
        try:
            return index_store(self._settings).account()
        except IndexNotFoundError:
            return None


def _labels(review: Review, access: ReviewAccess, readers: frozenset[str]) -> frozenset[str]:
    """What may stand beside a proposal: as in Slack, or only what everybody may read."""
    is_public = readers == frozenset({PUBLIC})
    return readers if is_public else readers | access.readable(review.proposal)


def rate_points(period: Period) -> list[RatePoint]:
    """The shares answered and found helpful, by day or, over a longer time, by week."""
    days = 1 if period.days <= POINTS else 7

    def bucket(turn: ReportedTurn) -> int:
        return (period.until - datetime.fromisoformat(turn.created)).days // days

    found = {n: figures(list(turns)) for n, turns in groupby(period.asked, bucket)}
    points = []
    for n in reversed(range(-(-period.days // days))):
        of = found.get(n) or figures([])
        begin = period.until - timedelta(days=(n + 1) * days - 1)
        points.append(RatePoint(f"{begin:%m-%d}", (of.answered, of.helpful)))
    return points


def _source_row(pulled: Pulled, table: SourceTable) -> SourceRow:
    is_late = table.every_s is not None
    if table.every_s and pulled.ended:
        age = datetime.now(UTC) - datetime.fromisoformat(pulled.ended)
        is_late = age.total_seconds() > LATE * table.every_s
    return SourceRow(pulled, table.kind, table.every, is_late)

"""How well questions are answered: every number of the report, from turns to figures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from statistics import median

from bot.admin.gaps import Gap
from bot.store.outdated import current
from bot.store.period import Period, ReportedTurn
from retrieval.index.account import Account
from retrieval.records import Source
from retrieval.registry.runs import Deployment

OFTEN = 3
"""A document cited in fewer answers is not worth a line."""

OLD_DAYS = 180
LISTED = 5
Z = 1.96
"""Quantile of the normal distribution for an interval of 95%."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of `n`, with its Wilson interval (Wilson 1927) of 95%; all of 0 without any."""

    share: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of some questions; seconds are from question to answer."""

    questions: int
    people: int
    answered: Rate
    abstained: Rate
    helpful: Rate
    median_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class CitedSource:
    """A document, in how many answers it was cited, and the ratings on those."""

    id: str
    title: str
    answers: int
    ups: int
    downs: int
    age_days: int


@dataclass(frozen=True, slots=True)
class OutdatedSource:
    """A document that so many people call outdated, and whose it is."""

    title: str
    owner: str
    people: int
    is_lowered: bool


@dataclass(frozen=True, slots=True)
class Era:
    """A time in which the same models and the same index answered."""

    generator: str
    embedder: str
    generation: str
    since: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Day:
    """How many questions of a day were answered and how many were not."""

    date: str
    answered: int
    abstained: int


@dataclass(frozen=True, slots=True)
class Report:
    """What admins want to know of the last `days`. `until` is ISO 8601 in UTC.

    Questions `given_up` ended in an error; they are in no other number.
    """

    days: int
    until: str
    given_up: int
    total: Figures
    languages: dict[str, Figures]
    gaps: tuple[Gap, ...]
    stale: tuple[CitedSource, ...]
    disliked: tuple[CitedSource, ...]
    history: tuple[Era, ...]
    daily: tuple[Day, ...]
    deployments: tuple[Deployment, ...] = ()
    account: Account | None = None
    outdated: tuple[OutdatedSource, ...] = ()


def build_report(
    period: Period,
    sources: Iterable[Source],
    gaps: tuple[Gap, ...] = (),
    deployments: Iterable[Deployment] = (),
    account: Account | None = None,
) -> Report:
    """The report of a period; `sources` are the documents that are there now.

    Of `deployments`, the changes of trained models that serve, it tells those of the period.
    """
    asked, now, sources = period.asked, period.until, tuple(sources)
    cited = _cited(asked, {source.id: source for source in sources}, now)
    stale = [source for source in cited if source.answers >= OFTEN and source.age_days > OLD_DAYS]
    disliked = [source for source in cited if source.downs]
    languages = sorted({question.language for question in asked})
    return Report(
        days=period.days,
        until=now.isoformat(timespec="seconds"),
        given_up=period.given_up,
        total=figures(asked),
        languages={
            language: figures([question for question in asked if question.language == language])
            for language in languages
        },
        gaps=gaps,
        stale=_first(stale, lambda source: source.answers),
        disliked=_first(disliked, lambda source: source.downs - source.ups / 2),
        history=_history(asked),
        daily=_daily(asked, period.days, now),
        deployments=tuple(change for change in deployments if _is_within(change.at, period)),
        account=account,
        outdated=_outdated(period, sources),
    )


def _outdated(period: Period, sources: Sequence[Source]) -> tuple[OutdatedSource, ...]:
    """What is still as it was when it was called outdated, those of which most say it first."""
    found = sorted(current(period.outdated, sources), key=lambda pair: -pair[0].people)
    return tuple(
        OutdatedSource(
            source.title or source.id, source.owner or "–", called.people, called.is_lowered
        )
        for called, source in found
    )


def _is_within(at: str, period: Period) -> bool:
    since = period.until - timedelta(days=period.days)
    return since <= datetime.fromisoformat(at) <= period.until


def figures(asked: Sequence[ReportedTurn]) -> Figures:
    """The numbers of some questions; all 0 for none."""
    answers = sum(question.is_answered for question in asked)
    ups, downs = sum(question.ups for question in asked), sum(question.downs for question in asked)
    seconds = sorted(question.seconds for question in asked) or [0.0]
    return Figures(
        questions=len(asked),
        people=len({question.person for question in asked}),
        answered=rate(answers, len(asked)),
        abstained=rate(len(asked) - answers, len(asked)),
        helpful=rate(ups, ups + downs),
        median_s=median(seconds),
        p95_s=seconds[math.ceil(0.95 * len(seconds)) - 1],
    )


def rate(count: int, n: int) -> Rate:
    """The share of `count` in `n` with its interval."""
    if not n:
        return Rate(0.0, 0.0, 0.0, 0)
    share, square = count / n, Z * Z / n
    middle = share + square / 2
    spread = Z * math.sqrt(share * (1 - share) / n + square / n / 4)
    low, high = (middle - spread) / (1 + square), (middle + spread) / (1 + square)
    return Rate(share, max(0.0, low), min(1.0, high), n)


def _cited(
    asked: Iterable[ReportedTurn], sources: dict[str, Source], now: datetime
) -> list[CitedSource]:
    """The documents cited that are still there."""
    answers: Counter[str] = Counter()
    ups: Counter[str] = Counter()
    downs: Counter[str] = Counter()
    for question in asked:
        for id_ in question.cited:
            answers[id_] += 1
            ups[id_] += question.ups
            downs[id_] += question.downs
    return [
        CitedSource(id_, sources[id_].title, n, ups[id_], downs[id_], _age(sources[id_], now))
        for id_, n in answers.items()
        if id_ in sources
    ]


def _age(source: Source, now: datetime) -> int:
    modified = datetime.fromisoformat(source.modified)
    return (now - (modified if modified.tzinfo else modified.replace(tzinfo=UTC))).days


def _first(
    sources: Iterable[CitedSource], weight: Callable[[CitedSource], float]
) -> tuple[CitedSource, ...]:
    return tuple(sorted(sources, key=lambda source: (-weight(source), source.id))[:LISTED])


def _history(asked: Iterable[ReportedTurn]) -> tuple[Era, ...]:
    eras = [
        (ids, list(members))
        for ids, members in groupby(asked, lambda e: (e.generator, e.embedder, e.generation))
    ]
    return tuple(Era(*ids, members[0].created, figures(members)) for ids, members in eras)


def _daily(asked: Iterable[ReportedTurn], days: int, now: datetime) -> tuple[Day, ...]:
    answered = Counter(question.created[:10] for question in asked if question.is_answered)
    abstained = Counter(question.created[:10] for question in asked if not question.is_answered)
    dates = [(now - timedelta(days=back)).date().isoformat() for back in range(days, -1, -1)]
    return tuple(Day(date, answered[date], abstained[date]) for date in dates)

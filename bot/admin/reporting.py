"""Makes the report from the log and sends it, words and pictures, to an admin."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import numpy as np
from slack_sdk.errors import SlackApiError

from bot.admin.charts import draw
from bot.admin.commands import CommandRequest, tell
from bot.admin.gaps import Likenesses, find_gaps
from bot.admin.report import Report, build_report
from bot.admin.report_cards import is_empty, report_card, summary
from bot.review.matching import Likeness
from bot.slack.outgoing.cards import Card, notice
from bot.slack.outgoing.reaching import reason
from bot.slack.workspace import Workspace
from bot.store.database import Database
from bot.store.inbox import Inbox
from bot.store.period import Period, read_period
from bot.strings import Strings
from retrieval.errors import IndexNotFoundError
from retrieval.index.account import Account
from retrieval.records import Source
from retrieval.serving.installation import Installation

logger = logging.getLogger(__name__)

DEFAULT_DAYS = 30
WEEK_DAYS = 7
MOST_DAYS = 366


class Reporting:
    """`/whimbrel report [days]`: one message and its pictures in the admin's direct messages."""

    def __init__(self, installation: Installation, inbox: Inbox, workspace: Workspace) -> None:
        self._installation = installation
        self._inbox = inbox
        self._outbox = workspace.outbox
        self._audiences = workspace.audiences

    async def run(self, request: CommandRequest) -> Card | None:
        """Send the report; a second attempt changes the message of the first."""
        job, strings = request.job, request.strings
        reply = await self._inbox.database.run(self._inbox.reply, job)
        if reply is None and request.response_url is not None:
            await tell(self._outbox, request, notice(strings.report.begun))
        readers = await self._audiences.of_person(job.user)
        report = await self._make(_days(request.arguments), readers)
        card = report_card(report, strings)
        if reply is None or not await self._outbox.edit(*reply, card):
            reply = await self._outbox.post(job.user, card, thread_ts=None, event_id=job.event_id)
            await self._inbox.database.run(self._inbox.set_reply, job, *reply)
        if not is_empty(report):
            await self._send_pictures(request, report, channel=reply[0])
        logger.info("reported to=%s days=%d", job.user, report.days)
        return None

    async def _make(self, days: int, readers: frozenset[str]) -> Report:
        """The report of the last days, with every question told that the admin may read."""
        now = datetime.fromtimestamp(time.time(), UTC)
        database = self._inbox.database
        period = await database.run(read_period, database, days=days, until=now)
        # Embedding takes seconds: not on the loop, and not on a thread of the database.
        make = partial(make_report, period, self._installation, readers=readers, tells_all=True)
        return await asyncio.to_thread(make)

    async def _send_pictures(
        self, request: CommandRequest, report: Report, *, channel: str
    ) -> None:
        strings = request.strings
        pictures = await asyncio.to_thread(draw, report)
        try:
            await self._outbox.upload(channel, pictures, comment=strings.report.pictures)
        except SlackApiError as error:
            logger.warning("pictures not sent: %s", reason(error))
            words = strings.report.no_pictures.format(reason=reason(error))
            job = request.job
            await self._outbox.post(channel, notice(words), thread_ts=None, event_id=job.event_id)


def make_report(
    period: Period, installation: Installation, *, readers: frozenset[str], tells_all: bool
) -> Report:
    """The report of a period for who holds the labels of `readers`.

    Gaps are gathered with the embedder of the installation. Questions and documents that are not
    for these readers are counted and not named.
    """
    compare = partial(likenesses, installation)
    gaps = find_gaps(period.asked, compare, readers=readers, tells_all=tells_all)
    named = [source for source in _sources(installation) if source.audience in readers]
    account = _account(installation)
    return build_report(period, named, gaps, installation.deployments(), account)


def weekly_summary(database: Database, strings: Strings, *, now: datetime) -> str:
    """The last seven days in a sentence; needs no model."""
    return summary(build_report(read_period(database, days=WEEK_DAYS, until=now), ()), strings)


def likenesses(installation: Installation, questions: Sequence[str], language: str) -> Likenesses:
    """How alike each two questions are to the embedder; a single one needs no model."""
    if len(questions) < 2:
        return np.ones((len(questions), len(questions)), dtype=np.float32)
    embedder = installation.embedder
    likeness, vectors = Likeness(embedder), embedder.embed_queries(questions)
    rows = [likeness.of(row[None], vectors, language) for row in vectors]
    return np.array(rows, dtype=np.float32)


def _sources(installation: Installation) -> Sequence[Source]:
    try:
        return installation.sources()
    except IndexNotFoundError:
        return ()  # what was asked can be reported without


def _account(installation: Installation) -> Account | None:
    try:
        return installation.account()
    except IndexNotFoundError:
        return None


def _days(arguments: Sequence[str]) -> int:
    number = arguments[0] if arguments else ""
    return min(int(number), MOST_DAYS) if number.isdecimal() and int(number) else DEFAULT_DAYS

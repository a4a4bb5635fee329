"""Tells people once, and in private, that the bot is muted where they asked it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from slack_sdk.errors import SlackApiError

from bot.slack.incoming.payloads import Question
from bot.slack.outgoing.cards import notice
from bot.slack.outgoing.outbox import Outbox
from bot.slack.outgoing.reaching import reason
from bot.store.inbox import Inbox, Job
from bot.strings import Strings

logger = logging.getLogger(__name__)


class MuteNotices:
    """Ends questions asked in muted channels."""

    def __init__(self, inbox: Inbox, outbox: Outbox) -> None:
        self._inbox = inbox
        self._outbox = outbox

    async def tell(self, job: Job, question: Question, until: float, strings: Strings) -> None:
        """Finish the question; who put it to us hears why, the first time in this mute."""
        database = self._inbox.database
        is_told = not question.is_overheard and not question.is_automated
        if is_told and await database.run(self._is_first, job, until):
            when = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M")
            card, thread_ts = notice(strings.asking.muted.format(until=when)), question.thread_ts
            in_thread = None if thread_ts == question.ts else thread_ts
            try:
                await self._outbox.whisper(job.channel, job.user, card, thread_ts=in_thread)
            except SlackApiError as error:
                logger.warning("could not tell of a mute: %s", reason(error))
        await database.run(self._inbox.finish, job)

    def _is_first(self, job: Job, until: float) -> bool:
        """Whether this is the question, of all the person asks in this mute, to be told about."""
        mute = {"channel": job.channel, "person": job.user, "until": until}
        with self._inbox.database.transaction() as db:
            db.table("mutes_told").insert(mute | {"event_id": job.event_id}, ignore=True)
            first = db.execute(
                "SELECT event_id FROM mutes_told WHERE channel = ? AND person = ? AND until = ?",
                tuple(mute.values()),
            ).fetchone()
        return bool(first == (job.event_id,))

"""What becomes of an answer whose question somebody deleted."""

from __future__ import annotations

import logging

from bot.slack.conversations import Conversations
from bot.slack.incoming.events import question_key
from bot.slack.incoming.payloads import MessageChange, read
from bot.slack.outgoing.outbox import Outbox
from bot.store.inbox import Inbox, Job
from bot.store.log import ConversationLog

logger = logging.getLogger(__name__)


class ChangeHandler:
    """Takes the answer back unless others went on talking about it, and forgets what was asked."""

    def __init__(self, inbox: Inbox, outbox: Outbox, conversations: Conversations) -> None:
        self._inbox = inbox
        self._log = ConversationLog(inbox.database)
        self._outbox = outbox
        self._conversations = conversations

    async def handle(self, job: Job) -> None:
        """Delete the answer, unless others wrote below it, and redact its turn."""
        change, database = read(job, MessageChange), self._inbox.database
        asked = question_key(job.team, job.channel, change.ts)
        turn = await database.run(self._log.turn_asked_in, asked)
        if turn is None:
            await database.run(self._forget_unanswered, job, asked)
            return
        turn_id, messages = turn
        if not await self._conversations.has_others(
            job.channel, change.thread_ts, since=change.ts, person=job.user
        ):
            for ts in messages:
                await self._outbox.delete(job.channel, ts)
            logger.info("deleted with its question turn=%s", turn_id)
        await database.run(self._forget, job, turn_id)

    async def apologise(self, _job: Job, _error: Exception) -> None:
        """The question is gone; there is nobody to tell."""

    def _forget_unanswered(self, job: Job, asked: str) -> None:
        with self._inbox.database.transaction():
            self._inbox.forget(asked)
            self._inbox.finish(job)

    def _forget(self, job: Job, turn_id: str) -> None:
        with self._inbox.database.transaction():
            self._log.redact(turn_id)
            self._inbox.finish(job)

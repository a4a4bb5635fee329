"""Shows that an answer is on its way, where it will appear, and lets people stop it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Literal

from slack_sdk.errors import SlackApiError

from bot.asking.running import Running
from bot.asking.sessions import Sessions
from bot.slack.incoming.payloads import Question
from bot.slack.outgoing.cards import Card, notice
from bot.slack.outgoing.outbox import Outbox
from bot.slack.outgoing.reaching import reason
from bot.slack.outgoing.reply import ReplyMessages
from bot.store.inbox import Inbox, Job
from bot.strings import Strings

_NO_PLACE = frozenset(
    ("not_in_channel", "channel_not_found", "is_archived", "restricted_action", "thread_not_found")
)
"""Why a bot may not post in a channel."""


class QuestionProgress:
    """Begins replies."""

    def __init__(self, inbox: Inbox, outbox: Outbox, running: Running, sessions: Sessions) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._running = running
        self._sessions = sessions

    def reply(
        self, job: Job, question: Question, visibility: Literal["thread", "asker"] = "thread"
    ) -> ReplyMessages:
        """The reply to a question, which nobody sees yet."""
        return ReplyMessages(self._inbox, self._outbox, job, question, visibility)

    async def show(
        self,
        job: Job,
        question: Question,
        visibility: Literal["thread", "asker"],
        cards: Sequence[Card],
    ) -> None:
        """Show cards as the reply to a question; in private where we may not post."""
        try:
            await self.reply(job, question, visibility).show(cards)
        except SlackApiError as error:
            private = _made_private(question, error)
            await self.reply(job, private).show(cards)

    @asynccontextmanager
    async def shown(
        self, job: Job, question: Question, visibility: Literal["thread", "asker"], strings: Strings
    ) -> AsyncIterator[tuple[Question, ReplyMessages]]:
        """Inside, people see that we work on the answer and may stop it.

        Gives the reply, and the question, which has become private where we may not post. What
        nobody put to us is worked on unseen.
        """
        if question.is_overheard or question.response_url or question.thread_ts is None:
            yield question, self.reply(job, question, visibility)
            return
        reply = self.reply(job, question, visibility)
        # From before anything is shown: somebody may press stop at once.
        async with (
            self._running.track(job.channel, question.thread_ts, reply.stop),
            self._status(job, question.thread_ts, strings) as status,
        ):
            # In direct messages the status is what people see; elsewhere few would.
            has_status = question.channel_type == "im" and await status
            try:
                await reply.begin(notice(strings.asking.looking), has_status=has_status)
            except SlackApiError as error:
                question = _made_private(question, error)
                reply = self.reply(job, question)
            yield question, reply

    @asynccontextmanager
    async def _status(
        self, job: Job, thread_ts: str, strings: Strings
    ) -> AsyncIterator[asyncio.Task[bool]]:
        """Inside, the thread's status says that we work; whether it does."""
        status = asyncio.create_task(
            self._sessions.set(job.channel, thread_ts, "processing", strings.asking.working)
        )
        try:
            yield status
        finally:
            if await status:
                await self._sessions.set(job.channel, thread_ts, "active")


def _made_private(question: Question, error: SlackApiError) -> Question:
    """The question with a private answer, if it may not be posted; else raises the error."""
    if question.private_url is None or reason(error) not in _NO_PLACE:
        raise error
    return replace(question, response_url=question.private_url)

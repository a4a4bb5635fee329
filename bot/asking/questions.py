"""Answers the questions of the inbox, and says so when one cannot be taken."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from bot.asking.audience import Audiences
from bot.incoming.payloads import Question
from bot.incoming.text import plain
from bot.outgoing.cards import answer_cards, escape, notice
from bot.outgoing.outbox import Outbox
from bot.outgoing.reply import Reply
from bot.store.channels import ChannelConfig, Channels
from bot.store.inbox import BrokenOffError, Inbox, Job
from bot.store.log import ConversationLog, Turn
from bot.strings import strings_for
from retrieval.errors import IndexNotFoundError, QuestionError
from retrieval.language import language_of, words
from retrieval.records import Answer, Message

logger = logging.getLogger(__name__)


class Answerer(Protocol):
    """What the bot needs of `retrieval`. It is called from several threads at once."""

    def answer(
        self,
        question: str,
        *,
        history: Sequence[Message] = (),
        audience: frozenset[str] = ...,
        sources: Sequence[str] = (),
        threshold: float | None = None,
        language: str | None = None,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Answer:
        """Answer or abstain.

        Raises:
            QuestionError: If it cannot be asked like this; the message is for the person.
            RetrievalError: If the documents cannot be searched.
        """


class QuestionHandler:
    """Turns a question into an answer, an abstention or a clear message, and logs the turn."""

    def __init__(
        self,
        answerer: Answerer,
        inbox: Inbox,
        log: ConversationLog,
        outbox: Outbox,
        audiences: Audiences,
        channels: Channels,
        *,
        bot_user: str,
        threads: Executor,
        stop: threading.Event,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._answerer = answerer
        self._inbox = inbox
        self._log = log
        self._outbox = outbox
        self._audiences = audiences
        self._channels = channels
        self._bot_user = bot_user
        self._threads = threads
        self._stop = stop
        self._clock = clock

    async def handle(self, job: Job) -> None:
        question, text = self._read(job)
        config = await self._inbox.database.run(self._channels.of, job.channel)
        strings = strings_for(_language(config) or language_of(text))
        reply = Reply(self._inbox, self._outbox, job, question, config.visibility)
        if not words(text):
            await reply.show((notice(strings.empty),))
            await self._inbox.database.run(self._inbox.finish, job)
            return
        await reply.begin(notice(strings.looking))
        try:
            answer, audience = await self._answer(job, question, text, config, reply)
        except QuestionError as error:
            await reply.show((notice(escape(str(error))),))
            await self._inbox.database.run(self._inbox.finish, job)
            return
        await self._inbox.database.run(self._inbox.heartbeat, job)  # still ours?
        messages = await reply.show(answer_cards(answer))
        turn = Turn(
            answer=answer,
            event_id=job.event_id,
            team=job.team,
            channel=job.channel,
            thread_ts=question.thread_ts,
            asker=job.user,
            audience=audience,
            messages=messages,
            created=datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds"),
        )
        await self._inbox.database.run(self._finish, job, turn)
        logger.info(
            "answered turn=%s kind=%s confidence=%.2f seconds=%.1f",
            answer.id,
            answer.kind,
            answer.confidence,
            self._clock() - job.created,
        )

    async def apologise(self, job: Job, error: Exception) -> None:
        question, text = self._read(job)
        config = await self._inbox.database.run(self._channels.of, job.channel)
        strings = strings_for(_language(config) or language_of(text))
        words_ = strings.no_index if isinstance(error, IndexNotFoundError) else strings.failed
        reply = Reply(self._inbox, self._outbox, job, question, config.visibility)
        await reply.show((notice(words_.format(error_id=job.error_id)),))

    def _read(self, job: Job) -> tuple[Question, str]:
        question = Question(**job.payload)
        return question, plain(question.text, bot_user=self._bot_user)

    async def _answer(
        self, job: Job, question: Question, text: str, config: ChannelConfig, reply: Reply
    ) -> tuple[Answer, frozenset[str]]:
        audience = await self._audiences.of(question, channel=job.channel, user=job.user)
        history = await self._inbox.database.run(
            self._log.history, job.channel, question.thread_ts, audience=audience
        )
        call = partial(
            self._answerer.answer,
            text,
            history=history,
            audience=audience,
            sources=config.sources,
            threshold=config.threshold,
            language=_language(config),
            on_text=reply.on_text,
            should_stop=lambda: self._stop.is_set() or reply.is_stopped(),
        )
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        finally:
            await reply.close()
        if answer.stopped and self._stop.is_set():
            raise BrokenOffError(f"job {job.id} was broken off by the shutdown")
        return answer, audience

    def _finish(self, job: Job, turn: Turn) -> None:
        with self._inbox.database.transaction():
            self._log.add(turn)
            self._inbox.finish(job)


def _language(config: ChannelConfig) -> str | None:
    return None if config.language == "auto" else config.language


class RefusalHandler:
    """Tells people whose question came when too many were waiting."""

    def __init__(self, inbox: Inbox, outbox: Outbox) -> None:
        self._inbox = inbox
        self._outbox = outbox

    async def handle(self, job: Job) -> None:
        question = Question(**job.payload)
        strings = strings_for(language_of(question.text))
        await Reply(self._inbox, self._outbox, job, question).show((notice(strings.busy),))
        await self._inbox.database.run(self._inbox.finish, job)

    async def apologise(self, _job: Job, _error: Exception) -> None:
        """Nothing to add: the refusal was the message."""

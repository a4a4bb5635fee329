"""Answers the questions of the inbox, and says so when one cannot be taken."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from bot.asking.attachments import only_points, unread_note
from bot.asking.background import Background, Backgrounds, NotServedError
from bot.asking.mutes import MuteNotices
from bot.asking.progress import QuestionProgress
from bot.asking.threads import Threads
from bot.asking.triage import is_thanks
from bot.metrics import count_answer
from bot.pool import StoppablePool
from bot.slack.audience import place
from bot.slack.conversations import MAX_CHARS
from bot.slack.incoming.payloads import Question, read, read_in_part
from bot.slack.incoming.text import mentions, plain
from bot.slack.outgoing.cards import Frame, answer_cards, error_card, escape, notice
from bot.slack.outgoing.reply import ReplyMessages
from bot.store.audit import AuditLog, passages_of
from bot.store.channels import ChannelConfig, Channels
from bot.store.inbox import BrokenOffError, Inbox, Job
from bot.store.log import ConversationLog, Turn, utc
from bot.store.signals import Signals
from bot.strings import Strings, strings_for
from retrieval.errors import EndpointUnreachableError, IndexNotFoundError, QuestionError
from retrieval.language import language_of, words
from retrieval.linking import LinkRules
from retrieval.records import Answer, AnswerRequest, Message, Thread
from retrieval.tracing import span

logger = logging.getLogger(__name__)

MAX_FORWARDED = 3
"""So many forwarded messages are read with a question, each as far as one of its thread."""


class AnswerService(Protocol):
    """What the bot needs of `retrieval`. It is called from several threads at once."""

    def answer(
        self,
        request: AnswerRequest,
        *,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Answer:
        """Answer or abstain.

        Raises:
            QuestionError: If it cannot be asked like this; the message is for the person.
            RetrievalError: If the documents cannot be searched.
        """


@dataclass(frozen=True, slots=True)
class ReadQuestion:
    """A question with what it is made of and how its channel wants it answered.

    `forwarded` is what the message shows of others, unless that is the `text` itself.
    """

    question: Question
    text: str
    forwarded: tuple[str, ...]
    config: ChannelConfig
    strings: Strings

    @property
    def language(self) -> str | None:
        """The language that the channel wants answers in; None for that of the question."""
        return None if self.config.language == "auto" else self.config.language


class QuestionHandler:
    """Turns a question into an answer, an abstention or a clear message, and logs the turn."""

    def __init__(
        self,
        answerer: AnswerService,
        inbox: Inbox,
        backgrounds: Backgrounds,
        progress: QuestionProgress,
        mutes: MuteNotices,
        pool: StoppablePool,
        audit: AuditLog,
        *,
        bot_user: str,
        links: LinkRules,
    ) -> None:
        self._answerer = answerer
        self._inbox = inbox
        self._backgrounds = backgrounds
        self._progress = progress
        self._mutes = mutes
        self._pool = pool
        self._audit = audit
        self._bot_user = bot_user
        self._links = links
        self._channels = Channels(inbox.database)
        self._log = ConversationLog(inbox.database)
        self._signals = Signals(inbox.database)
        self._threads = Threads(inbox.database)

    async def handle(self, job: Job) -> None:
        """Answer the question, or say why it is not answered, and log the turn."""
        asked = await self._read(job, read(job, Question))
        if self._is_bare(asked):
            asked = await self._in_thread(job, asked)
        question, until = asked.question, asked.config.muted_until
        is_private = question.response_url is not None or question.channel_type == "im"
        if until > time.time() and not is_private:
            await self._mutes.tell(job, question, until, asked.strings)
        elif question.is_automated and asked.config.visibility == "asker":
            await self._inbox.database.run(self._inbox.finish, job)  # it has no eyes
        elif not words(asked.text) and not question.files:
            await self._end(job, asked, asked.strings.asking.empty)
        elif is_thanks(asked.text) and not question.files:
            await self._end(job, asked, asked.strings.asking.welcome)
        else:
            await self._take(job, asked)

    async def apologise(self, job: Job, error: Exception) -> None:
        """Show the error with its id in place of the answer; who did not ask us hears nothing."""
        asked = await self._read(job, read_in_part(job, Question("")))
        if asked.question.is_overheard:
            return  # nobody asked us
        strings = asked.strings
        words_ = (
            strings.asking.no_index
            if isinstance(error, IndexNotFoundError)
            else strings.asking.failed
        )
        card = error_card(words_.format(error_id=job.error_id), job.event_id, strings)
        await self._progress.show(job, asked.question, asked.config.visibility, (card,))

    async def _read(self, job: Job, question: Question) -> ReadQuestion:
        text, forwarded = self._words(question)
        config = await self._inbox.database.run(self._channels.of, job.channel)
        if question.private_url and (
            config.visibility == "asker" or config.muted_until > time.time()
        ):
            question = replace(question, response_url=question.private_url)
        language = language_of(text) if config.language == "auto" else config.language
        return ReadQuestion(question, text, forwarded, config, strings_for(language))

    def _words(self, question: Question) -> tuple[str, tuple[str, ...]]:
        """What is asked, and what is forwarded beside it: that is what is asked if words point."""
        text = plain(question.text, bot_user=self._bot_user)
        found = (plain(said, bot_user=self._bot_user) for said in question.forwarded)
        forwarded = tuple(said[:MAX_CHARS] for said in found if words(said))[:MAX_FORWARDED]
        return ("\n".join(forwarded), ()) if forwarded and only_points(text) else (text, forwarded)

    def _is_bare(self, asked: ReadQuestion) -> bool:
        """Whether we were only called into a thread, or towards what stands in it."""
        question = asked.question
        is_reply = question.ts is not None and question.thread_ts not in (None, question.ts)
        is_called = mentions(question.text, self._bot_user) or not words(asked.text)
        return is_reply and is_called and only_points(asked.text) and not question.files

    async def _in_thread(self, job: Job, asked: ReadQuestion) -> ReadQuestion:
        """The question that the thread holds; as it was if there is none."""
        meant = await self._backgrounds.meant(asked.question, job.channel)
        if meant is None:
            return asked
        text, forwarded = self._words(meant)
        question = replace(asked.question, files=meant.files)
        language = language_of(text) if asked.config.language == "auto" else asked.config.language
        return ReadQuestion(question, text, forwarded, asked.config, strings_for(language))

    async def _end(self, job: Job, asked: ReadQuestion, words_: str) -> None:
        if not asked.question.is_overheard and not asked.question.is_automated:
            card, visibility = notice(words_), asked.config.visibility
            await self._progress.show(job, asked.question, visibility, (card,))
        await self._inbox.database.run(self._inbox.finish, job)

    async def _take(self, job: Job, asked: ReadQuestion) -> None:
        visibility = asked.config.visibility
        async with self._progress.shown(job, asked.question, visibility, asked.strings) as shown:
            question, reply = shown
            asked = replace(asked, question=question)
            try:
                answer, background = await self._answer(job, asked, reply)
            except QuestionError as error:
                await self._end(job, asked, escape(str(error)))
                return
            except EndpointUnreachableError:
                # Said the first time only: who asked in private hears little from one address.
                if job.attempts == job.faults and not question.is_overheard:
                    await reply.hold(notice(asked.strings.asking.held_up))
                raise
            except NotServedError as error:
                logger.info("%s", error)
                await self._end(job, asked, asked.strings.asking.not_served)
                return
            if question.is_overheard and answer.kind == "abstention":
                await self._inbox.database.run(self._inbox.finish, job)
                return
            await self._inbox.database.run(self._inbox.heartbeat, job)  # still ours?
            frame = Frame(
                asked.config,
                now=time.time(),
                is_private=reply.is_private,
                is_direct=question.channel_type == "im",
                links=self._links,
            )
            cards = answer_cards(answer, frame)
            cards = background.attached.noted(cards, answer, asked.strings)
            with span("post"):
                messages = await reply.show(cards)
            turn = self._turn(job, question, answer, background, messages)
            await self._inbox.database.run(self._finish, job, question, turn)
        seconds = time.time() - job.created
        count_answer(answer.kind, answer.timings, card_s=seconds)
        logger.info(
            "answered turn=%s kind=%s confidence=%.2f seconds=%.1f",
            answer.id,
            answer.kind,
            answer.confidence,
            seconds,
        )

    async def _answer(
        self, job: Job, asked: ReadQuestion, reply: ReplyMessages
    ) -> tuple[Answer, Background]:
        background = await self._backgrounds.of(asked.question, job)
        text = asked.text
        # What is asked again was not said before.
        history = tuple(said for said in background.history if said.text != text)
        if asked.question.files and only_points(text):
            if not background.attached.texts:
                names = background.attached.unread
                unread = unread_note(names, ", ".join(names), asked.strings)
                raise QuestionError(f"{asked.strings.asking.empty}\n{unread}")
            history, text = history[:-1], history[-1].text
        request = AnswerRequest(
            text,
            history=(*history, *(Message("user", said) for said in asked.forwarded)),
            audience=background.audience | {place(job.channel)},
            sources=asked.config.sources,
            threshold=asked.config.threshold,
            language=asked.language,
            thread=_thread(job, asked),
        )
        try:
            answer = await self._pool.run(
                self._answerer.answer,
                request,
                on_text=reply.on_text,
                should_stop=lambda: self._pool.is_stopping or reply.is_stopped(),
            )
        finally:
            await reply.close()
        if answer.stopped and self._pool.is_stopping:
            raise BrokenOffError(f"job {job.id} was broken off by the shutdown")
        if answer.stopped and not answer.text.strip():
            answer = replace(answer, text=asked.strings.asking.stopped)
        return answer, background

    def _turn(
        self,
        job: Job,
        question: Question,
        answer: Answer,
        background: Background,
        messages: tuple[str, ...],
    ) -> Turn:
        return Turn(
            answer=answer,
            event_id=job.event_id,
            team=job.team,
            channel=job.channel,
            thread_ts=question.thread_ts,
            asker=job.user,
            audience=background.audience,
            messages=messages,
            created=utc(time.time()),
            is_private=background.is_private,
            triage=question.triage,
        )

    def _finish(self, job: Job, question: Question, turn: Turn) -> None:
        with self._inbox.database.transaction():
            before = None if question.is_automated else self._threads.rephrased(turn)
            if before is not None:
                self._signals.note(before, "rephrased", job.user, job.event_id)
            if mentions(question.text, self._bot_user):
                self._threads.reopen(job.channel, question.thread_ts)
            self._log.add(turn)
            where = "" if question.response_url else job.channel
            answer = turn.answer
            self._audit.shown("shown", job, answer.id, passages_of(answer), channel=where)
            self._inbox.finish(job)


def _thread(job: Job, asked: ReadQuestion) -> Thread | None:
    """The conversation as models on trial know it; None where they may not answer."""
    if not asked.config.trials:
        return None
    ts = asked.question.thread_ts or asked.question.ts
    return Thread(f"{job.channel}:{ts or job.event_id}", float(ts) if ts else job.created)

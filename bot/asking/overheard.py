"""Messages that mention nobody: follow-ups, questions to everybody, and other people's talk."""

from __future__ import annotations

import logging
from dataclasses import replace

from bot.asking.threads import Threads, judge
from bot.asking.triage import is_question
from bot.feedback.signals import Signals
from bot.incoming.events import question_delivery
from bot.incoming.payloads import Question
from bot.incoming.text import plain
from bot.store.channels import Channels
from bot.store.inbox import Inbox, Job

logger = logging.getLogger(__name__)


class OverheardHandler:
    """Turns what is for us into questions and forgets the rest."""

    def __init__(
        self, inbox: Inbox, channels: Channels, threads: Threads, signals: Signals, *, bot_user: str
    ) -> None:
        self._inbox = inbox
        self._channels = channels
        self._threads = threads
        self._signals = signals
        self._bot_user = bot_user

    async def handle(self, job: Job) -> None:
        await self._inbox.database.run(self._hear, job)

    async def apologise(self, _job: Job, _error: Exception) -> None:
        """Nobody asked us."""

    def _hear(self, job: Job) -> None:
        question = Question(**job.payload)
        with self._inbox.database.transaction():
            asked = None
            if not self._channels.is_muted(job.channel):
                asked = self._asked(job, question)
            if asked is not None:
                delivery = question_delivery(
                    asked,
                    event_id=f"{job.event_id}:asked",
                    team=job.team,
                    channel=job.channel,
                    user=job.user,
                )
                self._inbox.accept(delivery)
            self._inbox.finish(job)

    def _asked(self, job: Job, question: Question) -> Question | None:
        if question.thread_ts == question.ts:
            is_ours = self._channels.of(job.channel).mode == "questions"
            is_asked = is_ours and is_question(question.text)
            return replace(question, is_overheard=True) if is_asked else None
        return question if self._is_follow_up(job, question) else None

    def _is_follow_up(self, job: Job, question: Question) -> bool:
        thread_ts = question.thread_ts or ""
        known = self._threads.known(job.channel, thread_ts)
        if known is None or not self._threads.is_open(job.channel, thread_ts, known):
            return False
        config = self._channels.of(job.channel)
        text = plain(question.text, bot_user=self._bot_user) and question.text
        verdict = judge(text, job.user, known, config)
        if verdict == "takeover":
            self._threads.take_over(job.channel, thread_ts, job.user)
            self._signals.note(known.turn_id, "human_reply", job.user, job.event_id)
            logger.info("a person has taken over turn=%s", known.turn_id)
        return verdict == "follow-up"

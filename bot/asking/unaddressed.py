"""Messages that mention nobody: follow-ups, questions to everybody, and other people's talk."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict, replace

from bot.asking.threads import Threads, judge
from bot.asking.triage import Triage
from bot.slack.incoming.events import question_delivery
from bot.slack.incoming.interactions import OFFER
from bot.slack.incoming.payloads import Interaction, Question, read
from bot.store.channels import Channels
from bot.store.inbox import Delivery, Inbox, Job
from bot.store.signals import Signals
from bot.store.turns import LoggedTurn, Turns

logger = logging.getLogger(__name__)


class UnaddressedHandler:
    """Turns what is for us into questions and forgets the rest."""

    def __init__(self, inbox: Inbox, triage: Triage, threads: Threads) -> None:
        self._inbox = inbox
        self._triage = triage
        self._threads = threads
        self._channels = Channels(inbox.database)
        self._signals = Signals(inbox.database)

    async def handle(self, job: Job) -> None:
        """Ask what is a follow-up, or in a listening channel a question; drop the rest."""
        question, database = read(job, Question), self._inbox.database
        if await database.run(self._channels.is_muted, job.channel):
            await database.run(self._inbox.finish, job)
        elif question.thread_ts == question.ts:
            await database.run(self._pass_on, job, await self._heard(job, question))
        else:
            await database.run(self._follow, job, question)

    async def apologise(self, _job: Job, _error: Exception) -> None:
        """Nobody asked us."""

    async def _heard(self, job: Job, question: Question) -> Question | None:
        """The message as a question that nobody put to us; None if it is none."""
        config = await self._inbox.database.run(self._channels.of, job.channel)
        if config.mode != "questions":
            return None
        if not await asyncio.to_thread(self._triage.is_question, question.said):
            return None
        return replace(question, is_overheard=True, triage=self._triage.id)

    def _pass_on(self, job: Job, asked: Question | None) -> None:
        with self._inbox.database.transaction():
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

    def _follow(self, job: Job, question: Question) -> None:
        with self._inbox.database.transaction():
            is_follow_up = self._is_follow_up(job, question)
            self._pass_on(job, question if is_follow_up else None)

    def _is_follow_up(self, job: Job, question: Question) -> bool:
        thread_ts = question.thread_ts or ""
        known = self._threads.known(job.channel, thread_ts)
        if known is None or not self._threads.is_open(job.channel, thread_ts, known):
            return False
        config = self._channels.of(job.channel)
        verdict = judge(question.said, job.user, known, config)
        if verdict == "takeover":
            self._threads.take_over(job.channel, thread_ts, job.user)
            self._signals.note(known.turn_id, "human_reply", job.user, job.event_id)
            self._offer(job, known.turn_id)
            logger.info("a person has taken over turn=%s", known.turn_id)
        return verdict == "follow-up"

    def _offer(self, job: Job, turn_id: str) -> None:
        turn = Turns(self._inbox.database).get(turn_id)
        delivery = turn and _offer(turn, team=job.team, replier=job.user)
        if delivery:
            self._inbox.accept(delivery)


def _offer(turn: LoggedTurn, *, team: str, replier: str) -> Delivery | None:
    """Asks the asker, once, whether a person's reply is the answer that we did not have."""
    if turn.kind != "abstention" or turn.asker == replier or turn.thread_ts is None:
        return None
    return Delivery(
        event_id=f"offer:{turn.id}",
        kind="review",
        team=team,
        channel=turn.channel,
        user=turn.asker,
        thread_key=f"review:{turn.asker}",
        payload=asdict(Interaction(OFFER, value=turn.id)),
    )

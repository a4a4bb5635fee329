"""Writes ratings from buttons and reactions into the log, and asks what was wrong."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace

from slack_sdk.errors import SlackApiError

from bot.metrics import count_vote
from bot.review.document_lookup import DocumentLookup
from bot.review.modals import reason_modal, why_note
from bot.review.notices import Notices
from bot.slack.incoming.payloads import RatingGiven, read
from bot.slack.workspace import Workspace
from bot.store.inbox import Inbox, Job
from bot.store.log import ConversationLog, Rating, utc
from bot.store.reactions import Reactions
from bot.store.reasons import Reasons
from bot.store.turns import LoggedTurn, Turns
from bot.strings import strings_for

logger = logging.getLogger(__name__)

PATIENCE_S = 60.0
"""A card can be rated before its turn is in the log; the rating waits for it so long."""
GRACE_S = 2.0
"""A message stands in Slack a moment before the inbox knows that it is ours."""
WAIT_S = 1.0


class RatingHandler:
    """One current rating per person and turn; what is not about an answer of ours is dropped.

    A bad rating is stored before a modal asks why, so that closing it takes nothing back.
    """

    def __init__(self, inbox: Inbox, workspace: Workspace, documents: DocumentLookup) -> None:
        self._inbox = inbox
        self._outbox = workspace.outbox
        self._audiences = workspace.audiences
        self._documents = documents
        self._log = ConversationLog(inbox.database)
        self._turns = Turns(inbox.database)
        self._reasons = Reasons(inbox.database)
        self._reactions = Reactions(inbox.database)
        self._notices = Notices(inbox.database)

    async def handle(self, job: Job) -> None:
        """Write the rating, and ask in private what was wrong if it is bad."""
        rating = read(job, RatingGiven)
        turn = await self._inbox.database.run(self._write, job, rating)
        if turn is None and await self._inbox.database.run(self._is_early, job, rating):
            await self._inbox.database.run(self._inbox.retry, job, delay_s=WAIT_S, is_fault=False)
            return
        if turn is not None and rating.value < 0 and not rating.is_withdrawn:
            await self._ask_why(job, rating, turn)
        await self._inbox.database.run(self._inbox.finish, job)

    async def apologise(self, _job: Job, _error: Exception) -> None:
        """A lost rating is for the log only; nobody waits for an answer to it."""

    def _write(self, job: Job, rating: RatingGiven) -> LoggedTurn | None:
        turn_id = rating.turn_id or self._log.turn_shown_in(job.channel, rating.ts or "")
        turn = self._turns.get(turn_id) if turn_id else None
        if turn is not None:
            with self._inbox.database.transaction():
                self._rate(job, rating, turn)
        return turn

    def _rate(self, job: Job, given: RatingGiven, turn: LoggedTurn) -> None:
        rating = Rating(
            turn_id=turn.id,
            rater=job.user,
            value=given.value,
            source=given.source,
            event_id=job.event_id,
            at=utc(time.time()),
            is_withdrawn=given.is_withdrawn,
        )
        if rating.source == "reaction" and not self._reactions.note(
            turn.id, job.user, rating.value, is_on=not rating.is_withdrawn, at=given.at
        ):
            return
        is_new = self._log.rate(rating)
        if is_new:
            count_vote(rating.value, is_withdrawn=rating.is_withdrawn)
        logger.info("rating turn=%s value=%+d changed=%s", turn.id, rating.value, is_new)
        standing = self._reactions.standing(turn.id, job.user)
        if is_new and rating.is_withdrawn and standing is not None:
            self._log.rate(replace(rating, value=standing, is_withdrawn=False))

    def _is_early(self, job: Job, rating: RatingGiven) -> bool:
        """Whether the turn may yet be written: its card is shown a moment before."""
        age_s = time.time() - job.created
        is_shown = rating.turn_id is not None or self._inbox.shows(job.channel, rating.ts or "")
        return age_s < (PATIENCE_S if is_shown else GRACE_S)

    async def _ask_why(self, job: Job, rating: RatingGiven, turn: LoggedTurn) -> None:
        """In a modal after a click, else in a note with a button that opens it."""
        known = await self._inbox.database.run(self._reasons.of, turn.id, job.user)
        if known is not None:
            return
        if rating.trigger_id is not None and await self._opened(job, rating.trigger_id, turn):
            return
        card = why_note(turn.id, strings_for(turn.language))
        thread_ts = turn.thread_ts if job.channel == turn.channel else None

        async def whisper() -> None:
            await self._outbox.whisper(job.channel, job.user, card, thread_ts=thread_ts)

        await self._notices.say_once(turn.id, job.user, "why", whisper)

    async def _opened(self, job: Job, trigger_id: str, turn: LoggedTurn) -> bool:
        found = await self._inbox.database.run(self._turns.documents, turn.id)
        labels = await self._audiences.of_reader(job.channel, user=job.user)
        documents = await asyncio.to_thread(self._documents.readable, found, labels)
        view = reason_modal(turn.id, documents, None, strings_for(turn.language))
        try:
            return await self._outbox.open_modal(trigger_id, view) is not None
        except SlackApiError:
            logger.exception("no modal turn=%s", turn.id)
            return False

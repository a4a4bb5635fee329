"""Everything that has to do with feedback, put together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

from bot.admin.models import Holdings
from bot.app.worker import Handler
from bot.asking.questions import AnswersQuestions
from bot.home.handler import HomeHandler
from bot.home.home import Home
from bot.review.curated import CuratedAnswerer, CuratedAnswers
from bot.review.document_lookup import DocumentLookup
from bot.review.experts import Experts
from bot.review.proposing import MessageReader, Proposing
from bot.review.ratings import RatingHandler
from bot.review.rechecks import Rechecker
from bot.review.reviewing import ReviewHandler
from bot.settings import SlackSettings
from bot.slack.audience import Audiences
from bot.slack.outgoing.outbox import Outbox
from bot.slack.people import People
from bot.store.inbox import Inbox, JobKind
from bot.store.log import ConversationLog


@dataclass(frozen=True)
class Feedback:
    """What feedback needs. `background` runs what can wait; `wake` says that jobs were accepted."""

    settings: SlackSettings
    inbox: Inbox
    log: ConversationLog
    outbox: Outbox
    people: People
    audiences: Audiences
    messages: MessageReader
    answerer: AnswersQuestions
    shelf: DocumentLookup
    holdings: Holdings
    bot_user: str
    background: Executor
    stop: threading.Event
    wake: Callable[[], None]

    def curated_answerer(self) -> CuratedAnswerer:
        """The answerer with what experts have approved before it."""
        return CuratedAnswerer(self._curated(), self.answerer)

    def rechecker(self) -> Rechecker:
        """What looks for better answers to questions that were answered badly."""
        return Rechecker(
            self.answerer,
            self._curated(),
            self.shelf,
            self.inbox,
            executor=self.background,
            stop=self.stop,
            on_found=self.wake,
        )

    def handlers(self, rechecker: Rechecker) -> Mapping[JobKind, Handler]:
        """Who handles which kind of delivery."""
        experts = Experts(self.settings, self.inbox.database, self.people)
        home = Home(self.inbox.database, self.outbox, self.people, experts)
        proposing = Proposing(
            self.inbox, self.outbox, self.audiences, self.messages, bot_user=self.bot_user
        )
        review = ReviewHandler(
            self.inbox,
            self.outbox,
            self.people,
            experts,
            proposing,
            self._curated(),
            show_home=home.publish,
            on_approved=rechecker.poke,
        )
        return {
            "vote": RatingHandler(self.inbox, self.log, self.outbox),
            "review": review,
            "home": HomeHandler(
                self.settings, self.inbox, self.outbox, self.people, home, self.holdings
            ),
        }

    def _curated(self) -> CuratedAnswers:
        return CuratedAnswers(self.inbox.database, self.shelf)

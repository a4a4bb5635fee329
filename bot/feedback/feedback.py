"""Everything that has to do with feedback, put together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

from bot.admin.models import Holdings
from bot.admin.people import People
from bot.asking.audience import Audiences
from bot.asking.questions import Answerer
from bot.feedback.curated import CuratedAnswerer, CuratedAnswers
from bot.feedback.experts import Experts
from bot.feedback.proposing import Messages, Proposing
from bot.feedback.ratings import RatingHandler
from bot.feedback.rechecks import Rechecker
from bot.feedback.reviewing import ReviewHandler
from bot.feedback.shelf import Shelf
from bot.home.handler import HomeHandler
from bot.home.home import Home
from bot.outgoing.outbox import Outbox
from bot.settings import SlackSettings
from bot.store.inbox import Inbox, Kind
from bot.store.log import ConversationLog
from bot.worker import Handler


@dataclass(frozen=True)
class Feedback:
    """What feedback needs. `background` runs what can wait; `wake` says that jobs were accepted."""

    settings: SlackSettings
    inbox: Inbox
    log: ConversationLog
    outbox: Outbox
    people: People
    audiences: Audiences
    messages: Messages
    answerer: Answerer
    shelf: Shelf
    holdings: Holdings
    bot_user: str
    background: Executor
    stop: threading.Event
    wake: Callable[[], None]

    def curated_answerer(self) -> CuratedAnswerer:
        """The answerer with what experts have approved before it."""
        return CuratedAnswerer(self._curated(), self.shelf, self.answerer)

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

    def handlers(self, rechecker: Rechecker) -> Mapping[Kind, Handler]:
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
            home,
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

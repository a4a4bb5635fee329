"""Everything that has to do with feedback, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.app.parts import Engine
from bot.app.worker import Handler
from bot.home.handler import HomeHandler
from bot.home.home import Home
from bot.pool import StoppablePool
from bot.review.curated import CuratedAnswerer, CuratedAnswers
from bot.review.experts import Experts
from bot.review.fixes import Fixes
from bot.review.ratings import RatingHandler
from bot.review.rechecks import Rechecker
from bot.review.reviewing import ReviewHandler
from bot.settings import SlackSettings
from bot.slack.workspace import Workspace
from bot.store.audit import AuditLog
from bot.store.inbox import Inbox, JobKind


@dataclass(frozen=True)
class Feedback:
    """What feedback needs. `background` runs what can wait; `wake` says that jobs were accepted."""

    settings: SlackSettings
    inbox: Inbox
    workspace: Workspace
    engine: Engine
    background: StoppablePool
    wake: Callable[[], None]

    def curated_answerer(self) -> CuratedAnswerer:
        """The answerer with what experts have approved before it."""
        return CuratedAnswerer(self._curated(), self.engine.answerer, links=self.engine.links)

    def rechecker(self) -> Rechecker:
        """What looks for better answers to questions that were answered badly."""
        return Rechecker(
            self.engine.answerer,
            self._curated(),
            self.engine.documents,
            self.inbox,
            self.background,
            on_found=self.wake,
        )

    def handlers(self, rechecker: Rechecker) -> Mapping[JobKind, Handler]:
        """Who handles which kind of delivery."""
        inbox, workspace, documents = self.inbox, self.workspace, self.engine.documents
        experts = Experts(self.settings, inbox.database, workspace, documents)
        fixes = Fixes(inbox.database, documents)
        home = Home(inbox.database, workspace, experts, fixes)
        review = ReviewHandler(
            inbox,
            workspace,
            experts,
            self._curated(),
            documents,
            AuditLog(inbox.database, keep_days=self.settings.audit_days),
            show_home=home.publish,
            on_approved=rechecker.poke,
        )
        return {
            "vote": RatingHandler(inbox, workspace, documents),
            "review": review,
            "home": HomeHandler(inbox, workspace, home, fixes, self.engine.installation),
        }

    def _curated(self) -> CuratedAnswers:
        return CuratedAnswers(self.inbox.database, self.engine.documents)

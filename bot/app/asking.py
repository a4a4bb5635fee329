"""Everything that has to do with asking, put together: a handler for each kind of delivery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.app.worker import Handler
from bot.asking.asked_about import AskedAboutHandler
from bot.asking.attachments import Attachments
from bot.asking.background import Backgrounds
from bot.asking.card_actions import CardHandler
from bot.asking.changes import ChangeHandler
from bot.asking.mutes import MuteNotices
from bot.asking.progress import QuestionProgress
from bot.asking.questions import AnswerService, QuestionHandler
from bot.asking.queue import QueuedHandler, RefusalHandler, WithdrawHandler
from bot.asking.running import Running, StopHandler
from bot.asking.sessions import PromptsHandler, Sessions
from bot.asking.threads import Threads
from bot.asking.triage import Triage
from bot.asking.unaddressed import UnaddressedHandler
from bot.pool import StoppablePool
from bot.review.document_lookup import DocumentLookup
from bot.settings import SlackSettings
from bot.slack.workspace import Workspace
from bot.store.audit import AuditLog
from bot.store.inbox import Inbox, JobKind
from retrieval.linking import LinkRules


@dataclass(frozen=True)
class Asking:
    """What asking needs; answers are made on the `pool`, and `links` may be shown."""

    settings: SlackSettings
    inbox: Inbox
    workspace: Workspace
    answerer: AnswerService
    documents: DocumentLookup
    pool: StoppablePool
    links: LinkRules

    def handlers(self) -> Mapping[JobKind, Handler]:
        """Who handles which kind of delivery."""
        inbox, workspace = self.inbox, self.workspace
        outbox, conversations = workspace.outbox, workspace.conversations
        audit = AuditLog(inbox.database, keep_days=self.settings.audit_days)
        sessions, running = Sessions(workspace.hasty), Running(inbox.database)
        return {
            "question": QuestionHandler(
                self.answerer,
                inbox,
                self._backgrounds(),
                QuestionProgress(inbox, outbox, running, sessions),
                MuteNotices(inbox, outbox),
                self.pool,
                audit,
                bot_user=workspace.bot_user,
                links=self.links,
            ),
            "refusal": RefusalHandler(inbox, outbox),
            "queued": QueuedHandler(inbox, outbox),
            "withdraw": WithdrawHandler(inbox, outbox, workspace.people),
            "overheard": UnaddressedHandler(inbox, self._triage(), Threads(inbox.database)),
            "pointed": AskedAboutHandler(inbox, outbox, conversations, bot_user=workspace.bot_user),
            "prompts": PromptsHandler(
                inbox, workspace.hasty, workspace.people, self.settings.prompts
            ),
            "stop": StopHandler(inbox, running, sessions),
            "change": ChangeHandler(inbox, outbox, conversations),
            "card": CardHandler(
                inbox,
                workspace,
                self.documents,
                audit,
                proposal_emoji=self.settings.proposal_emoji,
                links=self.links,
            ),
        }

    def _triage(self) -> Triage:
        return Triage(self.documents, self.inbox.database.home / "models")

    def _backgrounds(self) -> Backgrounds:
        attachments = Attachments(
            self.workspace.session,
            read_token=lambda: self.settings.token,
            api_url=self.settings.api_url,
            max_mb=self.settings.max_attachment_mb,
        )
        workspace = self.workspace
        return Backgrounds(
            self.inbox.database, workspace.audiences, workspace.conversations, attachments
        )

"""Everything that has to do with asking, put together: a handler for each kind of delivery."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.app.worker import Handler
from bot.asking.asked_about import AskedAboutHandler
from bot.asking.attachments import Attachments
from bot.asking.background import Backgrounds
from bot.asking.changes import ChangeHandler
from bot.asking.mutes import MuteNotices
from bot.asking.progress import QuestionProgress
from bot.asking.questions import AnswersQuestions, QuestionHandler, RefusalHandler
from bot.asking.running import Running, StopHandler
from bot.asking.sessions import PromptsHandler, Sessions
from bot.asking.threads import Threads
from bot.asking.triage import HasEmbedder, Triage
from bot.asking.unaddressed import UnaddressedHandler
from bot.settings import SlackSettings
from bot.slack.audience import Audiences
from bot.slack.conversations import Conversations
from bot.slack.outgoing.outbox import Outbox
from bot.slack.people import People
from bot.store.channels import Channels
from bot.store.inbox import Inbox, JobKind
from bot.store.log import ConversationLog
from bot.store.signals import Signals


@dataclass(frozen=True)
class Asking:
    """What asking needs. `hasty` is a client that repeats nothing."""

    settings: SlackSettings
    inbox: Inbox
    log: ConversationLog
    channels: Channels
    outbox: Outbox
    people: People
    answerer: AnswersQuestions
    shelf: HasEmbedder
    client: AsyncWebClient
    hasty: AsyncWebClient
    session: aiohttp.ClientSession
    bot_user: str
    executor: Executor
    stop: threading.Event

    def handlers(self) -> Mapping[JobKind, Handler]:
        """Who handles which kind of delivery."""
        database = self.inbox.database
        threads, signals = Threads(database), Signals(database)
        sessions, running = Sessions(self.hasty), Running(database)
        conversations = Conversations(self.client, bot_user=self.bot_user)
        return {
            "question": QuestionHandler(
                self.answerer,
                self.inbox,
                self.log,
                self._backgrounds(conversations),
                QuestionProgress(self.inbox, self.outbox, running, sessions),
                self.channels,
                MuteNotices(self.inbox, self.outbox),
                threads,
                signals,
                bot_user=self.bot_user,
                executor=self.executor,
                stop=self.stop,
            ),
            "refusal": RefusalHandler(self.inbox, self.outbox),
            "overheard": UnaddressedHandler(
                self.inbox, self.channels, self._triage(), threads, signals
            ),
            "pointed": AskedAboutHandler(
                self.inbox, self.outbox, conversations, bot_user=self.bot_user
            ),
            "prompts": PromptsHandler(self.inbox, self.hasty, self.people, self.settings.prompts),
            "stop": StopHandler(self.inbox, running, sessions),
            "change": ChangeHandler(self.inbox, self.log, self.outbox, conversations),
        }

    def _triage(self) -> Triage:
        return Triage(self.shelf, self.inbox.database.path.parent / "models")

    def _backgrounds(self, conversations: Conversations) -> Backgrounds:
        token = self.settings.bot_token
        attachments = Attachments(
            self.session,
            token=token.get_secret_value() if token else "",
            api_url=self.settings.api_url,
            max_mb=self.settings.max_attachment_mb,
        )
        audiences = Audiences(self.settings, self.client)
        return Backgrounds(self.log, self.inbox.database, audiences, conversations, attachments)

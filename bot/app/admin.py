"""The admins' desk: the table of every sub-command, and the handlers that work behind it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from bot.admin.admin_cards import generation_line
from bot.admin.commands import CommandHandler, CommandRequest, Subcommand
from bot.admin.config import ConfigHandler
from bot.admin.learner import LearningProcess
from bot.admin.learning import Learning, outcome_line
from bot.admin.models import Holdings, Models
from bot.admin.muting import Muting
from bot.admin.progress import ProgressMessages
from bot.admin.reindex import Reindexer, Reindexing
from bot.admin.replaying import Replayer, Replaying
from bot.admin.reporting import Reporting
from bot.admin.trial_command import TrialCommand
from bot.slack.outgoing.cards import Card, escape, notice
from bot.slack.outgoing.outbox import Outbox
from bot.slack.people import People
from bot.store.channels import Channels
from bot.store.inbox import Inbox, JobKind
from bot.store.log import ConversationLog
from bot.strings import Strings
from retrieval.errors import RetrievalError

AdminHandler = CommandHandler | ConfigHandler


@dataclass(frozen=True)
class AdminCommands:
    """What the admins' commands work with."""

    inbox: Inbox
    log: ConversationLog
    channels: Channels
    outbox: Outbox
    people: People
    holdings: Holdings
    reindexer: Reindexer
    learner: LearningProcess
    replayer: Replayer
    stop: threading.Event
    tick_s: float = 3.0

    def handlers(self) -> Mapping[JobKind, AdminHandler]:
        """Who handles what admins send."""
        config = ConfigHandler(
            self.channels, self.inbox, self.outbox, self.people, self.holdings.sources
        )
        commands = CommandHandler(self._table(config), self.inbox, self.outbox, self.people)
        slow: tuple[JobKind, ...] = ("reindex", "report", "learn", "replay")
        return {"command": commands, "config": config, **dict.fromkeys(slow, commands)}

    def _table(self, config: ConfigHandler) -> Mapping[str, Subcommand]:
        database = self.inbox.database
        models = Models(self.holdings, database)
        reporting = Reporting(self.holdings, self.inbox, self.outbox)
        messages = ProgressMessages(self.inbox, self.outbox, tick_s=self.tick_s)
        reindexing = Reindexing(self.reindexer, messages, stop=self.stop)
        learning = Learning(self.learner, messages, self.outbox)
        return {
            "status": Subcommand(self._status, "status", is_for_admins=False),
            "reindex": Subcommand(reindexing.run, "reindex [full]"),
            "config": Subcommand(config.open, "config"),
            "report": Subcommand(reporting.run, "report [7|30]"),
            "learn": Subcommand(learning.run, "learn [dry]"),
            "replay": Subcommand(Replaying(self.replayer, messages).run, "replay RUN"),
            "models": Subcommand(models.show, "models"),
            "trial": Subcommand(TrialCommand(self.holdings, database).run, "trial [publish|stop]"),
            "rollback": Subcommand(models.roll_back, "rollback [kind]"),
            "mute": Subcommand(Muting(self.channels, database).run, "mute [2h|off]"),
        }

    async def _status(self, request: CommandRequest) -> Card:
        return notice(await self.inbox.database.run(self._status_text, request))

    def _status_text(self, request: CommandRequest) -> str:
        counts, strings = self.inbox.counts(), request.strings
        status = strings.commands.status.format(
            waiting=counts.get("todo", 0),
            doing=max(0, counts.get("doing", 0) - 1),  # but for this command
            dead=counts.get("dead", 0),
            turns=self.log.count(),
        )
        lines = [status, self._index_line(strings)]
        last = self.learner.last()
        if last is not None:
            lines.append(outcome_line(last, strings))
        return "\n".join(lines)

    def _index_line(self, strings: Strings) -> str:
        try:
            served, _ = self.holdings.generations()
        except RetrievalError as error:
            return escape(str(error))
        return generation_line(strings.models.generation_served, served, strings)

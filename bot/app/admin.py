"""What admins command: the table of every sub-command, and the handlers that work behind it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from bot.admin.access import Access
from bot.admin.admin_cards import account_line, generation_line
from bot.admin.commands import CommandHandler, CommandRequest, Subcommand
from bot.admin.config import ConfigHandler
from bot.admin.learning import Learning, outcome_line
from bot.admin.models import Models
from bot.admin.muting import Muting
from bot.admin.outdated import Lifting
from bot.admin.progress import ProgressMessages
from bot.admin.reindex import Reindexing
from bot.admin.replaying import Replaying
from bot.admin.reporting import Reporting
from bot.admin.syncing import status_lines
from bot.admin.trial_command import TrialCommand
from bot.app.parts import LongJobs
from bot.settings import Kept
from bot.slack.outgoing.cards import Card, notice
from bot.slack.outgoing.mrkdwn import reason_of
from bot.slack.workspace import Workspace
from bot.store.audit import AuditLog
from bot.store.inbox import Inbox, JobKind
from bot.store.log import ConversationLog
from bot.strings import Strings
from retrieval.errors import RetrievalError
from retrieval.serving.installation import Installation

AdminHandler = CommandHandler | ConfigHandler


@dataclass(frozen=True)
class AdminCommands:
    """What the admins' commands work with; `stop` breaks long ones off."""

    inbox: Inbox
    workspace: Workspace
    installation: Installation
    jobs: LongJobs
    stop: threading.Event
    tick_s: float
    audit: AuditLog
    kept_days: Mapping[Kept, int]

    def handlers(self) -> Mapping[JobKind, AdminHandler]:
        """Who handles what admins send."""
        inbox, outbox, people = self.inbox, self.workspace.outbox, self.workspace.people
        config = ConfigHandler(inbox, outbox, people, self.audit, self.installation.sources)
        commands = CommandHandler(self._table(config), inbox, outbox, people, self.audit)
        slow: tuple[JobKind, ...] = ("reindex", "report", "learn", "replay")
        return {"command": commands, "config": config, **dict.fromkeys(slow, commands)}

    def _table(self, config: ConfigHandler) -> Mapping[str, Subcommand]:
        database, installation = self.inbox.database, self.installation
        outbox, jobs = self.workspace.outbox, self.jobs
        models = Models(installation, database)
        reporting = Reporting(installation, self.inbox, self.workspace)
        messages = ProgressMessages(self.inbox, outbox, tick_s=self.tick_s)
        reindexing = Reindexing(jobs.reindexer, messages, stop=self.stop)
        learning = Learning(jobs.learner, messages, outbox)
        replaying = Replaying(jobs.replayer, messages)
        return {
            "status": Subcommand(self._status, "status", is_for_admins=False),
            "reindex": Subcommand(reindexing.run, "reindex [full]"),
            "config": Subcommand(config.open, "config"),
            "report": Subcommand(reporting.run, "report [7|30]"),
            "learn": Subcommand(learning.run, "learn [dry]"),
            "replay": Subcommand(replaying.run, "replay RUN"),
            "models": Subcommand(models.show, "models"),
            "trial": Subcommand(TrialCommand(installation, database).run, "trial [publish|stop]"),
            "rollback": Subcommand(models.roll_back, "rollback [kind]"),
            "access": Subcommand(
                Access(self.workspace, installation.sources).run, "access [@person] [document]"
            ),
            "outdated": Subcommand(
                Lifting(database, self.workspace, installation.sources).run, "outdated [document]"
            ),
            "mute": Subcommand(Muting(database).run, "mute [2h|off]"),
        }

    async def _status(self, request: CommandRequest) -> Card:
        return notice(await self.inbox.database.run(self._status_text, request))

    def _status_text(self, request: CommandRequest) -> str:
        counts, strings = self.inbox.counts(), request.strings
        status = strings.commands.status.format(
            waiting=counts.get("todo", 0),
            doing=max(0, counts.get("doing", 0) - 1),  # but for this command
            dead=counts.get("dead", 0),
            turns=ConversationLog(self.inbox.database).count(),
        )
        lines = [status, self._index_line(strings), *status_lines(self.jobs.syncer, strings)]
        last = self.jobs.learner.last()
        if last is not None:
            lines.append(outcome_line(last, strings))
        if any(self.kept_days.values()):
            lines.append(self._kept_line(strings))
        return "\n".join(lines)

    def _kept_line(self, strings: Strings) -> str:
        """What is deleted when it is so old."""
        texts = strings.commands
        told = [
            texts.days_of.format(what=texts.kept[kept], days=days)
            for kept, days in self.kept_days.items()
            if days
        ]
        return texts.deleted_after.format(what=", ".join(told))

    def _index_line(self, strings: Strings) -> str:
        try:
            served, _ = self.installation.generations()
            files = account_line(self.installation.account(), strings)
        except RetrievalError as error:
            return reason_of(error)
        line = generation_line(strings.models.generation_served, served, strings)
        return f"{line}\n{files}"

"""What `/whimbrel` says: help and status."""

from __future__ import annotations

from bot.admin.people import People
from bot.incoming.payloads import Command
from bot.outgoing.cards import notice
from bot.outgoing.outbox import Outbox
from bot.store.inbox import Inbox, Job
from bot.store.log import ConversationLog
from bot.strings import Strings, strings_for


class CommandHandler:
    """`/whimbrel status`, and help for everything else."""

    def __init__(self, inbox: Inbox, log: ConversationLog, outbox: Outbox, people: People) -> None:
        self._inbox = inbox
        self._log = log
        self._outbox = outbox
        self._people = people

    async def handle(self, job: Job) -> None:
        command = Command(**job.payload)
        _, strings = await self._people.look_up(job.user)
        text = strings.help
        if command.text.lower() == "status":
            text = await self._inbox.database.run(self._status, strings)
        await self._outbox.respond(command.response_url, job.user, (notice(text),))
        await self._inbox.database.run(self._inbox.finish, job)

    async def apologise(self, job: Job, _error: Exception) -> None:
        card = notice(strings_for("en").failed.format(error_id=job.error_id))
        await self._outbox.respond(Command(**job.payload).response_url, job.user, [card])

    def _status(self, strings: Strings) -> str:
        counts = self._inbox.counts()
        return strings.status.format(
            waiting=counts.get("todo", 0),
            doing=counts.get("doing", 0),
            dead=counts.get("dead", 0),
            turns=self._log.count(),
        )

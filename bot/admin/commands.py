"""What `/whimbrel` does: one table of sub-commands, who may use them, and help for the rest."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from bot.admin.admin_cards import help_card
from bot.slack.incoming.payloads import Command, Interaction, read, read_in_part
from bot.slack.outgoing.cards import Card, escape, notice
from bot.slack.outgoing.mrkdwn import reason_of
from bot.slack.outgoing.outbox import Outbox
from bot.slack.people import People
from bot.store.audit import AuditLog
from bot.store.inbox import Inbox, Job
from bot.strings import Strings
from retrieval.errors import RetrievalError

HELP = "help"

PERSON = re.compile(
    r"<@([uw][a-z0-9]+)(?:\|[^>]*)?>|(?<![a-z0-9])([uw](?=[a-z]*\d)[a-z0-9]{7,})", re.IGNORECASE
)
"""Somebody, as a command names them: mentioned, or by their id."""


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A sub-command as somebody gave it, typed or with a button.

    `arguments` are the words behind its name, in lower case. Without a `response_url` the answer
    goes to the person's direct messages.
    """

    job: Job
    name: str
    arguments: tuple[str, ...]
    response_url: str | None
    trigger_id: str | None
    strings: Strings


@dataclass(frozen=True, slots=True)
class Subcommand:
    """What a sub-command does and how it is written.

    `run` returns what to tell the person who gave it, None if it has told them already.
    """

    run: Callable[[CommandRequest], Awaitable[Card | None]]
    usage: str
    is_for_admins: bool = True


class CommandHandler:
    """Does what `/whimbrel` and its buttons ask for; what is unknown is answered with help."""

    def __init__(
        self,
        table: Mapping[str, Subcommand],
        inbox: Inbox,
        outbox: Outbox,
        people: People,
        audit: AuditLog,
    ) -> None:
        self._table = table
        self._inbox = inbox
        self._outbox = outbox
        self._people = people
        self._audit = audit

    async def handle(self, job: Job) -> None:
        """Do what was asked, if the person may, and show what came of it to them alone."""
        is_admin, strings = await self._people.look_up(job.user)
        request = read_request(job, strings)
        subcommand = self._table.get(request.name)
        if subcommand is None:
            card: Card | None = self._help(request, is_admin)
        elif subcommand.is_for_admins and not is_admin:
            card = notice(strings.commands.not_admin)
        else:
            if subcommand.is_for_admins:
                await self._inbox.database.run(self._note, request)
            card = await subcommand.run(request)
        if card is not None:
            await tell(self._outbox, request, card)
        await self._inbox.database.run(self._inbox.finish, job)

    async def apologise(self, job: Job, error: Exception) -> None:
        """Say in place of the progress, or in private, that it did not work and why."""
        strings = self._people.strings_of(job.user)
        # What retrieval raises on purpose is written to be read; the rest is for the log.
        reason = reason_of(error) if isinstance(error, RetrievalError) else ""
        card = notice(strings.commands.failed.format(reason=reason, error_id=job.error_id))
        reply = await self._inbox.database.run(self._inbox.reply, job)
        if reply is None or not await self._outbox.edit(*reply, card):
            url = read_in_part(job, Command("", None)).response_url
            await tell(self._outbox, CommandRequest(job, "", (), url, None, strings), card)

    def _note(self, request: CommandRequest) -> None:
        # Whom a command is about can be forgotten, and stands nowhere in the audit log.
        said = PERSON.sub("@person", " ".join((request.name, *request.arguments)))
        self._audit.add("command", request.job, channel=request.job.channel, command=said)

    def _help(self, request: CommandRequest, is_admin: bool) -> Card:
        name, intro = request.name, ""
        if name != HELP:
            near = get_close_matches(name, [*self._table, HELP], n=1, cutoff=0.5)
            words = request.strings.commands.unknown
            intro = words.format(name=escape(name).replace("`", "")[:40])
            if near:
                intro += request.strings.commands.nearest.format(name=near[0])
        usages = {
            name: subcommand.usage
            for name, subcommand in self._table.items()
            if is_admin or not subcommand.is_for_admins
        } | {HELP: HELP}
        return help_card(usages, request.strings, intro=intro, has_buttons=is_admin)


def read_request(job: Job, strings: Strings) -> CommandRequest:
    """What a job of the kinds that this module handles asks for."""
    if "name" in job.payload:
        interaction = read(job, Interaction)
        text, url, trigger_id = interaction.value, interaction.response_url, interaction.trigger_id
    else:
        command = read(job, Command)
        text, url, trigger_id = command.text, command.response_url, command.trigger_id
    name, *arguments = text.lower().split() or [HELP]
    return CommandRequest(job, name, tuple(arguments), url, trigger_id, strings)


async def tell(outbox: Outbox, request: CommandRequest, card: Card) -> None:
    """Show a card to the person who gave the command, and to nobody else."""
    job = request.job
    if request.response_url is not None:
        await outbox.respond(request.response_url, job.user, (card,), replaces=True)
    else:
        await outbox.post(job.user, card, thread_ts=None, event_id=job.event_id)

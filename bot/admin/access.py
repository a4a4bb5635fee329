"""Why somebody may read a document, or may not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from bot.admin.admin_cards import NAMES_SHOWN, section
from bot.admin.commands import PERSON, CommandRequest
from bot.admin.config import SourcesOf, is_channel
from bot.slack.audience import Audiences, Grant, of_documents
from bot.slack.outgoing.cards import Card, notice
from bot.slack.outgoing.mrkdwn import code
from bot.slack.workspace import Workspace
from bot.strings import Strings
from retrieval.records import PUBLIC, Source


class Access:
    """`/whimbrel access [@person] [document]`; without a person for the admin, and the channel."""

    def __init__(self, workspace: Workspace, sources_of: SourcesOf) -> None:
        self._audiences = workspace.audiences
        self._sources_of = sources_of

    async def run(self, request: CommandRequest) -> Card:
        """Tell what is asked, to the admin alone."""
        person, wanted = read_arguments(request.arguments)
        strings, user = request.strings, person or request.job.user
        if wanted:
            found = await self._found(wanted, await self._audiences.of_person(request.job.user))
            if not found:
                return notice(strings.access.no_document.format(document=code(wanted)))
            grants = await self._audiences.grants(user)
            lines = [line for source in found for line in _verdict(source, user, grants, strings)]
        else:
            lines = await explained(self._audiences, user, strings)
        if person is None and is_channel(request.job.channel):
            lines += await self._of_channel(request)
        text = "\n".join(lines)
        return Card(text, (section(text),))

    async def _found(self, wanted: str, own: frozenset[str]) -> list[Source]:
        """The documents of that id; by a part of it only those that the admin may read."""
        sources = await asyncio.to_thread(self._sources_of)
        same = [source for source in sources if source.id.lower() == wanted]
        readable = (source for source in sources if source.audience in own)
        return same or [source for source in readable if wanted in source.id.lower()][:NAMES_SHOWN]

    async def _of_channel(self, request: CommandRequest) -> list[str]:
        channel, user, texts = request.job.channel, request.job.user, request.strings.access
        held = of_documents(await self._audiences.of_channel(channel, user=user))
        lines = [texts.channel.format(labels=_codes(held))]
        withheld = self._audiences.meant_for(channel) - held
        return [*lines, texts.withheld.format(labels=_codes(withheld))] if withheld else lines


async def explained(audiences: Audiences, user: str, strings: Strings) -> list[str]:
    """A line for each label that somebody holds in private, and why; or why they hold none."""
    texts, grants = strings.access, await audiences.grants(user)
    standing = texts.standings[await audiences.standing(user)]
    if not grants:
        return [texts.nothing.format(person=code(user), standing=standing)]
    lines = [f"• {code(grant.label)}: {_reason(grant, strings)}" for grant in grants]
    return [texts.holds.format(person=code(user), standing=standing), *lines]


def read_arguments(arguments: Sequence[str]) -> tuple[str | None, str]:
    """Whom a command is about, if it says so, and which document; ids of documents have spaces."""
    match = PERSON.fullmatch(arguments[0]) if arguments else None
    if match is None:
        return None, " ".join(arguments)
    return (match[1] or match[2]).upper(), " ".join(arguments[1:])


def _verdict(source: Source, user: str, grants: Sequence[Grant], strings: Strings) -> Iterable[str]:
    texts, why = strings.access, [grant for grant in grants if grant.label == source.audience]
    yield texts.document.format(document=code(source.id), label=code(source.audience))
    if why:
        reasons = ", ".join(_reason(grant, strings) for grant in why)
        yield texts.may.format(person=code(user), reasons=reasons)
    else:
        yield texts.may_not.format(person=code(user))


def _reason(grant: Grant, strings: Strings) -> str:
    return strings.access.reasons[grant.by].format(name=code(grant.name))


def _codes(labels: Iterable[str]) -> str:
    return ", ".join(map(code, sorted(labels, key=lambda label: (label != PUBLIC, label))))

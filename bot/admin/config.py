"""Setting up a channel from Slack: opens the modal, and keeps what was filled in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from slack_sdk.errors import SlackApiError

from bot.admin.channel_form import channel_form, config_lines, read_form
from bot.admin.commands import CommandRequest
from bot.slack.incoming.payloads import Interaction, read
from bot.slack.outgoing.cards import Card, notice
from bot.slack.outgoing.mrkdwn import quoted
from bot.slack.outgoing.outbox import Outbox
from bot.slack.outgoing.reaching import reason
from bot.slack.people import People
from bot.store.audit import AuditLog
from bot.store.channels import ChannelConfig, Channels
from bot.store.inbox import Inbox, Job
from bot.strings import Strings
from retrieval.errors import RetrievalError
from retrieval.records import Source

logger = logging.getLogger(__name__)

SourcesOf = Callable[[], Sequence[Source]]
"""The documents that are searched now; raises RetrievalError if there are none yet."""

_NOT_THERE = {"not_in_channel", "channel_not_found", "user_not_in_channel", "is_archived"}


class ConfigHandler:
    """`/whimbrel config`, and what comes back from its modal."""

    def __init__(
        self,
        inbox: Inbox,
        outbox: Outbox,
        people: People,
        audit: AuditLog,
        sources_of: SourcesOf,
    ) -> None:
        self._audit = audit
        self._channels = Channels(inbox.database)
        self._inbox = inbox
        self._outbox = outbox
        self._people = people
        self._sources_of = sources_of

    async def open(self, request: CommandRequest) -> Card | None:
        """Open the modal for the channel in which the command was given."""
        job, strings = request.job, request.strings
        if not is_channel(job.channel):
            return notice(strings.channel_form.only_channels)
        config = await self._inbox.database.run(self._channels.of, job.channel)
        form = channel_form(job.channel, config, strings)
        if request.trigger_id and await self._outbox.open_modal(request.trigger_id, form):
            return None
        # An earlier attempt, broken off behind the opening, has used the trigger up.
        return None if job.attempts > 1 else notice(strings.channel_form.too_late)

    async def handle(self, job: Job) -> None:
        """Keep what an admin has filled in, and say what holds in the channel now."""
        interaction = read(job, Interaction)
        is_admin, strings = await self._people.look_up(job.user)
        if is_admin:
            config = await self._inbox.database.run(self._save, job, interaction)
            card = notice(await self._inbox.database.run(self._confirmation, config, strings))
            logger.info("configured channel=%s by=%s", interaction.value, job.user)
        else:
            card = notice(strings.commands.not_admin)
        await self._tell(job, interaction.value, card)
        await self._inbox.database.run(self._inbox.finish, job)

    async def apologise(self, job: Job, _error: Exception) -> None:
        """Tell the admin in private that nothing was saved."""
        strings = self._people.strings_of(job.user)
        words = strings.commands.failed.format(reason="", error_id=job.error_id)
        await self._tell(job, "", notice(words))

    def _save(self, job: Job, interaction: Interaction) -> ChannelConfig:
        with self._inbox.database.transaction() as db:
            db.lock("channel", interaction.value)
            config = read_form(interaction.inputs, self._channels.of(interaction.value))
            self._channels.set(interaction.value, config, by=job.user)
            # Who the experts are stands in the settings of the channel, and can be forgotten there.
            values = asdict(config) | {"experts": len(config.experts)}
            self._audit.add("config", job, channel=interaction.value, config=values)
        return config

    def _confirmation(self, config: ChannelConfig, strings: Strings) -> str:
        lines = [f"• {quoted(line)}" for line in config_lines(config, strings)]
        try:
            unknown = unmatched(config.sources, self._sources_of())
        except RetrievalError:
            unknown = []  # nothing is indexed yet, so nothing can be said of it
        if unknown:
            lines.append(strings.channel_form.unknown.format(sources=quoted(", ".join(unknown))))
        return "\n".join([strings.channel_form.saved, *lines])[:3_000]

    async def _tell(self, job: Job, channel: str, card: Card) -> None:
        """Tell the admin alone: in the channel, or where the bot is not in it, in private."""
        if channel:
            try:
                await self._outbox.whisper(channel, job.user, card, thread_ts=None)
            except SlackApiError as error:
                if reason(error) not in _NOT_THERE:
                    raise
            else:
                return
        await self._outbox.post(job.user, card, thread_ts=None, event_id=job.event_id)


def is_channel(channel: str) -> bool:
    """Whether a conversation is a channel, and not direct messages or nothing at all."""
    return channel[:1] in ("C", "G")


def unmatched(beginnings: Iterable[str], sources: Iterable[Source]) -> list[str]:
    """The beginnings that no document's id has."""
    ids = [source.id for source in sources]
    return [start for start in beginnings if not any(id_.startswith(start) for id_ in ids)]

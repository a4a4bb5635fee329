"""Messages that somebody asks about, with the shortcut or a reaction."""

from __future__ import annotations

from dataclasses import asdict, replace

from bot.slack.conversations import Conversations
from bot.slack.incoming.events import question_delivery
from bot.slack.incoming.payloads import Interaction, Question, read, read_in_part
from bot.slack.incoming.text import plain
from bot.slack.outgoing.cards import notice
from bot.slack.outgoing.outbox import Outbox
from bot.store.inbox import Inbox, Job
from bot.strings import strings_for
from retrieval.documents.loaders.slack_words import files_of, forwarded_words, own_words
from retrieval.language import language_of, words


class AskedAboutHandler:
    """Asks a message once, whoever asks about it.

    By the shortcut the one who used it asks, in private if the message was asked before; by a
    reaction its author does.
    """

    def __init__(
        self, inbox: Inbox, outbox: Outbox, conversations: Conversations, *, bot_user: str
    ) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._conversations = conversations
        self._bot_user = bot_user

    async def handle(self, job: Job) -> None:
        """Ask the message as a question, or say why it cannot be asked."""
        interaction = read(job, Interaction)
        if interaction.response_url is None:
            interaction = await self._fetched(job, interaction)
        is_ours = interaction.author in (None, self._bot_user)
        said = " ".join((interaction.text, *interaction.forwarded))
        if not is_ours and (words(plain(said, bot_user=self._bot_user)) or interaction.files):
            await self._inbox.database.run(self._ask, job, interaction)
            return
        if interaction.response_url is not None:
            strings = strings_for(language_of(said))
            card = notice(strings.asking.ask_own if is_ours else strings.asking.empty)
            await self._outbox.respond(interaction.response_url, job.user, (card,))
        await self._inbox.database.run(self._inbox.finish, job)

    async def apologise(self, job: Job, _error: Exception) -> None:
        """Tell who used the shortcut; who reacted sees nothing."""
        url = read_in_part(job, Interaction("")).response_url
        if url is not None:
            card = notice(strings_for("en").asking.failed.format(error_id=job.error_id))
            await self._outbox.respond(url, job.user, (card,))

    async def _fetched(self, job: Job, interaction: Interaction) -> Interaction:
        message = await self._conversations.message(job.channel, interaction.ts or "") or {}
        return Interaction(
            name=interaction.name,
            ts=interaction.ts,
            thread_ts=message.get("thread_ts"),
            text=own_words(message),
            author=None if message.get("bot_id") else message.get("user"),
            forwarded=forwarded_words(message),
            files=files_of(message),
        )

    def _ask(self, job: Job, interaction: Interaction) -> None:
        question = Question(
            text=interaction.text,
            ts=interaction.ts,
            thread_ts=interaction.thread_ts or interaction.ts,
            channel_type="im" if job.channel.startswith("D") else None,
            private_url=interaction.response_url,
            files=interaction.files,
            forwarded=interaction.forwarded,
        )
        delivery = question_delivery(
            question,
            event_id=f"{job.event_id}:asked",
            team=job.team,
            channel=job.channel,
            user=job.user if interaction.response_url else interaction.author or job.user,
        )
        with self._inbox.database.transaction():
            if not self._inbox.accept(delivery) and interaction.response_url is not None:
                # Its answer may be where only another person sees it.
                alone = Question(
                    text=interaction.text,
                    response_url=interaction.response_url,
                    files=interaction.files,
                    forwarded=interaction.forwarded,
                )
                key = delivery.event_id
                self._inbox.accept(
                    replace(delivery, payload=asdict(alone), thread_key=key, work_key=None)
                )
            self._inbox.finish(job)

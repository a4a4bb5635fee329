"""What people are told of the queue: that it is full, how long it is, that they have left it."""

from __future__ import annotations

from slack_sdk.models.blocks import ActionsBlock, ButtonElement

from bot.metrics import count_question
from bot.slack.incoming.interactions import WITHDRAW
from bot.slack.incoming.payloads import Interaction, Question, read, read_in_part
from bot.slack.outgoing.cards import Card, notice
from bot.slack.outgoing.outbox import Outbox
from bot.slack.outgoing.reply import ReplyMessages
from bot.slack.people import People
from bot.store.inbox import Inbox, Job
from bot.strings import AskingStrings, strings_for
from retrieval.language import language_of


class RefusalHandler:
    """Tells people whose question came when too many were waiting."""

    def __init__(self, inbox: Inbox, outbox: Outbox) -> None:
        self._inbox = inbox
        self._outbox = outbox

    async def handle(self, job: Job) -> None:
        """Say that too many questions are waiting, to those who asked us."""
        await self._refuse(job)
        await self._inbox.database.run(self._inbox.finish, job)
        count_question("refused")

    async def apologise(self, job: Job, _error: Exception) -> None:
        """Say just that; an attempt that was broken off may not have."""
        await self._refuse(job)

    async def _refuse(self, job: Job) -> None:
        question = read_in_part(job, Question(""))
        if question.is_overheard or question.is_automated:
            return
        strings = strings_for(language_of(question.said)).asking
        texts = {"person": strings.busy_person, "channel": strings.busy_channel}
        card = notice(texts.get(job.payload.get("refused", ""), strings.busy))
        await ReplyMessages(self._inbox, self._outbox, job, question).show((card,))


class QueuedHandler:
    """Tells somebody in private how many questions are before theirs, and lets them leave."""

    def __init__(self, inbox: Inbox, outbox: Outbox) -> None:
        self._inbox = inbox
        self._outbox = outbox

    async def handle(self, job: Job) -> None:
        """Say it, if the question still waits."""
        question, database = read_in_part(job, Question("")), self._inbox.database
        event_id = job.event_id.removeprefix("queued:")
        before = await database.run(self._inbox.before, event_id)
        if before:
            strings = strings_for(language_of(question.said)).asking
            card = _queued(strings, before, event_id)
            if question.response_url is not None:
                await self._outbox.respond(question.response_url, job.user, (card,))
            else:
                in_thread = None if question.thread_ts == question.ts else question.thread_ts
                await self._outbox.whisper(job.channel, job.user, card, thread_ts=in_thread)
        await database.run(self._inbox.finish, job)

    async def apologise(self, _job: Job, _error: Exception) -> None:
        """The answer comes all the same."""


class WithdrawHandler:
    """Takes a question out of the queue for who asked it."""

    def __init__(self, inbox: Inbox, outbox: Outbox, people: People) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._people = people

    async def handle(self, job: Job) -> None:
        """Withdraw the question, or say that it has been begun, in place of the button."""
        click, database = read(job, Interaction), self._inbox.database
        is_gone = await database.run(self._inbox.withdraw, click.value, job.user)
        if click.response_url is not None:
            _, strings = await self._people.look_up(job.user)
            card = notice(strings.asking.withdrawn if is_gone else strings.asking.begun)
            await self._outbox.respond(click.response_url, job.user, (card,), replaces=True)
        await database.run(self._inbox.finish, job)

    async def apologise(self, _job: Job, _error: Exception) -> None:
        """The answer comes all the same."""


def _queued(strings: AskingStrings, before: int, event_id: str) -> Card:
    card = notice(strings.queued.format(n=before))
    button = ButtonElement(text=strings.withdraw, action_id=WITHDRAW, value=event_id)
    return Card(card.text, (*card.blocks, ActionsBlock(elements=[button])))

"""What a question is asked against: who will read the answer, what was said, what is attached."""

from __future__ import annotations

from dataclasses import dataclass

from bot.asking.attachments import Attached, Attachments, only_points
from bot.asking.threads import asks
from bot.slack.audience import Audiences, is_alone, place
from bot.slack.conversations import Conversations
from bot.slack.incoming.payloads import Question
from bot.store.database import Database
from bot.store.inbox import Job
from bot.store.log import ConversationLog
from retrieval.documents.loaders.slack_words import files_of, forwarded_words, own_words
from retrieval.records import Message


class NotServedError(Exception):
    """Who asked is not answered in private: a guest, or a person of another organisation."""


@dataclass(frozen=True, slots=True)
class Background:
    """`history` ends with the attached files, as if they had been pasted before the question.

    `is_private` unless everybody can read along; then its place is one of the labels of `audience`.
    """

    audience: frozenset[str]
    is_private: bool
    history: tuple[Message, ...]
    attached: Attached


class Backgrounds:
    """Gathers the background of a question."""

    def __init__(
        self,
        database: Database,
        audiences: Audiences,
        conversations: Conversations,
        attachments: Attachments,
    ) -> None:
        self._log = ConversationLog(database)
        self._database = database
        self._audiences = audiences
        self._conversations = conversations
        self._attachments = attachments

    async def of(self, question: Question, job: Job) -> Background:
        """The background, from our own log first and from Slack where that knows nothing.

        Raises:
            NotServedError: If nobody may be told anything where the answer would be.
            SlackUnreachableError: If Slack is needed and does not answer now.
        """
        audience = await self._audiences.of(question, channel=job.channel, user=job.user)
        if not audience:
            raise NotServedError(f"user={job.user} is not answered in private")
        is_private = await self._audiences.is_private(question, channel=job.channel)
        if is_private:
            is_for_one = is_alone(question, channel=job.channel)
            audience |= {place(job.user if is_for_one else job.channel)}
        said = await self._database.run(
            self._log.history, job.channel, question.thread_ts, audience=audience
        )
        if not said and question.ts and question.thread_ts and question.ts != question.thread_ts:
            # We were called into people's conversation.
            said = await self._conversations.history(
                job.channel, question.thread_ts, before=question.ts
            )
        attached = await self._attachments.read(question.files)
        return Background(audience, is_private, (*said, *attached.history()), attached)

    async def meant(self, question: Question, channel: str) -> Question | None:
        """What a call into a thread means: the last question of a person, else what began it.

        Raises:
            SlackUnreachableError: If Slack does not answer now.
        """
        thread_ts, ts = question.thread_ts or "", question.ts or ""
        message = await self._conversations.asked_before(
            channel, thread_ts, before=ts, asks=lambda text: asks(text) and not only_points(text)
        )
        if message is None:
            return None
        said, forwarded = own_words(message), forwarded_words(message)
        return Question(said, forwarded=forwarded, files=files_of(message))

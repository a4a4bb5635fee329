"""What people hold to be right, taken to the review queue: corrections and marked messages."""

from __future__ import annotations

from slack_sdk.errors import SlackApiError

from bot.review.corrections import Corrections, digest
from bot.review.modals import accept_note, chosen_document
from bot.slack.audience import place
from bot.slack.incoming.payloads import Body, Interaction, Question
from bot.slack.incoming.text import plain_words
from bot.slack.outgoing.cards import Card, notice
from bot.slack.workspace import Workspace
from bot.store.channels import Channels
from bot.store.inbox import Inbox, Job
from bot.store.reasons import REASONS, Reason
from bot.store.reviews import Proposal, ProposalSource, Reviews
from bot.store.turns import LoggedTurn, Turns
from bot.strings import Strings, strings_for
from retrieval.answering.questions import standalone
from retrieval.language import language_of, words


class Proposing:
    """Writes reasons and proposals; ends with the job finished."""

    def __init__(self, inbox: Inbox, workspace: Workspace) -> None:
        self._inbox = inbox
        self._outbox = workspace.outbox
        self._audiences = workspace.audiences
        self._conversations = workspace.conversations
        self._bot_user = workspace.bot_user
        self._channels = Channels(inbox.database)
        self._turns = Turns(inbox.database)
        self._corrections = Corrections(inbox.database)
        self._reviews = Reviews(inbox.database)

    async def correct(self, job: Job, interaction: Interaction) -> None:
        """Keep what a person wrote into the modal; a right answer goes into the queue."""
        await self._inbox.database.run(self._correct, job, interaction)

    async def propose(self, job: Job, interaction: Interaction) -> None:
        """Propose a person's message as the answer to its thread's question."""
        message = await self._conversations.message(job.channel, interaction.ts or "") or {}
        answer = plain_words(message, bot_user=self._bot_user)
        if message.get("bot_id") or not message.get("user") or not words(answer):
            await self._inbox.database.run(self._inbox.finish, job)
            return
        proposal = await self._proposal(job, message, answer)
        if proposal is not None:
            await self._inbox.database.run(self._reviews.add, proposal)
        strings = strings_for(language_of(answer))
        text = strings.feedback.no_question_here
        if proposal is not None:
            text = await self._thanks(proposal, strings)
        await self._whisper(job, notice(text), message.get("thread_ts"))
        await self._inbox.database.run(self._inbox.finish, job)

    async def _thanks(self, proposal: Proposal, strings: Strings) -> str:
        """Who will look: of what was said in private, others than experts see it only there."""
        config = await self._inbox.database.run(self._channels.of, proposal.channel)
        is_private = place(proposal.channel) in proposal.audience
        feedback = strings.feedback
        return (
            feedback.proposed_to_admins if is_private and not config.experts else feedback.proposed
        )

    async def offer(self, job: Job, interaction: Interaction) -> None:
        """Ask the asker whether what a person replied is the answer."""
        turn = await self._inbox.database.run(self._turns.get, interaction.value)
        if turn is not None:
            card = accept_note(turn.id, strings_for(turn.language))
            await self._whisper(job, card, turn.thread_ts)
        await self._inbox.database.run(self._inbox.finish, job)

    async def accept(self, job: Job, interaction: Interaction) -> None:
        """Propose the last thing that anybody else said in the thread."""
        turn = await self._inbox.database.run(self._turns.get, interaction.value)
        if turn is None or turn.asker != job.user or turn.thread_ts is None:
            await self._inbox.database.run(self._inbox.finish, job)
            return
        said = await self._conversations.thread(turn.channel, turn.thread_ts)
        replies = [message for message in said if self._is_reply(message, turn)]
        if replies:
            answer = plain_words(replies[-1], bot_user=self._bot_user)
            proposal = await self._proposal(job, replies[-1], answer, source="accepted")
            if proposal is not None:
                await self._inbox.database.run(self._reviews.add, proposal)
        strings = strings_for(turn.language)
        text = strings.feedback.proposed if replies else strings.feedback.no_reply_here
        await self._whisper(job, notice(text), turn.thread_ts)
        await self._inbox.database.run(self._inbox.finish, job)

    def _is_reply(self, message: Body, turn: LoggedTurn) -> bool:
        is_others = message.get("user") not in (None, turn.asker, self._bot_user)
        text = plain_words(message, bot_user=self._bot_user)
        return (
            is_others
            and not message.get("bot_id")
            and message["ts"] != turn.thread_ts
            and bool(words(text))
        )

    def _correct(self, job: Job, interaction: Interaction) -> None:
        turn = self._turns.get(interaction.value)
        with self._inbox.database.transaction():
            if turn is not None:
                self._corrections.give(turn, self._reason(job, turn, interaction))
            self._inbox.finish(job)

    def _reason(self, job: Job, turn: LoggedTurn, interaction: Interaction) -> Reason:
        said = interaction.inputs
        return Reason(
            turn_id=turn.id,
            person=job.user,
            reason=next((reason for reason in REASONS if reason == said.get("reason")), ""),
            answer=said.get("answer", "").strip(),
            document=chosen_document(said, self._turns.documents(turn.id)),
            document_name=said.get("document_name", "").strip(),
            event_id=job.event_id,
        )

    async def _proposal(
        self, job: Job, message: Body, answer: str, *, source: ProposalSource = "proposal"
    ) -> Proposal | None:
        ts = message["ts"]
        thread_ts = message.get("thread_ts", ts)
        turn = await self._inbox.database.run(self._turns.before, job.channel, thread_ts, ts)
        question = turn.query if turn else await self._asked(job.channel, thread_ts, ts)
        if not words(question):
            return None
        place = await self._audiences.place(job.channel, user=job.user)
        asked = Question(question, channel_type="im" if job.channel.startswith("D") else None)
        audience = await self._audiences.of(asked, channel=job.channel, user=job.user)
        return Proposal(
            key=f"message:{digest(job.channel, ts)}",
            source=source,
            question=question,
            answer=answer,
            audience=(turn.audience if turn else audience) | ({place} if place else set()),
            channel=job.channel,
            author=message["user"],
            proposer=job.user,
            turn_id=turn.id if turn else None,
            document=turn.cited if turn else None,
        )

    async def _asked(self, channel: str, thread_ts: str, ts: str) -> str:
        """What began the thread, if that is a person's message and not the one proposed."""
        root = await self._conversations.message(channel, thread_ts) if thread_ts != ts else None
        if root is None or root.get("bot_id"):
            return ""
        return standalone(plain_words(root, bot_user=self._bot_user), ())

    async def _whisper(self, job: Job, card: Card, thread_ts: str | None) -> None:
        try:
            await self._outbox.whisper(job.channel, job.user, card, thread_ts=thread_ts)
        except SlackApiError:
            # Who is not in the channel any more need not be told.
            return

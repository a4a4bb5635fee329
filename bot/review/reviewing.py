"""What people say was wrong and is right: reasons, proposals, and what experts decide."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bot.review.curated import CuratedAnswers
from bot.review.document_lookup import DocumentLookup, citable
from bot.review.experts import Experts
from bot.review.fixes import Fixes
from bot.review.modals import chosen_document, edit_modal, reason_modal
from bot.review.proposing import Proposing
from bot.slack.incoming.interactions import (
    ACCEPT_REPLY,
    APPROVE_REVIEW,
    EDIT_REVIEW,
    EDITED_REVIEW,
    OFFER,
    REASON,
    REJECT_REVIEW,
    RETIRE_ANSWER,
    TELL_REASON,
)
from bot.slack.incoming.payloads import Interaction, read
from bot.slack.workspace import Workspace
from bot.store.audit import AuditLog
from bot.store.inbox import Inbox, Job
from bot.store.reasons import Reasons
from bot.store.reviews import Review, ReviewAccess, ReviewDecision, Reviews
from bot.store.turns import DocumentRef, Turns
from bot.strings import Strings, strings_for

_EXPERTS = (APPROVE_REVIEW, EDIT_REVIEW, EDITED_REVIEW, REJECT_REVIEW, RETIRE_ANSWER)


class ReviewHandler:
    """What people say is wrong or right, until an expert has decided."""

    def __init__(
        self,
        inbox: Inbox,
        workspace: Workspace,
        experts: Experts,
        curated: CuratedAnswers,
        documents: DocumentLookup,
        audit: AuditLog,
        *,
        show_home: Callable[[str, str], Awaitable[None]],
        on_approved: Callable[[], None],
    ) -> None:
        self._inbox = inbox
        self._outbox = workspace.outbox
        self._people = workspace.people
        self._audiences = workspace.audiences
        self._experts = experts
        self._held = documents
        self._audit = audit
        self._proposing = Proposing(inbox, workspace)
        self._curated = curated
        self._show_home = show_home
        self._on_approved = on_approved
        self._turns = Turns(inbox.database)
        self._reasons = Reasons(inbox.database)
        self._reviews = Reviews(inbox.database)
        self._fixes = Fixes(inbox.database, documents)

    async def handle(self, job: Job) -> None:
        """Write a reason, proposal or decision, and show what follows from it."""
        interaction = read(job, Interaction)
        match interaction.name:
            case name if name == TELL_REASON:
                await self._ask_why(job, interaction)
            case name if name == REASON:
                await self._proposing.correct(job, interaction)
            case name if name == OFFER:
                await self._proposing.offer(job, interaction)
            case name if name == ACCEPT_REPLY:
                await self._proposing.accept(job, interaction)
            case name if name in _EXPERTS:
                await self._review(job, interaction)
            case _:
                await self._proposing.propose(job, interaction)

    async def apologise(self, job: Job, _error: Exception) -> None:
        """Say on App Home that it failed."""
        _, strings = await self._people.look_up(job.user)
        failed = strings.asking.failed.format(error_id=job.error_id)
        await self._show_home(job.user, failed)

    async def _ask_why(self, job: Job, interaction: Interaction) -> None:
        database = self._inbox.database
        turn = await database.run(self._turns.get, interaction.value)
        if turn is not None and interaction.trigger_id is not None:
            found = await database.run(self._turns.documents, turn.id)
            labels = await self._audiences.of_reader(job.channel, user=job.user)
            documents = await asyncio.to_thread(self._held.readable, found, labels)
            known = await database.run(self._reasons.of, turn.id, job.user)
            view = reason_modal(turn.id, documents, known, strings_for(turn.language))
            # Where the click came too late the note is still there to be clicked again.
            await self._outbox.open_modal(interaction.trigger_id, view)
        await database.run(self._inbox.finish, job)

    async def _review(self, job: Job, interaction: Interaction) -> None:
        database = self._inbox.database
        _, strings = await self._people.look_up(job.user)
        review = await database.run(self._reviews.get, int(interaction.value))
        reader = await self._experts.reader(job.user)
        said: str | None
        if review is None or not await asyncio.to_thread(reader.may_review, review.proposal):
            said = strings.review.gone
        elif interaction.name == RETIRE_ANSWER:
            await database.run(self._retire, job, review)
            said = strings.review.retired
        elif interaction.name == EDIT_REVIEW:
            said = await self._edit(review, interaction, reader, strings)
        else:
            said = await self._decide(job, review, interaction, strings)
        if said is not None:
            await self._show_home(job.user, said)
        await database.run(self._inbox.finish, job)

    async def _edit(
        self, review: Review, interaction: Interaction, reader: ReviewAccess, strings: Strings
    ) -> str | None:
        if review.state != "open":
            return strings.review.taken
        found = await self._inbox.database.run(self._documents, review)
        labels = reader.readable(review.proposal)
        documents = await asyncio.to_thread(self._held.readable, found, labels)
        view = edit_modal(review, documents, strings)
        opened = await self._outbox.open_modal(interaction.trigger_id or "", view)
        return strings.review.too_late if opened is None else None

    async def _decide(
        self, job: Job, review: Review, interaction: Interaction, strings: Strings
    ) -> str:
        decision: ReviewDecision = "rejected" if interaction.name == REJECT_REVIEW else "approved"
        database = self._inbox.database
        if interaction.name == EDITED_REVIEW:
            review = await database.run(self._edited, review, interaction)
        author = await self._people.name(review.proposal.author)
        if not await database.run(self._write, job, review, decision, author):
            return strings.review.taken
        if decision == "approved":
            self._on_approved()
        return strings.review.approved if decision == "approved" else strings.review.rejected

    def _write(
        self, job: Job, review: Review, decision: ReviewDecision, author: str | None
    ) -> bool:
        with self._inbox.database.transaction():
            is_ours = self._reviews.decide(
                review, decision, reviewer=job.user, event_id=job.event_id
            )
            if is_ours and decision == "approved":
                curated_id = self._curated.add(review, reviewer=job.user, author_name=author)
                if review.proposal.turn_id is not None:
                    answer = review.proposal.answer
                    self._fixes.record(review.proposal.turn_id, answer, curated_id=curated_id)
            if is_ours:
                self._audit.add("review", job, channel="", review=review.id, decision=decision)
            return is_ours

    def _retire(self, job: Job, review: Review) -> None:
        with self._inbox.database.transaction():
            self._curated.retire(review.id)
            self._audit.add("review", job, channel="", review=review.id, decision="retired")

    def _edited(self, review: Review, interaction: Interaction) -> Review:
        said = interaction.inputs
        proposal = replace(
            review.proposal,
            question=said.get("question", "").strip() or review.proposal.question,
            answer=said.get("answer", "").strip() or review.proposal.answer,
            document=chosen_document(said, self._documents(review)),
        )
        return replace(review, proposal=proposal)

    def _documents(self, review: Review) -> list[DocumentRef]:
        return citable(self._turns, review.proposal)

"""Shows App Home when it is opened, and does what people decide about themselves there."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial

from slack_sdk.errors import SlackApiError

from bot.home.home import Home
from bot.home.view import AND_APPROVED, short
from bot.privacy.forgetting import Forgetting, Forgotten
from bot.review.fixes import FIXED, Fixes
from bot.review.notices import Notices
from bot.slack.incoming.interactions import FORGET_ME, NEWS_OFF, NEWS_ON, SET_LEARNING
from bot.slack.incoming.payloads import Interaction, read
from bot.slack.outgoing.cards import notice
from bot.slack.outgoing.reaching import SlackUnreachableError
from bot.slack.workspace import Workspace
from bot.store.inbox import Inbox, Job
from bot.store.preferences import PeoplesPreferences
from bot.store.turns import LoggedTurn, Turns
from retrieval.errors import RetrievalError
from retrieval.serving.installation import Installation

logger = logging.getLogger(__name__)


class HomeHandler:
    """Everything that concerns one person and happens in private."""

    def __init__(
        self,
        inbox: Inbox,
        workspace: Workspace,
        home: Home,
        fixes: Fixes,
        installation: Installation,
    ) -> None:
        self._inbox = inbox
        self._outbox = workspace.outbox
        self._people = workspace.people
        self._audiences = workspace.audiences
        self._home = home
        self._installation = installation
        self._turns = Turns(inbox.database)
        self._fixes = fixes
        self._notices = Notices(inbox.database)
        self._preferences = PeoplesPreferences(inbox.database)
        self._forgetting = Forgetting(inbox)

    async def handle(self, job: Job) -> None:
        """Keep what was chosen, or forget the person, and show App Home as it is now."""
        interaction = read(job, Interaction) if job.payload else Interaction("")
        if interaction.name == FORGET_ME:
            await self._forget(job, and_approved=interaction.value == AND_APPROVED)
            return
        if interaction.name == FIXED:
            await self._tell(job, interaction.value)
        else:
            if interaction.name in (SET_LEARNING, NEWS_ON, NEWS_OFF):
                await self._inbox.database.run(self._choose, job.user, interaction)
            await self._home.publish(job.user)
        await self._inbox.database.run(self._inbox.finish, job)

    async def apologise(self, job: Job, _error: Exception) -> None:
        """Whoever looks at App Home sees that it is as it was; the rest is for the log."""

    def _choose(self, person: str, interaction: Interaction) -> None:
        with self._inbox.database.transaction():
            chosen, is_on = self._preferences.of(person), interaction.value == "1"
            if interaction.name == SET_LEARNING:
                chosen = replace(chosen, may_learn=is_on)
            else:
                chosen = replace(chosen, notify=is_on)
            self._preferences.set(person, chosen)

    async def _forget(self, job: Job, *, and_approved: bool) -> None:
        forget = partial(self._forgetting.forget, job, and_approved=and_approved)
        forgotten = await self._inbox.database.run(forget)
        # The job is finished and forgotten too: what fails from here on is not tried again.
        try:
            await asyncio.to_thread(self._installation.take_back)
        except RetrievalError:
            logger.exception("a retired model still serves; the next start takes it back")
        try:
            await self._say_forgotten(job.user, forgotten)
        except (SlackApiError, SlackUnreachableError):
            logger.exception("forgotten, but not said")

    async def _say_forgotten(self, person: str, forgotten: Forgotten) -> None:
        _, strings = await self._people.look_up(person)
        said = strings.home.forgotten.format(
            questions=forgotten.questions, ratings=forgotten.ratings, proposals=forgotten.proposals
        )
        if forgotten.approved:
            said += " " + strings.home.forgotten_approved.format(count=forgotten.approved)
        await self._home.publish(person, said)

    async def _tell(self, job: Job, turn_id: str) -> None:
        """The one message about a question that is answered better now."""
        turn = await self._inbox.database.run(self._turns.get, turn_id)
        if turn is None:
            return
        text = await self._news(job.user, turn)

        async def say() -> None:
            await self._outbox.post(job.user, notice(text), thread_ts=None, event_id=job.event_id)

        await self._notices.say_once(turn.id, job.user, "fixed", say)

    async def _news(self, person: str, turn: LoggedTurn) -> str:
        _, strings = await self._people.look_up(person)
        labels = await self._audiences.of_person(person)
        fix = await self._inbox.database.run(self._fixes.of, turn.id, person, labels)
        if fix is None or fix.question is None:
            return strings.home.fixed_untold
        question = short(fix.question, 300)
        if fix.answer is None:
            return strings.home.fixed_unsaid.format(question=question)
        return strings.home.fixed_news.format(question=question, answer=short(fix.answer, 2_000))

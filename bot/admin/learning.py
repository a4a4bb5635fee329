"""Learning from Slack: a round begun by an admin or by the clock, with its progress and outcome."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from slack_sdk.errors import SlackApiError

from bot.admin.admin_cards import section
from bot.admin.child import ChildFailedError
from bot.admin.commands import CommandRequest
from bot.admin.learner import LearningProcess
from bot.admin.progress import OneAtATime, ProgressMessages
from bot.slack.outgoing.cards import Card, escape, notice
from bot.slack.outgoing.mrkdwn import reason_of
from bot.slack.outgoing.outbox import Outbox
from bot.slack.outgoing.reaching import reason
from bot.strings import Strings
from retrieval.registry.rounds import Round, Try

logger = logging.getLogger(__name__)

DRY = "dry"
REASON_CHARS = 350
"""Of each learner, so that all of them fit into one block."""

BAR = "━"
"""What progress is drawn with in a terminal."""


class Learning:
    """`/whimbrel learn [dry]`; progress is edited into one direct message."""

    def __init__(
        self, learner: LearningProcess, messages: ProgressMessages, outbox: Outbox
    ) -> None:
        self._learner = learner
        self._messages = messages
        self._outbox = outbox
        self._alone = OneAtATime()

    async def run(self, request: CommandRequest) -> Card | None:
        """Learn, unless that is being done; what came of it ends up where the progress was."""
        has_run = await self._alone.run(partial(self._run, request))
        return None if has_run else notice(request.strings.learning.busy)

    async def _run(self, request: CommandRequest) -> None:
        strings, job = request.strings, request.job
        place = await self._messages.begin(request, strings.learning.begun)
        try:
            done = await self._learned(request, place)
        except ChildFailedError as error:
            logger.warning("learning failed id=%s: %s", job.error_id, error)
            words, why = strings.learning.failed, reason_of(error)[:REASON_CHARS]
            card = notice(words.format(reason=why, error_id=job.error_id))
            await self._messages.end(request, place, card)
            return
        logger.info("learned by=%s %s", job.user, outcome_line(done, strings))
        channel, _ = await self._messages.end(request, place, round_card(done, strings))
        await self._send_pictures(request, done, channel)

    async def _learned(self, request: CommandRequest, place: tuple[str, str]) -> Round:
        strings = request.strings
        words = strings.learning.again if request.job.attempts > 1 else strings.learning.stage
        options = ("--dry-run",) if DRY in request.arguments else ()
        work = asyncio.create_task(self._learner.learn(options))
        try:
            return await self._messages.follow(place, work, lambda: words.format(line=self._line()))
        finally:
            work.cancel()
            await asyncio.wait({work})

    def _line(self) -> str:
        return escape(" ".join(self._learner.latest().replace(BAR, "").split()))

    async def _send_pictures(self, request: CommandRequest, done: Round, channel: str) -> None:
        strings, pictures = request.strings, self._learner.pictures(done)
        if not pictures:
            return
        try:
            await self._outbox.upload(channel, pictures, comment=strings.learning.pictures)
        except SlackApiError as error:
            logger.warning("pictures not sent: %s", reason(error))


def round_card(done: Round, strings: Strings) -> Card:
    """What a round came to, a line for each learner."""
    headline = strings.learning.done.format(
        dataset=done.dataset, minutes=max(1, round(done.seconds / 60)), held_out=done.held_out
    )
    text = "\n".join([headline, *(_line(tried, strings) for tried in done.tries)])
    return Card(text, (section(text),))


def outcome_line(done: Round, strings: Strings) -> str:
    """When a round was and how it ended for each learner, in a line."""
    learners, states = strings.learning.learners, strings.learning.outcomes
    outcomes = ", ".join(
        f"{learners.get(tried.learner, tried.learner)}: {states[tried.state]}"
        for tried in done.tries
    )
    return strings.learning.last.format(date=done.at[:16].replace("T", " "), outcomes=outcomes)


def _line(tried: Try, strings: Strings) -> str:
    name = strings.learning.learners.get(tried.learner, tried.learner)
    return f"*{name}*: {strings.learning.outcomes[tried.state]}. {_detail(tried, strings)}".strip()


def _detail(tried: Try, strings: Strings) -> str:
    counted = strings.learning.counted[tried.of]
    if tried.state == "too_few":
        return strings.learning.missing.format(
            missing=tried.missing, found=tried.found, needed=tried.needed, of=counted
        )
    if tried.state == "ready":
        return strings.learning.enough.format(
            found=tried.found, of=counted, judged=tried.judged, gain=tried.least_gain
        )
    return escape(tried.reason[:REASON_CHARS]) + (f" `{tried.run}`" if tried.run else "")

"""`/whimbrel replay RUN`: what a learned model would change, before anybody publishes it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from bot.admin.admin_cards import section
from bot.admin.child import Child, ChildFailedError
from bot.admin.commands import CommandRequest
from bot.admin.progress import OneAtATime, ProgressMessages
from bot.replay.files import REPLAYS
from bot.replay.outcome import ReplayOutcome, from_line
from bot.slack.outgoing.cards import Card, escape, notice
from bot.slack.outgoing.mrkdwn import reason_of
from bot.strings import Strings
from retrieval.cli import PROGRAM
from retrieval.settings import Settings

logger = logging.getLogger(__name__)

LOG = "replay.log"
REASON_CHARS = 1_000


class Replayer:
    """Runs `whimbrel replay` in a process of its own; its files are kept by run in `replays`."""

    def __init__(self, settings: Settings, *, program: Sequence[str] = PROGRAM) -> None:
        self._folder = settings.home / REPLAYS
        self._child = Child(settings.models_folder / LOG, program=program)

    async def replay(self, run: str) -> ReplayOutcome:
        """Ask the last questions of a run again; cancelling this ends it.

        Raises:
            ChildFailedError: If it fails; there may be no such run.
        """
        # The name becomes a folder's, and no option.
        name = "".join(mark for mark in run if mark.isalnum() or mark == "-").strip("-")
        arguments = ("--json", "--out", str(self._folder / name), name)
        return from_line(await self._child.run("replay", *arguments))

    def latest(self) -> str:
        """The last line that the replay has said."""
        return self._child.latest()


class Replaying:
    """Progress is edited into one direct message, and ends as the table of what would change."""

    def __init__(self, replayer: Replayer, messages: ProgressMessages) -> None:
        self._replayer = replayer
        self._messages = messages
        self._alone = OneAtATime()

    async def run(self, request: CommandRequest) -> Card | None:
        """Replay, unless that is being done or no run is named."""
        if not request.arguments:
            return notice(request.strings.replay.usage)
        has_run = await self._alone.run(partial(self._run, request, request.arguments[0]))
        return None if has_run else notice(request.strings.replay.busy)

    async def _run(self, request: CommandRequest, run: str) -> None:
        strings, job = request.strings, request.job
        place = await self._messages.begin(request, strings.replay.begun)
        work = asyncio.create_task(self._replayer.replay(run))
        try:
            done = await self._messages.follow(
                place,
                work,
                lambda: strings.replay.stage.format(line=escape(self._replayer.latest())),
            )
        except ChildFailedError as error:
            logger.warning("replay failed id=%s: %s", job.error_id, error)
            why = reason_of(error)[:REASON_CHARS]
            card = notice(strings.replay.failed.format(reason=why, error_id=job.error_id))
        else:
            logger.info("replayed by=%s %s", job.user, done.candidate)
            card = outcome_card(done, strings)
        finally:
            work.cancel()
            await asyncio.wait({work})
        await self._messages.end(request, place, card)


def outcome_card(done: ReplayOutcome, strings: Strings) -> Card:
    """How many answers would change in which way, a line for each."""
    lines = [
        strings.replay.line.format(
            count=count, share=count / max(1, done.asked), change=strings.replay.changes[change]
        )
        for change, count in done.counts.items()
    ]
    headline = strings.replay.done.format(asked=done.asked, candidate=escape(done.candidate))
    text = "\n".join([headline, *lines, strings.replay.files.format(folder=escape(done.folder))])
    return Card(text, (section(text),))

"""Runs `whimbrel learn` in a process of its own: the bot learns nothing while it answers."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from bot.outgoing.outbox import Picture
from retrieval.errors import RetrievalError
from retrieval.models.rounds import PICTURE, Round, all_rounds, from_line
from retrieval.models.runs import find_run, folder_of
from retrieval.settings import Settings

PROGRAM = (sys.executable, "-m", "retrieval.cli")
LOG = "learn.log"
LINE_BYTES = 2_000


class LearningFailedError(RetrievalError):
    """A round of learning failed; the message is the last thing it said."""


class Learner:
    """Runs rounds of learning and knows what came of them.

    What a round says goes to `learn.log` beside the models. If the bot is killed, a round that was
    begun goes on alone.
    """

    def __init__(self, settings: Settings, *, program: Sequence[str] = PROGRAM) -> None:
        self._runs = settings.runs_folder
        self._log = settings.models_folder / LOG
        self._program = program
        self._begun = 0

    async def learn(self, arguments: Sequence[str]) -> Round:
        """Run a round with these options of `whimbrel learn`; cancelling this ends it.

        Raises:
            LearningFailedError: If it fails, or another round is going on.
        """
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._begun = log.tell()
            child = await asyncio.create_subprocess_exec(
                *self._program, "learn", "--json", *arguments,
                stdout=asyncio.subprocess.PIPE, stderr=log, env=_environment(),
            )  # fmt: skip
        try:
            said, _ = await child.communicate()
        finally:
            if child.returncode is None:
                child.terminate()
                await child.wait()
        if child.returncode:
            raise LearningFailedError(self.latest().removeprefix("whimbrel: "))
        return from_line(said.splitlines()[-1])

    def latest(self) -> str:
        """The last line that the round has said."""
        with self._log.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._begun, end - LINE_BYTES))
            lines = log.read().decode(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "").strip()

    def last(self) -> Round | None:
        """The newest round, whoever began it."""
        return next(reversed(all_rounds(self._runs)), None)

    def pictures(self, done: Round) -> list[Picture]:
        """What the gate measured in a round, a picture for each candidate."""
        runs = [each.run for each in done.tries if each.run and each.state != "known"]
        paths = {id_: folder_of(self._runs, find_run(self._runs, id_)) / PICTURE for id_ in runs}
        return [
            Picture(f"{id_}.png", f"What the gate measured of {id_}", path.read_bytes())
            for id_, path in paths.items()
            if path.is_file()
        ]


def _environment() -> dict[str, str]:
    """Ours without what is Slack's: learning has no use for its tokens."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SLACK_")}

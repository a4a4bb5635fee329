"""Runs `whimbrel learn` in a process of its own: the bot learns nothing while it answers."""

from __future__ import annotations

from collections.abc import Sequence

from bot.admin.child import Child
from bot.slack.outgoing.outbox import Picture
from retrieval.cli import PROGRAM
from retrieval.registry.rounds import PICTURE, Round, all_rounds, from_line
from retrieval.registry.runs import find_run, folder_of
from retrieval.settings import Settings

LOG = "learn.log"


class LearningProcess:
    """Runs rounds of learning and knows what came of them.

    What a round says goes to `learn.log` beside the models.
    """

    def __init__(self, settings: Settings, *, program: Sequence[str] = PROGRAM) -> None:
        self._runs = settings.runs_folder
        self._child = Child(settings.models_folder / LOG, program=program)

    async def learn(self, arguments: Sequence[str]) -> Round:
        """Run a round with these options of `whimbrel learn`; cancelling this ends it.

        Raises:
            ChildFailedError: If it fails, or another round is going on.
        """
        return from_line(await self._child.run("learn", "--json", *arguments))

    def latest(self) -> str:
        """The last line that the round has said."""
        return self._child.latest()

    def rounds(self) -> list[Round]:
        """Every round, whoever began it, the oldest first."""
        return all_rounds(self._runs)

    def last(self) -> Round | None:
        """The newest round."""
        return next(reversed(self.rounds()), None)

    def pictures(self, done: Round) -> list[Picture]:
        """What the gate measured in a round, a picture for each candidate."""
        runs = [tried.run for tried in done.tries if tried.run and tried.state != "known"]
        paths = {id_: folder_of(self._runs, find_run(self._runs, id_)) / PICTURE for id_ in runs}
        return [
            Picture(f"{id_}.png", f"What the gate measured of {id_}", path.read_bytes())
            for id_, path in paths.items()
            if path.is_file()
        ]

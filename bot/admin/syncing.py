"""Runs `whimbrel sync` in a process of its own: at its time, or when a watched folder changes."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from bot.admin.child import Child
from bot.strings import Strings
from retrieval.cli import PROGRAM
from retrieval.errors import RetrievalError
from retrieval.settings import Settings
from retrieval.sources.connector import sources_of
from retrieval.sources.folder import watched
from retrieval.sources.syncing import Pulled, results

logger = logging.getLogger(__name__)

LOG = "sync.log"
LOOK_S = 10.0
AHEAD_S = 60.0
"""Clocks of workers may differ by so much."""

"""How often it is looked whether it is time, and whether watched folders have changed."""
RETRY_S = 300.0
"""After which time a watched folder is tried again whose sync failed."""

# Other lines of a sync's name documents.
_STAGE = re.compile(r"[\w-]+: \d+ of \d+")

_SLACK = "slack"
"""The kind of source that is read with the bot's own token."""
_SLACK_NEEDS = ("SLACK_BOT_TOKEN", "SLACK_API_URL")


class SyncProcess:
    """Syncs sources beside the bot, and knows what came of it.

    What a sync says goes to `sync.log` beside the mirrors.
    """

    def __init__(self, settings: Settings, *, program: Sequence[str] = PROGRAM) -> None:
        self._settings = settings
        reads_slack = any(source.kind == _SLACK for source in settings.sources.values())
        needs = _SLACK_NEEDS if reads_slack else ()
        self._child = Child(settings.sources_folder / LOG, program=program, needs=needs)
        self._began: dict[str, float] = {}
        self._stamps: dict[str, str] = {}
        self._rests_until: dict[str, float] = {}
        self.running: tuple[str, ...] = ()

    @property
    def has_schedule(self) -> bool:
        """Whether any source is to be synced without being told."""
        sources = sources_of(self._settings).values()
        return any(source.every_s or watched(source) for source in sources)

    async def sync(self, names: Sequence[str]) -> None:
        """Sync these sources; cancelling this ends it.

        Raises:
            ChildFailedError: If it fails, or another sync is going on.
        """
        self.running = tuple(names)
        try:
            await self._child.run("sync", *names)
        finally:
            self.running = ()

    def rest(self, names: Sequence[str], now: float) -> None:
        """Take watched folders for changed again, after a while: their sync failed."""
        for name in names:
            self._stamps.pop(name, None)
            self._rests_until[name] = now + RETRY_S

    def latest(self) -> str:
        """The last line that the sync has said."""
        return self._child.latest()

    def last(self) -> list[Pulled]:
        """How the last sync of each source ended, whoever began it."""
        return results(self._settings)

    def due(self, now: float) -> list[str]:
        """The sources whose time has come, or whose folder has changed; each is told once."""
        ended = {pulled.name: pulled.ended for pulled in self.last()}
        due = [
            name
            for name, source in sources_of(self._settings).items()
            if source.every_s and self._latest(name, ended[name], now) + source.every_s <= now
        ]
        due += [name for name in self._changed(now) if name not in due]
        self._began |= dict.fromkeys(due, now)
        return due

    def _latest(self, name: str, ended: str, now: float) -> float:
        """When a source was synced last, in Unix seconds.

        What a clock has said that was far ahead is as good as nothing: else it would never be due.
        """
        at = datetime.fromisoformat(ended).timestamp() if ended else 0.0
        times = (at, self._began.get(name, 0.0))
        return max((time_ for time_ in times if time_ <= now + AHEAD_S), default=0.0)

    def _changed(self, now: float) -> list[str]:
        changed = []
        for name, source in sources_of(self._settings).items():
            folder = watched(source)
            if folder is None or now < self._rests_until.get(name, 0.0):
                continue
            if (stamp := folder.stamp()) != self._stamps.get(name):
                self._stamps[name] = stamp
                changed.append(name)
        return changed


class SyncSchedule:
    """Syncs whatever is due, again and again."""

    def __init__(
        self,
        process: SyncProcess,
        *,
        clock: Callable[[], float] = time.time,
        look_s: float = LOOK_S,
    ) -> None:
        self._process, self._clock, self._look_s = process, clock, look_s

    async def run(self) -> None:
        """Look and sync until cancelled; what fails is tried again when it is due again."""
        while True:
            due: list[str] = []
            try:
                if due := await asyncio.to_thread(self._process.due, self._clock()):
                    logger.info("syncing %s", ", ".join(due))
                    await self._process.sync(due)
            except (RetrievalError, OSError) as error:
                logger.warning("sync failed: %s", error)
                self._process.rest(due, self._clock())
            await asyncio.sleep(self._look_s)


def status_lines(process: SyncProcess, strings: Strings) -> list[str]:
    """A line for each source, for everybody: how its last sync ended, or how far it is.

    Errors and names of documents stay in the log: not everybody may know of them.
    """
    texts, lines = strings.syncing, []
    for pulled in process.last():
        counts = {
            "name": pulled.name,
            "date": pulled.ended[:16].replace("T", " "),
            "new": pulled.new,
            "changed": pulled.changed,
            "gone": pulled.gone,
            "left_out": len(pulled.left_out),
        }
        words = texts.never if not pulled.ended else texts.broken if pulled.error else texts.done
        if pulled.name in process.running:
            words = texts.running
        lines.append(words.format(**counts))
    if process.running and _STAGE.fullmatch(latest := process.latest()):
        lines.append(f"`{latest.replace('`', '')[:200]}`")
    return lines

"""Runs a sub-command of `whimbrel` in a process of its own, beside the bot that answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from retrieval.cli import PROGRAM
from retrieval.errors import RetrievalError

LINE_BYTES = 2_000
NICE = 10


class ChildFailedError(RetrievalError):
    """A sub-command failed; the message is the last thing it said."""


class Child:
    """Runs a sub-command at low priority, and knows what it says while it works.

    What it says goes to the end of a file, what it prints is its outcome. If the bot is killed, a
    sub-command that was begun goes on alone. Of the variables that are Slack's it is given those
    that it `needs`.
    """

    def __init__(
        self, log: Path, *, program: Sequence[str] = PROGRAM, needs: Collection[str] = ()
    ) -> None:
        self._log = log
        self._needs = needs
        self._program = program
        self._begun = 0

    async def run(self, *arguments: str) -> str:
        """The last line that the sub-command prints; cancelling this ends it.

        Raises:
            ChildFailedError: If it fails.
        """
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._begun = log.tell()
            child = await asyncio.create_subprocess_exec(
                *self._program, *arguments,
                stdout=asyncio.subprocess.PIPE, stderr=log, env=_environment(self._needs),
            )  # fmt: skip
        _be_nice(child.pid)
        try:
            said, _ = await child.communicate()
        finally:
            if child.returncode is None:
                await end(child)
        if child.returncode:
            raise ChildFailedError(self.latest().removeprefix("whimbrel: "))
        return said.splitlines()[-1].decode()

    def latest(self) -> str:
        """The last line that the sub-command has said."""
        with self._log.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._begun, end - LINE_BYTES))
            lines = log.read().decode(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "").strip()


async def end(child: asyncio.subprocess.Process) -> None:
    """Ask a sub-command to end and wait until it has, however often that is cancelled."""
    child.terminate()
    # Waiting alone would leave its pipe open.
    ending = asyncio.create_task(child.communicate())
    while not ending.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(ending)


def _be_nice(pid: int) -> None:
    try:
        os.setpriority(os.PRIO_PROCESS, pid, NICE)
    except ProcessLookupError:
        return  # it has ended already


def _environment(needs: Collection[str]) -> dict[str, str]:
    """Ours without what is Slack's: models have no use for its tokens.

    What it says is read by people, line by line.
    """
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SLACK_") or name in needs
    }
    return ours | {"WHIMBREL_LOG": "console", "WHIMBREL_LOG_LEVEL": "warning"}

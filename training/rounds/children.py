"""Runs sub-commands of `whimbrel` one after the other, each in a process of its own.

So each gives its memory back, none outlives its time, and the log, which holds people's ids, is
open only in the process that exports it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

from retrieval.cli import PROGRAM
from retrieval.errors import RetrievalError
from retrieval.models.device import physical_cores
from retrieval.settings import Settings
from training.progress import say

NICE = 10
"""How far learning steps back behind everything else on the machine."""

PATIENCE_S = 20.0
"""How long a sub-command that is told to end may tidy up."""


class CommandFailedError(RetrievalError):
    """A sub-command failed; the message is the last thing it said."""


class TimeUpError(RetrievalError):
    """The time was over before a sub-command was done."""


class Children:
    """Sub-commands that share `seconds`, at low priority and on all cores but one."""

    def __init__(self, settings: Settings, *, seconds: float) -> None:
        cores = physical_cores()
        threads = str(max(1, min(settings.threads or cores, cores - 1)))
        self._environment = os.environ | {"WHIMBREL_THREADS": threads, "OMP_NUM_THREADS": threads}
        self._until = time.monotonic() + seconds

    def minutes_left(self) -> float:
        """How long sub-commands may still take."""
        return max(0.0, self._until - time.monotonic()) / 60

    def run(self, *arguments: str) -> list[str]:
        """What a sub-command says on its standard output, by lines; its progress is passed on.

        Raises:
            CommandFailedError: If it fails.
            TimeUpError: If it is not done in time; it is ended.
        """
        last = ""
        with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
            command = (*PROGRAM, *arguments)
            with subprocess.Popen(  # noqa: S603 - our own program
                command, stdout=said, stderr=subprocess.PIPE, env=self._environment,
                encoding="utf-8", errors="replace",
            ) as child, self._in_time(child):  # fmt: skip
                os.setpriority(os.PRIO_PROCESS, child.pid, NICE)
                assert child.stderr is not None, "it was asked for"
                for line in filter(None, map(str.strip, child.stderr)):
                    say(line)
                    last = line
            if child.returncode:
                if time.monotonic() >= self._until:
                    raise TimeUpError(f"`whimbrel {arguments[0]}` was not done in time")
                raise CommandFailedError(last.removeprefix("whimbrel: "))
            said.seek(0)
            return said.read().splitlines()

    @contextmanager
    def _in_time(self, child: subprocess.Popen[str]) -> Iterator[None]:
        """End the child when time is up, and when we are told to end ourselves."""
        alarm = Timer(max(0.0, self._until - time.monotonic()), _end, [child])
        alarm.start()
        try:
            yield
        except BaseException:
            _end(child)
            raise
        finally:
            alarm.cancel()


def _end(child: subprocess.Popen[str]) -> None:
    child.terminate()
    try:
        child.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        child.kill()

"""The program `whimbrel`: finds its sub-commands in the packages they belong to."""

from __future__ import annotations

import gc
import os
import signal
import sys
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from typing import NoReturn

# Idle OpenMP threads spin by default and starve each other on a busy machine; this must be set
# before torch is imported, and only the program's first module is early enough.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# What a library starts as a process of its own imports nothing from the working folder either.
os.environ.setdefault("PYTHONSAFEPATH", "1")

import click

PROGRAM = (sys.executable, "-P", "-m", "retrieval.cli")
"""Starts this program as a child, with -P so that it is not a `bot.py` in the working folder."""

COMMANDS = "whimbrel.commands"
"""The entry-point group in pyproject.toml that names every sub-command."""


class CommandGroup(click.Group):
    """Loads a sub-command only when it is needed: no command waits for another's imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """The names of all sub-commands, of all packages."""
        return sorted(_entries().names)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """The sub-command of this name, imported only now; None if there is none."""
        for entry in _entries().select(name=cmd_name):
            command = entry.load()
            assert isinstance(command, click.Command)
            return command
        return None


@cache
def _entries() -> EntryPoints:
    """Looked up once: it reads the metadata of every installed package."""
    return entry_points(group=COMMANDS)


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="whimbrel")
def whimbrel() -> None:
    """Answer a team's questions from the team's own documents, with citations."""


def main() -> None:
    """Run the program; an error that can be acted on is told in one line."""
    from retrieval.errors import RetrievalError, explain_system_error

    # Asked to end, it tidies up as for Ctrl-C: no half-written folder, no parser left alone.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        whimbrel(prog_name="whimbrel")
    except RetrievalError as error:
        _fail(str(error))
    except OSError as error:
        explanation = explain_system_error(error)
        if explanation is None:
            raise
        _fail(explanation)
    finally:
        # Python looks for garbage once more as it ends; in all of torch that takes half a second.
        gc.freeze()


def _fail(line: str) -> NoReturn:
    click.secho(f"whimbrel: {line}", fg="red", err=True)
    sys.exit(1)


if __name__ == "__main__":  # for children, whatever is on their PATH
    main()

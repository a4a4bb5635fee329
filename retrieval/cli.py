"""The program `whimbrel`: finds its sub-commands in the packages they belong to."""

from __future__ import annotations

import os
import signal
import sys

# Until there is anything to tidy up, Ctrl-C ends the program at once, without a traceback.
_IS_PROGRAM = __name__ == "__main__" or os.path.basename(sys.argv[0]) == "whimbrel"  # noqa: PTH119 - pathlib takes longer
if _IS_PROGRAM and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import gc
import io
from contextlib import suppress
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from typing import TYPE_CHECKING, NoReturn

# Idle OpenMP threads spin by default and starve each other on a busy machine; this must be set
# before torch is imported, and only the program's first module is early enough.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# What a library starts as a process of its own imports nothing from the working folder either.
os.environ.setdefault("PYTHONSAFEPATH", "1")

import click

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PROGRAM = (sys.executable, "-P", "-m", "retrieval.cli")
"""Starts this program as a child, with -P so that it is not a `bot.py` in the working folder."""

OUTPUT = "standard output"

_HELP = ("-h", "--help")
_ASKS_HELP = f"{__name__}.asks_help"

_LOGGING = frozenset(("WHIMBREL_LOG", "WHIMBREL_LOG_LEVEL"))

COMMANDS = "whimbrel.commands"
"""The entry-point group in pyproject.toml that names every sub-command."""


class CommandGroup(click.Group):
    """Loads a sub-command only when it is needed: no command waits for another's imports."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note whether help is asked for, which waits for no settings."""
        ctx.meta[_ASKS_HELP] = any(option in args for option in _HELP)
        return super().parse_args(ctx, args)

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


@click.group(cls=CommandGroup, context_settings={"help_option_names": _HELP})
@click.version_option(package_name="whimbrel")
@click.pass_context
def whimbrel(context: click.Context) -> None:
    """Answer a team's questions from the team's own documents, with citations."""
    if context.meta[_ASKS_HELP]:
        return
    # Where nothing is set, logging's own default is what commands want: warnings, as they are.
    if os.path.exists("whimbrel.toml") or not _LOGGING.isdisjoint(os.environ):  # noqa: PTH110 - pathlib takes longer
        _set_up_logs()


def _set_up_logs() -> None:
    from retrieval.errors import SettingsError
    from retrieval.settings import load_settings

    try:
        settings = load_settings()
    except SettingsError:
        return  # the command itself says so, or can do without
    if settings.log_level or settings.log == "json":
        from retrieval.logs import set_up_logs

        set_up_logs(settings)


def main() -> None:
    """Run the program; an error that can be acted on is told in one line."""
    from retrieval.errors import INSTALL, PACKAGES, ToldError, explain_system_error

    # Asked to end, it tidies up as for Ctrl-C: no half-written folder, no parser left alone.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _open_streams()
    try:
        whimbrel(prog_name="whimbrel")
    except ToldError as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in PACKAGES:
            raise
        _fail(f"this needs {error.name}, which is not installed here; {INSTALL}")
    except OSError as error:
        if error.filename == OUTPUT:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what is left of it
            _fail(f"{OUTPUT}: {error.strerror}; send it elsewhere")
        explanation = explain_system_error(error)
        if explanation is None:
            raise
        _fail(explanation)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    finally:
        # Python looks for garbage once more as it ends; in all of torch that takes half a second.
        gc.freeze()


class _Output(io.FileIO):
    """Standard output; what goes wrong with it says that it is that."""

    def write(self, data: ReadableBuffer) -> int:
        try:
            return super().write(data)
        except OSError as error:
            error.filename = OUTPUT
            raise


def _open_streams() -> None:
    """Let what is written to a stream that is closed go nowhere, and name the output's errors."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
            setattr(sys, name, open(descriptor, "w", closefd=False))  # noqa: SIM115 - to the end
    encoding, errors, is_terminal = sys.stdout.encoding, sys.stdout.errors, sys.stdout.isatty()
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Output(1, "w", closefd=False)),
        encoding=encoding,
        errors=errors,
        line_buffering=is_terminal,
    )


def _fail(line: str) -> NoReturn:
    with suppress(OSError):  # there is nobody to tell
        click.secho(f"whimbrel: {line}", fg="red", err=True)
    sys.exit(1)


if __name__ == "__main__":  # for children, whatever is on their PATH
    main()

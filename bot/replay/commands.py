"""`whimbrel replay`: what a candidate would change, before it is published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

# Everything else is imported where it is used: `whimbrel --help` asks every command for its help.
if TYPE_CHECKING:
    from bot.replay.logged import LoggedQuestion
    from retrieval.settings import Settings


@click.command()
@click.argument("run", required=False)
@click.option(
    "--documents",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Instead of RUN: an index of this folder, and of nothing else.",
)
@click.option("--last", default=100, show_default=True, type=click.IntRange(min=1), metavar="N")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("replay"),
    show_default=True,
    help="Folder for replay.md and replay.json.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one line of JSON.")
def replay(run: str | None, documents: Path | None, last: int, out: Path, as_json: bool) -> None:
    """Ask the last N logged questions again: of what serves, and of a candidate.

    The candidate is RUN, an id from `whimbrel models` or its end, of any kind but triage. Each
    question is asked for the audience of the channel where it was asked. A table says how much
    would change, and files show how; what was asked in private is counted, but not quoted. Nothing
    is published.
    """
    from tempfile import TemporaryDirectory

    from bot.replay.files import save, table
    from bot.replay.outcome import outcome_of
    from bot.replay.replaying import replay as ask_again
    from retrieval.registry.runs import find_run
    from retrieval.serving.model_loader import InstalledModels, load_answerer
    from retrieval.serving.what_if import with_documents, with_run
    from retrieval.settings import load_settings

    if (run is None) == (documents is None):
        raise click.UsageError("name a RUN or give --documents, and not both")
    settings = load_settings()
    questions = _read(settings, last)
    chosen = find_run(settings.runs_folder, run) if run else None
    served = load_answerer(settings, on_progress=_say)
    with TemporaryDirectory() as home, _progress(as_lines=as_json) as on_progress:
        if chosen is not None:
            roles = InstalledModels(settings, on_progress=_say)
            candidate = with_run(served, chosen, settings, roles)
        else:
            assert documents is not None
            candidate = with_documents(
                served, documents, settings, home=Path(home), on_progress=on_progress
            )
        found = ask_again(questions, served, candidate, on_progress=on_progress)
    named = f"{chosen.kind} {chosen.id}" if chosen else f"documents in {documents}"
    save(found, out, title=f"{len(found.replayed)} questions again: {named}")
    if as_json:
        click.echo(outcome_of(found, named, out).to_line())
    else:
        click.echo(f"{table(found)}\nevery change: {out}")


def _read(settings: Settings, last: int) -> list[LoggedQuestion]:
    from bot.replay.logged import read_logged
    from bot.store.opening import has_database, open_database, place_of
    from retrieval.errors import DataError

    found: list[LoggedQuestion] = []
    if has_database(settings):
        database = open_database(settings)
        try:
            found = read_logged(database, last=last)
        finally:
            database.close()
    if not found:
        raise DataError(
            f"no questions in {place_of(settings)}; `whimbrel serve` and `whimbrel import-ratings` "
            "keep them there"
        )
    return found


@contextmanager
def _progress(*, as_lines: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for people; for another process a line each time, of which it shows the last."""
    from retrieval.commands import progress_bar

    if as_lines:
        yield lambda stage, done, total: _say(f"{stage} {done} of {total}")
    else:
        with progress_bar() as on_progress:
            yield on_progress


def _say(line: str) -> None:
    """Progress goes to standard error: standard output is for results."""
    click.secho(line, dim=True, err=True)

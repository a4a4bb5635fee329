"""`whimbrel models` and `whimbrel publish`: what was learned, and letting it serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from training.progress import say

if TYPE_CHECKING:
    from retrieval.registry.runs import ModelKind, Run
    from retrieval.settings import Settings


@click.command()
@click.argument("run")
@click.option(
    "--kind",
    type=click.Choice(["retriever", "reranker", "judge", "triage", "generator"]),
    default="retriever",
    show_default=True,
    help="Of what `base` is to serve again; RUN knows its own kind.",
)
@click.option("--reason", default="published by hand", help="What the history of models says.")
@click.option("--force", is_flag=True, help="Also a run that the gate has stopped.")
@click.option("--shadow", is_flag=True, help="First let RUN answer for nobody to see.")
@click.option(
    "--share",
    type=click.IntRange(1, 90),
    metavar="PERCENT",
    help="First let RUN answer in so many of a hundred threads.",
)
def publish(
    run: str, kind: ModelKind, reason: str, force: bool, shadow: bool, share: int | None
) -> None:
    """Let RUN serve from the next question on: an id from `whimbrel models`, its end, or `base`.

    With `base` the configured model serves again, without anything that was learned.

    With --shadow or --share the running bot keeps RUN in memory beside what serves, and takes it
    back by itself if it fails, or if people rate its answers worse; `/whimbrel models` shows how
    it does. Publish it once more, without either, to let it serve everybody.
    """
    from retrieval.errors import DataError
    from retrieval.registry.runs import BASE, find_run
    from retrieval.serving.publishing import serve, try_run
    from retrieval.settings import load_settings

    settings = load_settings()
    chosen = None if run == BASE else find_run(settings.runs_folder, run)
    if chosen is not None and not force and not _is_passed(settings, chosen):
        raise DataError(f"the gate has not passed {chosen.id}; --force publishes it all the same")
    if (shadow or share) and (chosen is None or (shadow and share)):
        raise click.UsageError("a trial needs a RUN, and either --shadow or --share")
    if chosen is not None and (shadow or share):
        trial = try_run(settings, chosen, share=(share or 0) / 100, reason=reason, on_progress=say)
        click.echo(f"{trial.run} is on trial as {trial.kind} beside {trial.before}")
        return
    done = serve(settings, chosen.kind if chosen else kind, chosen, reason=reason, on_progress=say)
    click.echo(f"{done.after} serves as {done.kind}, in place of {done.before}")


@click.command()
@click.argument("run", required=False)
def models(run: str | None) -> None:
    """List what was learned, what the gate said of it, and what served when.

    Of one RUN, an id or its end, everything is shown: what it was made from and how, the checksum
    of each file, when it served, and what the gate said.
    """
    from retrieval.registry.runs import find_run
    from retrieval.settings import load_settings
    from training.commands.listing import card, listed

    settings = load_settings()
    chosen = find_run(settings.runs_folder, run) if run else None
    click.echo("\n".join(listed(settings) if chosen is None else card(settings, chosen)))


def _is_passed(settings: Settings, run: Run) -> bool:
    import json

    from retrieval.registry.runs import folder_of
    from training.gate.report import JSON

    path = folder_of(settings.runs_folder, run) / JSON
    return path.is_file() and bool(json.loads(path.read_text(encoding="utf-8"))["is_passed"])

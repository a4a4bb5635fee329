"""`whimbrel models` and `whimbrel publish`: what was learned, and letting it serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from training.commands.progress import say

if TYPE_CHECKING:
    from retrieval.models.runs import Kind, Run
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
def publish(run: str, kind: Kind, reason: str, force: bool) -> None:
    """Let RUN serve from the next question on: an id from `whimbrel models`, its end, or `base`.

    With `base` the configured model serves again, without anything that was learned.
    """
    from retrieval.errors import DataError
    from retrieval.models.runs import BASE, find_run
    from retrieval.settings import load_settings

    settings = load_settings()
    chosen = None if run == BASE else find_run(settings.runs_folder, run)
    if chosen is not None and not force and not _is_passed(settings, chosen):
        raise DataError(f"the gate has not passed {chosen.id}; --force publishes it all the same")
    click.echo(_serve(settings, chosen, chosen.kind if chosen else kind, reason))


def _serve(settings: Settings, run: Run | None, kind: Kind, reason: str) -> str:
    """Publish a run, or withdraw all of its kind; in words what serves now."""
    from retrieval.models import runs
    from retrieval.retriever import load_embedder
    from retrieval.serving import serve_run

    if kind == "retriever":
        embedder = load_embedder(settings, on_progress=say)
        generation = serve_run(settings, embedder, run, reason=reason)
        return f"{run.id if run else runs.BASE} serves, with the index {generation}"
    if run is None:
        done = runs.withdraw(settings.runs_folder, kind, reason=reason)
    else:
        done = runs.publish(settings.runs_folder, run, reason=reason)
    return f"{done.after} serves as {kind}, in place of {done.before}"


@click.command()
def models() -> None:
    """List what was learned, what the gate said of it, and what served when."""
    from retrieval.models.runs import all_runs, deployments, retirement
    from retrieval.retriever import served_runs
    from retrieval.settings import load_settings

    settings = load_settings()
    home, serving = settings.runs_folder, served_runs(settings)
    for run in all_runs(home):
        state = retirement(home, run) or ("passed" if _is_passed(settings, run) else "stopped")
        mark = "*" if run in serving.values() else " "
        click.echo(f"{mark} {run.kind} {run.id}  data {run.facts.dataset}  {state}")
    if "retriever" not in serving:
        click.echo(f"* {settings.embedder}, as configured")
    for change in deployments(home):
        click.echo(f"{change.at[:19]}  {change.before} -> {change.after}: {change.reason}")


def _is_passed(settings: Settings, run: Run) -> bool:
    import json

    from retrieval.models.runs import folder_of
    from training.gate.report import JSON

    path = folder_of(settings.runs_folder, run) / JSON
    return path.is_file() and bool(json.loads(path.read_text(encoding="utf-8"))["is_passed"])

"""The sub-commands of `whimbrel` that make something better from data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from retrieval.models.runs import Run
    from retrieval.settings import Settings


@click.command()
@click.argument(
    "folders",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option("--output", type=click.Path(path_type=Path), help="Write the judge to this file.")
def calibrate(folders: tuple[Path, ...], output: Path | None) -> None:
    """Fit, on judged questions in FOLDERS, when to answer and when to abstain.

    Each folder is in the format that `whimbrel evaluate` reads, with answers.jsonl. Half of the
    questions are held out, and what is printed is measured on them. The judge is used from the
    next start on; delete the file to go back to the one that comes with the package.
    """
    from retrieval.abstention import JUDGE_FILE
    from retrieval.commands import progress_bar
    from retrieval.embedding import Embedder
    from retrieval.evaluation.dataset import read_dataset
    from retrieval.evaluation.evaluate import build_library
    from retrieval.settings import load_settings
    from training.calibration import examples, fit, measure

    settings = load_settings()
    embedder = Embedder.load(settings, on_progress=_say)
    rows = []
    with progress_bar() as on_progress:
        for folder in folders:
            dataset = read_dataset(folder)
            library = build_library(dataset, settings, embedder, on_progress)
            rows += examples(dataset, library)
    fitted = [row for row in rows if not row.is_held_out]
    judge = fit(fitted, embedder=embedder.id, data=", ".join(folder.name for folder in folders))
    for line in measure(judge, [row for row in rows if row.is_held_out]):
        click.echo(
            f"{line.data}: AUROC {line.auroc:.3f}, false answers {line.false_answers:.0%} of "
            f"{line.unanswerable}, false abstentions {line.false_abstentions:.0%} of "
            f"{line.answerable} (held out)"
        )
    target = output or settings.models_folder / JUDGE_FILE
    judge.save(target)
    click.echo(f"answers from confidence {judge.threshold:.2f} on; written to {target}")


@click.group()
def train() -> None:
    """Learn from a data set that `whimbrel export` wrote. Nothing is published by this."""


@train.command("map")
@click.argument("dataset", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--seed", default=0, show_default=True, help="The same seed makes the same map.")
def train_map(dataset: Path, seed: int) -> None:
    """Fit a linear map of the embedder's vectors to the pairs in DATASET: a matter of seconds.

    The map is tried on the questions that DATASET holds out, beside what serves now, and kept
    with the gate's report. `whimbrel publish` lets it serve, if the gate has passed it.
    """
    from retrieval.retriever import load_embedder
    from retrieval.settings import load_settings
    from training.learned_map import learn_map
    from training.report import markdown

    settings = load_settings()
    learned = learn_map(
        dataset,
        settings,
        load_embedder(settings, on_progress=_say),
        seed=seed,
        on_progress=_say,
    )
    click.echo(markdown(learned.decision, title=f"retriever {learned.run.id}"))
    if learned.decision.is_passed:
        click.echo(f"let it serve: whimbrel publish {learned.run.id}")


@click.command()
@click.argument("run")
@click.option("--reason", default="published by hand", help="What the history of models says.")
@click.option("--force", is_flag=True, help="Also a run that the gate has stopped.")
def publish(run: str, reason: str, force: bool) -> None:
    """Let RUN serve from the next question on: an id from `whimbrel models`, its end, or `base`.

    With `base` the configured model serves again, without anything that was learned.
    """
    from retrieval.errors import DataError
    from retrieval.models.runs import BASE, find_run
    from retrieval.retriever import load_embedder
    from retrieval.serving import serve_run
    from retrieval.settings import load_settings

    settings = load_settings()
    chosen = None if run == BASE else find_run(settings.runs_folder, run)
    if chosen is not None and not force and not _is_passed(settings, chosen):
        raise DataError(f"the gate has not passed {chosen.id}; --force publishes it all the same")
    embedder = load_embedder(settings, on_progress=_say)
    generation = serve_run(settings, embedder, chosen, reason=reason)
    click.echo(f"{chosen.id if chosen else BASE} serves, with the index {generation}")


@click.command()
def models() -> None:
    """List what was learned, what the gate said of it, and what served when."""
    from retrieval.models.runs import all_runs, deployments, retirement
    from retrieval.retriever import served_run
    from retrieval.settings import load_settings

    settings = load_settings()
    home, serves = settings.runs_folder, served_run(settings)
    for run in all_runs(home):
        state = retirement(home, run) or ("passed" if _is_passed(settings, run) else "stopped")
        mark = "*" if run == serves else " "
        click.echo(f"{mark} {run.kind} {run.id}  data {run.facts.dataset}  {state}")
    if serves is None:
        click.echo(f"* {settings.embedder}, as configured")
    for change in deployments(home):
        click.echo(f"{change.at[:19]}  {change.before} -> {change.after}: {change.reason}")


def _is_passed(settings: Settings, run: Run) -> bool:
    import json

    from retrieval.models.runs import folder_of
    from training.report import JSON

    path = folder_of(settings.runs_folder, run) / JSON
    return path.is_file() and bool(json.loads(path.read_text(encoding="utf-8"))["is_passed"])


def _say(line: str, *_: int) -> None:
    click.secho(line, dim=True, err=True)

"""`whimbrel train`: learn from a data set; each learner leaves a run and the gate's report."""

from __future__ import annotations

from pathlib import Path

import click

from training.commands.progress import say


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
    from training.gate.report import markdown
    from training.retriever.learned_map import learn_map

    settings = load_settings()
    learned = learn_map(
        dataset,
        settings,
        load_embedder(settings, on_progress=say),
        seed=seed,
        on_progress=say,
    )
    click.echo(markdown(learned.decision, title=f"retriever {learned.run.id}"))
    if learned.decision.is_passed:
        click.echo(f"let it serve: whimbrel publish {learned.run.id}")


@train.command("abstention")
@click.argument("dataset", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--seed", default=0, show_default=True, help="Of the gate's bootstrap.")
def train_abstention(dataset: Path, seed: int) -> None:
    """Fit the judge, which says whether an answer will be right, to the ratings in DATASET.

    Besides rated answers it learns from every question whose passage is known: as it is, and with
    the documents that answer it left out. The judge is for the embedder that serves now, and is
    tried and kept like every other learned model; its scores are in pictures beside it.
    """
    from retrieval.retriever import load_embedder
    from retrieval.settings import load_settings
    from training.gate.report import markdown
    from training.heads.abstention import learn_abstention

    settings = load_settings()
    embedder = load_embedder(settings, on_progress=say)
    learned = learn_abstention(dataset, settings, embedder, seed=seed, on_progress=say)
    click.echo(markdown(learned.decision, title=f"judge {learned.run.id}"))
    if learned.decision.is_passed:
        click.echo(f"let it serve: whimbrel publish {learned.run.id}")

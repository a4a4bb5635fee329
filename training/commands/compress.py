"""`whimbrel quantise` and `whimbrel prune`: the generator that serves, made smaller and judged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.commands.train import DATASET, MINUTES, Finite, seed, settings_for
from training.progress import say

if TYPE_CHECKING:
    from training.generator.compression import SmallerRun


@click.command()
@DATASET
@click.option(
    "--bits",
    type=click.Choice(["8", "4"]),
    default="8",
    show_default=True,
    help="Of each weight, but of those that read and write words, which stay as they are.",
)
def quantise(dataset: Path, bits: str) -> None:
    """Store the generator that serves in fewer bits: a minute, and nothing is learned.

    It is tried on the questions that DATASET holds out, beside what serves now, and has to be as
    good. A table and a picture say what it keeps and what it takes. `whimbrel publish` lets it
    serve. It cannot be learned from further: learn first.
    """
    from retrieval.index.library import Library
    from retrieval.index.served_embedder import load_embedder
    from training.generator import compression

    settings = settings_for(dataset)
    library = Library.load(settings, load_embedder(settings, on_progress=say))
    _tell(
        compression.quantise(
            dataset, settings, library, bits=8 if bits == "8" else 4, on_progress=say
        )
    )


@click.command()
@DATASET
@click.option("--layers", type=click.IntRange(min=0), default=0, help="Whole layers that go.")
@click.option(
    "--channels",
    type=click.IntRange(0, 90),
    default=25,
    show_default=True,
    metavar="PERCENT",
    help="Of the inner width of the layers that stay, what goes.",
)
@click.option(
    "--epochs",
    type=Finite(min=0),
    default=1.0,
    show_default=True,
    help="Times that the answers of DATASET are read to recover; 0 for no recovery.",
)
@click.option(
    "--max-minutes", type=MINUTES, help="Stop recovering after so long; then it is tried."
)
@seed("The same seed makes the same model.")
def prune(
    dataset: Path,
    layers: int,
    channels: int,
    epochs: float,
    max_minutes: float | None,
    seed: int,
) -> None:
    """Take out of the generator that serves what matters least to the prompts of DATASET.

    What is left learns from the unpruned model to write what that would, from the answers in
    DATASET that may be learned from; what was broken off goes on when the same is started again. It
    is tried, judged and kept as by `whimbrel quantise`.
    """
    from retrieval.index.library import Library
    from retrieval.index.served_embedder import load_embedder
    from training.generator import pruning
    from training.generator.trainers import AdapterConfig
    from training.trainer import LearnOptions

    if not layers and not channels:
        raise click.UsageError("nothing goes: --layers and --channels are both 0")
    settings = settings_for(dataset)
    library = Library.load(settings, load_embedder(settings, on_progress=say))
    config = pruning.PruneConfig(layers, channels / 100, AdapterConfig(upper=1.0, epochs=epochs))
    options = LearnOptions(seed, max_minutes=max_minutes, on_progress=say)
    _tell(pruning.prune(dataset, settings, library, config, options))


def _tell(smaller: SmallerRun) -> None:
    """Print what the gate says of a run, and what it keeps and takes."""
    from training.gate import report
    from training.generator.compression import markdown

    run = smaller.run
    click.echo(report.markdown(smaller.decision, title=f"{run.kind} {run.id}"))
    click.echo(markdown(smaller))
    if smaller.decision.is_passed:
        click.echo(f"let it serve: whimbrel publish {run.id}")

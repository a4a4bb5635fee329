"""`whimbrel quantise`: the generator that serves, made smaller and judged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.commands.train import DATASET
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
    from retrieval.settings import load_settings
    from training.generator import compression

    settings = load_settings()
    library = Library.load(settings, load_embedder(settings, on_progress=say))
    _tell(
        compression.quantise(
            dataset, settings, library, bits=8 if bits == "8" else 4, on_progress=say
        )
    )


def _tell(smaller: SmallerRun) -> None:
    """Print what the gate says of a run, and what it keeps and takes."""
    from training.gate import report
    from training.generator.compression import markdown

    run = smaller.run
    click.echo(report.markdown(smaller.decision, title=f"{run.kind} {run.id}"))
    click.echo(markdown(smaller))
    if smaller.decision.is_passed:
        click.echo(f"let it serve: whimbrel publish {run.id}")

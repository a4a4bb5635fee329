"""What quantising and pruning the generator keep and gain: one way at a time, then all together.

    python -m benchmarks.learning.compression FOLDER... --bits 8
    python -m benchmarks.learning.compression FOLDER... --channels 25 --layers 2 --epochs 1
    python -m benchmarks.learning.compression --picture PATH

A FOLDER is in the format that `retrieval/evaluation/dataset.py` describes, with answers.jsonl. As
in `benchmarks/learning/generator.py` one half of its questions is learned from and the other asked.
Each way leaves a run in WHIMBREL_HOME; without a FOLDER all that are there are told of and drawn.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import click

from benchmarks.learning.generator import example, gather, write_dataset
from retrieval.registry.runs import Run, all_runs, folder_of
from retrieval.settings import Settings, load_settings
from training.generator.compression import SmallerRun, compared, draw, load, quantise
from training.generator.pruning import PruneConfig, prune
from training.generator.trainers import AdapterConfig
from training.progress import say
from training.trainer import LearnOptions


def make(arguments: argparse.Namespace, settings: Settings) -> SmallerRun:
    """The run of one way to make the generator smaller."""
    sets_ = gather(arguments.folders, settings, train=arguments.train, asked=arguments.asked)
    dataset = write_dataset(
        settings.home / "evaluations",
        {
            "train": [example(reference, sets_.library) for reference in sets_.train],
            "held-out": [example(reference, sets_.library) for reference in sets_.asked],
        },
    )
    if arguments.bits:
        return quantise(dataset, settings, sets_.library, bits=arguments.bits, on_progress=say)
    config = PruneConfig(
        arguments.layers,
        arguments.channels / 100,
        AdapterConfig(upper=1.0, epochs=arguments.epochs),
    )
    options = LearnOptions(max_minutes=arguments.minutes, on_progress=say)
    return prune(dataset, settings, sets_.library, config, options)


def label(run: Run) -> str:
    """How a run was made smaller, in a few words."""
    config = run.facts.config
    if config["method"] == "quantise":
        return f"{config['bits']} bits"
    gone = f"−{config['layers']} layers, −{config['channels']:.0%} channels"
    return f"{gone}, {'recovered' if config['recovery']['epochs'] else 'as cut'}"


def table(runs: dict[str, SmallerRun]) -> str:
    """All runs in one table in Markdown, a column each, after what served."""
    columns = [list(compared(smaller)) for smaller in runs.values()]
    heads = ["", "served", *runs]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for rows in zip(*columns, strict=True):
        values = [rows[0][1], *(candidate for _, _, candidate in rows)]
        lines.append(f"| {rows[0][0]} | {' | '.join(f'{value:,.4g}' for value in values)} |")
    passed = ["yes" if smaller.decision.is_passed else "no" for smaller in runs.values()]
    return "\n".join([*lines, f"| passed by the gate | | {' | '.join(passed)} |"])


def main() -> None:
    """Make a run, or tell of all of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--bits", type=int, choices=[8, 4])
    parser.add_argument("--layers", type=int, default=0)
    parser.add_argument("--channels", type=int, default=25)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--minutes", type=float, help="of recovery, at most")
    parser.add_argument("--train", type=int, default=60, help="questions of a set to learn from")
    parser.add_argument("--asked", type=int, default=40, help="questions of a set to measure on")
    parser.add_argument("--picture", type=Path)
    arguments, settings = parser.parse_args(), load_settings()
    if arguments.folders:
        make(arguments, settings)
    home = settings.runs_folder
    runs = [
        run for run in all_runs(home) if run.facts.config.get("method") in ("quantise", "prune")
    ]
    made = {label(run): load(folder_of(home, run), run) for run in runs}
    click.echo(table(made))
    if arguments.picture:
        draw(arguments.picture, made)


if __name__ == "__main__":
    main()

"""What one training step of a generator costs on this machine: seconds, tokens a second, memory.

    python -m benchmarks.learning.generator_step [--method M] [--tokens N] [--upper SHARE]

The rows are of random tokens, so nothing is learned; `--upper 1` trains all layers. A process that
has held much memory never shows less, so each setting is measured by a call of its own.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from retrieval.llm.chat_format import load_chat_format
from retrieval.llm.generator import load_model
from retrieval.models.catalogue import resolve
from retrieval.models.device import choose_device, use_threads
from retrieval.settings import load_settings
from training.generator.rows import TokenRow
from training.generator.trainers import AdapterConfig, TrainingStage
from training.generator.tuning import learn, with_adapter
from training.trainer import TrainerSetup

WRITTEN = 40
"""Tokens of each completion."""


def main() -> None:
    """Print what a step of one row takes."""
    arguments = parse_arguments()
    settings = load_settings()
    device = choose_device(settings)
    use_threads(device)
    folder = resolve(settings.generator, models_folder=settings.models_folder)
    chat_format = load_chat_format(folder.path)
    config = replace(AdapterConfig(), upper=arguments.upper, batch=1, epochs=1)
    model = with_adapter(load_model(folder.path, device, chat_format.kind), config, seed=0)
    source = random.Random(0)
    rows = [
        TokenRow(tokens[:-WRITTEN], tokens[-WRITTEN:], tokens[:WRITTEN])
        for tokens in (
            tuple(source.randrange(1000) for _ in range(arguments.tokens))
            for _ in range(arguments.steps)
        )
    ]
    with tempfile.TemporaryDirectory() as work:
        (result,) = learn(
            model,
            chat_format,
            [TrainingStage(arguments.method, rows)],
            TrainerSetup(Path(work)),
            device=device,
            config=config,
        )
    click.echo(f"{folder.id}, {device.dtype}, {device.threads} threads, {arguments.tokens} tokens")
    for name, value in result.figures().items():
        click.echo(f"{name:28} {value}")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--method", choices=["sft", "dpo"], default="sft")
    parser.add_argument("--tokens", type=int, default=600, help="prompt and completion together")
    parser.add_argument("--upper", type=float, default=0.5, help="share of the layers that learn")
    parser.add_argument("--steps", type=int, default=4)
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""What a teacher teaches a smaller generator: its rows, and answers to people's questions.

    python -m benchmarks.learning.distilling FOLDER [--teacher MODEL] [--questions N] [--seeds N...]

A FOLDER is in the format that `retrieval/evaluation/dataset.py` describes, with answers.jsonl. The
teacher asks about its passages and answers; rows like a question that is measured on are left out,
as `whimbrel export` does. The pupil is WHIMBREL_GENERATOR. What a teacher has said is kept in
WHIMBREL_HOME: broken off, the same command goes on; `--only-rows` ends before anything is learned.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import click

from benchmarks.learning.generator import (
    HEAD,
    HELD_BACK_EVERY,
    AnswerSets,
    Scores,
    ask,
    gather,
    learned,
    write_dataset,
)
from bot.export.similarity import SIMILAR, Questions
from retrieval.commands import progress_bar
from retrieval.examples import Example, read_examples
from retrieval.llm.generator import load_teacher
from retrieval.settings import Settings, load_settings
from training.distillation.distilling import LOCAL_AT_ONCE, Distillation
from training.generator.trainers import AdapterConfig


def main() -> None:
    """Print the teacher's card, and what the pupil is worth before and after."""
    arguments = parse_arguments()
    settings = load_settings().model_copy(update={"teacher": arguments.teacher})
    sets_ = gather([arguments.folder], settings, train=1, asked=arguments.asked)
    rows = taught(sets_, settings, arguments.questions)
    if arguments.only_rows:
        return
    dev = rows[::HELD_BACK_EVERY]
    rest = [row for row in rows if row not in dev]
    dataset = write_dataset(settings.home / "evaluations", {"train": rest, "dev": dev})
    before = ask(sets_, settings, None, is_bare=True, is_alone=True)
    click.echo(HEAD)
    for way, replies in before.items():
        click.echo(Scores.of(replies).row(way))
    for seed in arguments.seeds:
        run = learned(dataset, sets_.library, settings, arguments, seed)
        for way, replies in ask(sets_, settings, run, is_alone=True).items():
            click.echo(Scores.of(replies).row(f"{way}, seed {seed}"))


def taught(sets_: AnswerSets, settings: Settings, questions: int) -> list[Example]:
    """The teacher's rows that are like nothing that is measured on."""
    model = load_teacher(settings)
    distillation = Distillation(model, sets_.library.searcher(), settings, LOCAL_AT_ONCE)
    began = time.process_time()
    with progress_bar() as on_progress:
        folder = distillation.teach(questions, on_progress=on_progress)
    model.close()
    click.echo((folder / "card.md").read_text(encoding="utf-8"))
    rows = read_examples(folder, "train")
    asked = [reference.question for reference in sets_.asked]
    alike = Questions([*asked, *(row.question for row in rows)], sets_.library.embedder)
    groups = alike.groups(SIMILAR)
    measured = {groups[question] for question in asked}
    kept = [row for row in rows if groups[row.question] not in measured]
    click.echo(
        f"{len(rows) - len(kept)} of {len(rows)} are like a question that is measured on; "
        f"{time.process_time() - began:.0f} CPU-s\n"
    )
    return kept


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--teacher", default="qwen2.5-coder-1.5b-instruct")
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--asked", type=int, default=40, help="questions to measure on")
    parser.add_argument("--only-rows", action="store_true")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--learning-rate", type=float, default=AdapterConfig().learning_rate)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.set_defaults(method="sft")
    return parser.parse_args()


if __name__ == "__main__":
    main()

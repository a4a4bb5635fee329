"""`whimbrel distil`: a stronger model teaches the generator what the documents say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.commands.learn import export
from training.commands.train import MINUTES, Finite, seed
from training.progress import say

# Everything else is imported where it is used: `whimbrel --help` asks every command for its help.
if TYPE_CHECKING:
    from retrieval.index.searcher import Searcher
    from retrieval.settings import Settings
    from training.distillation.distilling import Plan, Price

A_DAY_S = 86_400.0
"""Nobody waits for this; what learns has limits of its own."""


@click.command()
@click.option(
    "--teacher",
    metavar="MODEL",
    help="An endpoint's address, or a model as WHIMBREL_GENERATOR names one.  [default: the "
    "setting]",
)
@click.option(
    "--questions",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    metavar="N",
    help="Have so many questions asked. Each is answered, too: two calls.",
)
@click.option(
    "--price",
    type=Finite(min=0),
    nargs=2,
    metavar="READ WRITTEN",
    help="What a million tokens cost that the teacher reads, and a million that it writes.",
)
@click.option("--yes", is_flag=True, help="Do not ask whether that is wanted.")
@click.option("--no-train", is_flag=True, help="Only make the rows, and say where they are.")
@seed("The same seed makes the same adapter.")
@click.option(
    "--max-minutes", type=MINUTES, help="Stop learning after so long, with what there is."
)
def distil(
    teacher: str | None,
    questions: int,
    price: Price | None,
    yes: bool,
    no_train: bool,
    seed: int,
    max_minutes: float | None,
) -> None:
    """Have a stronger model teach the generator: questions and answers from the documents.

    The teacher asks about passages, and answers from what search finds; answers that the passages
    do not support are dropped. It sees only what everybody may read. What it will be asked, and
    what that takes, is told before; what it has said is kept, so that the same command goes on
    where it was broken off and asks nothing twice. Then the rows are exported with what people
    taught, an adapter learns from both, and the gate judges it by what experts approved. Nothing
    is published by this.
    """
    from contextlib import closing
    from urllib.parse import urlsplit

    from retrieval.commands import progress_bar
    from retrieval.errors import DataError
    from retrieval.examples import read_examples
    from retrieval.index.library import Library
    from retrieval.index.served_embedder import load_embedder
    from retrieval.llm.generator import load_teacher
    from retrieval.models.endpoint import is_endpoint
    from retrieval.settings import load_settings
    from training.distillation.distilling import LOCAL_AT_ONCE, Distillation

    settings = load_settings()
    settings = settings.model_copy(update={"teacher": teacher or settings.teacher})
    if not settings.teacher:
        raise click.UsageError("name the teacher: --teacher, or the setting WHIMBREL_TEACHER")
    if not no_train:
        _check_pupil(settings)
    searcher = Library.load(settings, load_embedder(settings, on_progress=say)).searcher()
    if not no_train:
        _check_gate(settings, searcher)
    with closing(load_teacher(settings, on_progress=say)) as model:
        at_once = settings.endpoint_requests if is_endpoint(settings.teacher) else LOCAL_AT_ONCE
        distillation = Distillation(model, searcher, settings, at_once)
        plan = distillation.plan(questions)
        where = f" at {urlsplit(settings.teacher).netloc}" if is_endpoint(settings.teacher) else ""
        click.echo(told(plan, price, where))
        if plan.left.calls and not yes:
            click.confirm("Ask it?", abort=True)
        with progress_bar() as on_progress:
            folder = distillation.teach(plan.questions, price=price, on_progress=on_progress)
    click.echo((folder / "card.md").read_text(encoding="utf-8"))
    if not read_examples(folder, "train"):
        raise DataError(f"{plan.teacher} has taught nothing that could be learned from")
    if no_train:
        click.echo(folder)
    else:
        _learn(folder, settings, ("--seed", str(seed), *_minutes(max_minutes)))


def told(plan: Plan, price: Price | None, where: str) -> str:
    """What a teacher is going to be asked, where it is, and what that takes."""
    left = plan.left
    if not left.calls:
        return f"{plan.teacher} has answered all {plan.questions} questions before."
    cost = f", for {left.of(price):.2f} at most" if price else ""
    return (
        f"{plan.teacher}{where} is going to be asked {plan.questions} questions about "
        f"{plan.shown} of {plan.passages} passages; the others are not for everybody, stand there "
        f"twice, or hold what looks like a key.\n{left.calls} calls at most, "
        f"{left.tokens_read:,} tokens read and {left.tokens_written:,} written at most{cost}; "
        f"about {math.ceil(plan.seconds / 60)} min. {plan.known} replies are there already."
    )


def _check_pupil(settings: Settings) -> None:
    """Before anything is paid for: can the generator learn?

    Raises:
        ExtraMissingError: If what learning needs is not installed.
        SettingsError: If the generator is none that can learn here.
    """
    from retrieval.errors import SettingsError
    from retrieval.models.endpoint import is_endpoint
    from training.extra import need

    need("accelerate", "datasets", "peft", "trl")
    if settings.generator == "none" or is_endpoint(settings.generator):
        raise SettingsError(
            f"WHIMBREL_GENERATOR is {settings.generator}: set it to the model that is to learn; "
            "with --no-train only the rows are made"
        )


def _check_gate(settings: Settings, searcher: Searcher) -> None:
    """Before anything is paid for: could what is learned be judged?

    Raises:
        DataError: If no answers are held out to judge by.
    """
    from retrieval.errors import DataError
    from training.gate.comparison import least_gain
    from training.generator.learned_adapter import MIN_ROWS
    from training.generator.trial import read_evaluation_set

    try:
        judged = len(read_evaluation_set(_exported(settings), settings, searcher).held_out)
    except DataError as error:
        raise DataError(f"{error}; with --no-train only the rows are made") from error
    say(
        f"{judged} questions are held out; a gain under {least_gain(judged):.2f} cannot be shown. "
        f"It takes {MIN_ROWS['sft']} rows, people's answers and the teacher's together."
    )


def _exported(settings: Settings, *options: str) -> Path:
    """What the log teaches, exported with the options of learning and these."""
    from training.rounds.children import Children
    from training.settings import load_learn_settings

    commands = Children(settings, seconds=A_DAY_S)
    return export(commands, (*load_learn_settings().export, *options))


def _learn(folder: Path, settings: Settings, options: Sequence[str]) -> None:
    """Let the generator learn from the rows in a folder and from the log; what the gate says."""
    from training.rounds.children import Children
    from training.rounds.rounds import alone

    with alone(settings.runs_folder):
        dataset = _exported(settings, "--distilled", str(folder))
        commands = Children(settings, seconds=A_DAY_S)
        click.echo("\n".join(commands.run("train", "generator", str(dataset), *options)))


def _minutes(limit: float | None) -> Sequence[str]:
    return () if limit is None else ("--max-minutes", str(limit))

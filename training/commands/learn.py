"""`whimbrel learn`: one round from ratings to a better model, if there is enough to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.progress import say

# Everything else is imported where it is used: `whimbrel --help` asks every command for its help.
if TYPE_CHECKING:
    from retrieval.registry.rounds import Round, Try
    from retrieval.settings import Settings
    from training.rounds.children import Children
    from training.rounds.learners import Learner


@click.command()
@click.option(
    "--learner",
    "names",
    multiple=True,
    metavar="NAME",
    help="Try only this one: confidence, map, retriever, abstention, reranker, generator (from "
    "answers), or preferences (the generator, too). May be repeated.",
)
@click.option(
    "--dataset",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Learn from this data set instead of exporting one.",
)
@click.option("--dry-run", is_flag=True, help="Say what there is enough for, and train nothing.")
@click.option(
    "--publish/--no-publish",
    "publishes",
    default=None,
    help="Let serve what the gate has passed, or leave that to you.  [default: the setting]",
)
@click.option(
    "--share",
    type=click.IntRange(0, 90),
    metavar="PERCENT",
    help="At first let it answer so many of the threads, and be watched; 0: all.",
)
@click.option("--max-minutes", type=click.IntRange(min=1), help="End after so long.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one line of JSON.")
@click.argument("export_options", nargs=-1, type=click.UNPROCESSED)
def learn(
    names: tuple[str, ...],
    dataset: Path | None,
    dry_run: bool,
    publishes: bool | None,
    share: int | None,
    max_minutes: int | None,
    as_json: bool,
    export_options: tuple[str, ...],
) -> None:
    """Learn from the ratings that there are, and let serve what is better for sure.

    One round: the log is exported, the cheapest learner that has enough data and has not been tried
    on them is run, the gate judges what came of it, and what passes is published. If it does not
    pass, the next learner is tried in the same round.

    "Not enough yet" is no error. All of it runs at low priority, on all cores but one, and never
    twice at once. Options of `whimbrel export` go behind two dashes: whimbrel learn -- --synthetic
    200
    """
    from retrieval.index.served_embedder import served_embedder
    from retrieval.registry.rounds import to_line
    from retrieval.settings import load_settings
    from training.rounds.children import Children
    from training.rounds.rounds import RoundPlan, alone
    from training.rounds.rounds import learn as learn_a_round
    from training.settings import load_learn_settings

    settings, own = load_settings(), load_learn_settings()
    plan = RoundPlan(
        settings.runs_folder,
        _chosen(names, settings),
        served_embedder(settings),
        publishes=own.publish if publishes is None else publishes,
        share=own.share if share is None else share,
        augments=own.augment,
        only_tells=dry_run,
    )
    with alone(settings.runs_folder):
        commands = Children(settings, seconds=60 * (max_minutes or own.minutes))
        folder = dataset or export(commands, export_options or own.export)
        done = learn_a_round(plan, folder, commands, on_progress=say)
    click.echo(to_line(done) if as_json else "\n".join(lines(done)))


def export(commands: Children, options: Sequence[str]) -> Path:
    """The folder of what the log teaches now."""
    *said, folder = commands.run("export", "--allow-empty", *options)
    for line in said:
        say(line)
    return Path(folder)


def _chosen(names: Sequence[str], settings: Settings) -> list[Learner]:
    """Those named, or else all that there is a model for."""
    from training.rounds.learners import LEARNERS

    unknown = set(names) - {learner.name for learner in LEARNERS}
    if unknown:
        known = ", ".join(learner.name for learner in LEARNERS)
        raise click.BadParameter(f"{', '.join(sorted(unknown))}; there are: {known}")
    if names:
        return [learner for learner in LEARNERS if learner.name in names]
    return [learner for learner in LEARNERS if learner.is_usable(settings)]


def lines(done: Round) -> list[str]:
    """What a round came to, for people."""
    head = f"data set {done.dataset}: {done.held_out} questions held out to judge by"
    return [head, *(f"{attempt.learner}: {_told(attempt)}" for attempt in done.tries)]


def _told(attempt: Try) -> str:
    of = _COUNTED[attempt.of]
    told = {
        "too_few": f"not enough yet, {attempt.missing} more needed: "
        f"{attempt.found} of {attempt.needed} {of}",
        "known": f"nothing new since it was last tried: {attempt.reason}",
        "ready": f"enough to begin: {attempt.found} {of}; with {attempt.judged} questions to judge "
        f"by a gain under {attempt.least_gain:.2f} cannot be shown",
        "refused": f"not tried: {attempt.reason}",
        "broken_off": f"broken off: {attempt.reason}",
        "stopped": f"{attempt.reason} ({attempt.run})",
        "passed": f"{attempt.reason} Let it serve: whimbrel publish {attempt.run}",
        "on_trial": f"{attempt.reason} {attempt.run} answers a share of the threads now",
        "published": f"{attempt.reason} {attempt.run} serves now",
    }
    return told[attempt.state]


_COUNTED = {
    "questions": "questions with a passage that answers them",
    "held_out": "questions held out, whose answers experts approved",
    "judgements": "rated answers",
    "labels": "passages known to belong to a question, or not to",
    "answers": "answers that may be imitated",
    "preferences": "better answers beside worse ones",
}

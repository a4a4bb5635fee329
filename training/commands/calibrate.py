"""`whimbrel calibrate`: when to answer and when to abstain, from judged questions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from training.progress import say

FOLDERS = click.argument(
    "folders",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)


@click.command()
@FOLDERS
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the judge to this file.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Ask so many questions of each folder.")
def calibrate(folders: tuple[Path, ...], output: Path | None, limit: int | None) -> None:
    """Fit, on judged questions in FOLDERS, when to answer and when to abstain.

    Each folder is in the format that `whimbrel evaluate` reads, with answers.jsonl. Half of the
    questions are held out, and what is printed is measured on them. The judge is used from the
    next start on; delete the file to go back to the one that comes with the package.
    """
    from retrieval.answering.judge import FEATURES, JUDGE_FILE
    from retrieval.commands import progress_bar
    from retrieval.evaluation.dataset import read_dataset
    from retrieval.evaluation.evaluate import build_library, spread
    from retrieval.search.embedding import Embedder
    from retrieval.search.reading import reader_of
    from retrieval.settings import load_settings
    from training.classifiers.judge_fit import TRANSFERRED, examples, fit, measure, read_all
    from training.classifiers.near_misses import is_learned_from

    settings = load_settings()
    embedder = Embedder.load(settings, on_progress=say)
    reader = reader_of(embedder, settings.models_folder)
    learned_from = reader.facts.data.split(", ") if reader else []
    rows = []
    with progress_bar() as on_progress:
        for folder in folders:
            dataset = read_dataset(folder)
            library = build_library(dataset, settings, embedder, on_progress)
            asked = replace(dataset, answers=tuple(spread(dataset.answers, limit)))
            found = examples(asked, library)
            rows += read_all(found, reader, on_progress) if reader else found
    fitted = [
        row
        for row in rows
        if not row.is_held_out and not (row.data in learned_from and is_learned_from(row.id))
    ]
    data = ", ".join(folder.resolve().name for folder in folders)
    names = TRANSFERRED if reader else FEATURES
    judge = fit(fitted, embedder=embedder.id, data=data, names=names)
    for line in measure(judge, [row for row in rows if row.is_held_out]):
        click.echo(
            f"{line.data}: AUROC {line.auroc:.3f}, false answers {line.false_answers:.0%} of "
            f"{line.unanswerable}, false abstentions {line.false_abstentions:.0%} of "
            f"{line.answerable} (held out)"
        )
    target = output or settings.models_folder / JUDGE_FILE
    judge.save(target)
    click.echo(f"answers from confidence {judge.threshold:.2f} on; written to {target}")

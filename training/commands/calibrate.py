"""`whimbrel calibrate`: when to answer and when to abstain, from judged questions."""

from __future__ import annotations

from pathlib import Path

import click

from training.progress import say


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
    from retrieval.answering.judge import JUDGE_FILE
    from retrieval.commands import progress_bar
    from retrieval.evaluation.dataset import read_dataset
    from retrieval.evaluation.evaluate import build_library
    from retrieval.search.embedding import Embedder
    from retrieval.settings import load_settings
    from training.classifiers.judge_fit import examples, fit, measure

    settings = load_settings()
    embedder = Embedder.load(settings, on_progress=say)
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

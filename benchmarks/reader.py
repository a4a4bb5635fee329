"""How well the reader tells passages that answer a question from near misses.

    python -m benchmarks.reader FOLDER... [--adapter FILE]... [--limit N]

Each FOLDER has `corpus.jsonl` and `answers.jsonl` in the format that
`retrieval/evaluation/dataset.py` describes, such as `benchmarks/data/workspaces/hospital`. The
reader that is installed, and that of each FILE, reads the first six hits of every question. Of sets
that a reader learned from this says nothing.

`found` is the share of the questions with an answer of which a hit answers; `search` and `reader`
are the shares of those where the first hit does, and the one that is read to be the likeliest.
`hits` is the chance that a hit that answers is read to be likelier than another, and `questions`
that the likeliest hit of a question with an answer is likelier than that of one without.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from retrieval.answering.judge import READ_HITS
from retrieval.answering.questions import standalone
from retrieval.commands import progress_bar
from retrieval.evaluation.dataset import read_dataset
from retrieval.evaluation.evaluate import asked_before, build_library, spread
from retrieval.evaluation.metrics import auroc
from retrieval.records import Passage
from retrieval.search.embedding import Embedder
from retrieval.search.reading import Reader, reader_of
from retrieval.settings import Settings, load_settings

HEAD = ["set", "reader", "asked", "found", "search", "reader", "hits", "questions"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, its first hits, and which of them answer; None for one without an answer."""

    question: str
    passages: tuple[Passage, ...]
    answering: tuple[bool, ...] | None

    @property
    def is_found(self) -> bool:
        """Whether a hit answers."""
        return any(self.answering or ())


def questions(
    folder: Path, settings: Settings, embedder: Embedder, limit: int | None
) -> Iterator[Asked]:
    """The questions of a folder's answers, as the search of its passages finds hits for them."""
    dataset = read_dataset(folder)
    with progress_bar() as on_progress:
        searcher = build_library(dataset, settings, embedder, on_progress).searcher()
        answers = spread(dataset.answers, limit)
        for done, answer in enumerate(answers, start=1):
            question = standalone(answer.question, asked_before(answer))
            passages = tuple(hit.passage for hit in searcher.search(question, k=READ_HITS))
            right = tuple(passage.source.id in answer.passages for passage in passages)
            yield Asked(question, passages, None if answer.is_unanswerable else right)
            on_progress("asking", done, len(answers))


def row(asked: Sequence[Asked], reader: Reader) -> list[str]:
    """What a reader makes of some questions, as cells of a table."""
    read = [(known, reader.scores(known.question, known.passages)) for known in asked]
    found = [(known.answering or (), scores) for known, scores in read if known.is_found]
    with_answer = [known for known in asked if known.answering is not None]
    without = [max(scores, default=0) for known, scores in read if known.answering is None]
    pairs = [pair for answering, scores in found for pair in zip(answering, scores, strict=True)]
    right, wrong = ([score for is_right, score in pairs if is_right is it] for it in (True, False))
    shares = [
        len(found) / max(1, len(with_answer)),
        _share([answering[0] for answering, _ in found]),
        _share([answering[scores.index(max(scores))] for answering, scores in found]),
        auroc(right, wrong),
        auroc([max(scores) for _, scores in found], without),
    ]
    return [reader.id, str(len(asked)), *(f"{share:.3f}" for share in shares)]


def _share(facts: Sequence[bool]) -> float:
    return sum(facts) / max(1, len(facts))


def main() -> None:
    """Print a table, a row for each set and reader."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--adapter", action="append", default=[], type=Path, metavar="FILE")
    parser.add_argument("--limit", type=int, metavar="N", help="ask only so many of each folder")
    arguments = parser.parse_args()
    settings = load_settings()
    embedder = Embedder.load(settings)
    installed = reader_of(embedder, settings.models_folder)
    readers = [
        *([installed] if installed else []),
        *(Reader(embedder, f) for f in arguments.adapter),
    ]
    click.echo(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for folder in arguments.folders:
        asked = [*questions(folder, settings, embedder, arguments.limit)]
        for reader in readers:
            click.echo(f"| {folder.resolve().name} | {' | '.join(row(asked, reader))} |")


if __name__ == "__main__":
    main()

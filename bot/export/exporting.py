"""An export from beginning to end: log and index in, a data set's folder and its provenance out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.export.building import build
from bot.export.corpus import load_corpus, read_indexed
from bot.export.freezing import FrozenDataset, freeze
from bot.export.log_reader import read_log
from bot.export.provenance import Provenance
from bot.export.records import REASONS, Policy
from bot.export.regression import RegressionSet
from bot.export.synthetic import synthesise
from bot.export.taught import Taught, read_taught
from bot.store.database import Database
from retrieval.errors import DataError
from retrieval.examples import Example
from retrieval.index.library import Library
from retrieval.jsonl import read_rows
from retrieval.llm.generator import Generator
from retrieval.progress import Progress
from retrieval.records import Passage
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings


def export_log(
    settings: Settings,
    database: Database,
    embedder: Embedder,
    *,
    policy: Policy,
    synthetic: int = 0,
    generator: Generator | None = None,
    distilled: Path | None = None,
    reserved: Sequence[str] = (),
    allows_nothing: bool = False,
    on_progress: Progress = lambda *_: None,
) -> tuple[Path, FrozenDataset]:
    """Freeze a data set and remember where it comes from; its folder and what is in it.

    Args:
        settings: Where index and data sets are.
        database: The log's.
        embedder: Says which questions are alike.
        policy: What is let in.
        synthetic: How many questions to make from the documents.
        generator: Asks them; without one they are made of headings and sentences.
        distilled: A folder of what a stronger model taught.
        reserved: Questions from elsewhere that must never be trained on.
        allows_nothing: Write a data set also if no example is in it.
        on_progress: Told the stage, how much is done and how much there is.

    Raises:
        DataError: If there is nothing to write; the message says what was left out and why. Or if
            what is in the folder `distilled` was not made by a model.
        IndexNotFoundError: If questions are to be made from documents and nothing is indexed.
    """
    provenance = Provenance(database)
    log = read_log(database)
    made: list[Example] = []
    passages: Sequence[Passage]
    if synthetic:
        searcher = Library.load(settings, embedder).searcher()
        passages = searcher.index.passages
        made = synthesise(
            passages,
            searcher,
            synthetic,
            generator=generator,
            on_progress=on_progress,
        )
    else:
        passages = read_indexed(settings)
    held_out = sorted({*provenance.ever_held_out(), *reserved})
    corpus = load_corpus(passages, database)
    taught = read_taught(distilled, corpus) if distilled else Taught()
    frozen = build(
        log,
        corpus,
        embedder,
        policy=policy,
        ever_held_out=held_out,
        synthetic=[*made, *taught.examples],
        on_progress=on_progress,
    )
    regression = RegressionSet(settings.dataset_folder, provenance)
    count = regression.freeze(frozen.splits["held-out"], at=frozen.until)
    kept, set_aside = regression.apart_from(frozen.splits["held-out"])
    frozen = replace(
        frozen,
        splits={**frozen.splits, "held-out": kept},
        exclusions=[*frozen.exclusions, *set_aside, *taught.exclusions],
        taught=taught.card,
    )
    if not (allows_nothing or any(frozen.splits.values())):
        raise DataError(_nothing(frozen))
    folder = freeze(frozen, settings.dataset_folder)
    provenance.hold_out(((question, "") for question in reserved), at=frozen.until)
    provenance.record(frozen.name, frozen.splits, at=frozen.until)
    if count:
        on_progress("freezing", count, count)
    return folder, frozen


def _nothing(frozen: FrozenDataset) -> str:
    left_out = "; ".join(f"{count} {REASONS[code]}" for code, count in frozen.excluded.items())
    return (
        f"nothing to export: {f'left out: {left_out}' if left_out else 'no answer is rated yet'}. "
        "Rate answers in Slack, bring ratings in with `whimbrel import-ratings FOLDER --consented` "
        "or make questions from the documents with `whimbrel export --synthetic 200`"
    )


def read_questions(path: Path) -> list[str]:
    """The questions of a file, plain or gzipped: a JSON object with `text` or `question` a line.

    Raises:
        DataError: If a line has neither; the message names it.
    """
    return list(read_rows(path, _question))


def _question(row: dict[str, Any]) -> str:
    return str(row["text"] if "text" in row else row["question"])

"""Takes back what was learned from a person: the data sets are deleted, the models retired."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from bot.export.provenance import Provenance
from bot.export.regression import RegressionSet
from bot.replay.files import REPLAYS
from bot.store.database import Database
from retrieval.examples import REGRESSION
from retrieval.registry.runs import (
    CHANGES,
    Run,
    all_runs,
    erase_dataset,
    folder_of,
    retire,
    run_of,
)

logger = logging.getLogger(__name__)

PUT_ASIDE = "before-restore-"
"""How the folders begin that hold what was there before something was restored."""


@dataclass(frozen=True, slots=True)
class Erased:
    """The data sets that are gone, and the runs that will not serve again."""

    datasets: tuple[str, ...]
    runs: tuple[str, ...]


def erase(person: str, database: Database) -> Erased:
    """Delete the data sets that learned from a person and retire what was trained on them.

    Data sets and models are looked for beside the database. What was trained on top of such a model
    is retired with it. A run that serves is replaced by what served before. Doing it again finishes
    what was broken off: the database forgets last.
    """
    home = database.home
    runs_folder = home / "models" / "runs"
    provenance = Provenance(database)
    datasets = provenance.datasets_of(person)
    for dataset in datasets:
        erase_dataset(runs_folder, dataset)
    runs = learned_from(datasets, all_runs(runs_folder))
    for run in runs:
        retire(runs_folder, run, reason="somebody whom it learned from was forgotten")
    shutil.rmtree(home / REPLAYS, ignore_errors=True)  # they may quote the person
    if provenance.examples_of(person, REGRESSION):  # every candidate was asked these
        for run in all_runs(runs_folder):
            (folder_of(runs_folder, run) / CHANGES).unlink(missing_ok=True)
    RegressionSet(home / "dataset", provenance).forget(person)
    provenance.forget(person, home / "dataset")
    logger.info("took back datasets=%d runs=%d", len(datasets), len(runs))
    return Erased(tuple(datasets), tuple(run.id for run in runs))


def put_aside(home: Path) -> list[Path]:
    """The folders that hold what was there before something was restored."""
    return sorted(home.glob(f"{PUT_ASIDE}*"))


def learned_from(datasets: Collection[str], runs: Iterable[Run]) -> list[Run]:
    """The runs that learned from data sets, or from runs that did; `runs` has the oldest first."""
    found: dict[str, Run] = {}
    for run in runs:
        if run.facts.dataset in datasets or run_of(run.facts.base) in found:
            found[run.id] = run
    return list(found.values())

"""Which data set learned from whom, and what was held out: the part of an export that stays."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bot.export.records import ExampleDraft
from bot.store.database import Database
from retrieval.examples import REGRESSION, Split, content_id


class Provenance:
    """Leads from people to the data sets that learned from them, and keeps what is held out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ever_held_out(self) -> list[str]:
        """Every question that a data set has held out, in the alphabet's order."""
        rows = self._database.connection.execute("SELECT question FROM held_out ORDER BY 1")
        return [row[0] for row in rows]

    def hold_out(self, asked: Iterable[tuple[str, str]], *, at: str) -> None:
        """Never train on these questions, nor on what is as good as one of them.

        Each comes with the person who asked it, `""` if that was nobody here.
        """
        with self._database.transaction() as db:
            for question, asker in asked:
                key = content_id(question)
                row = {"key": key, "question": question, "at": at}
                db.table("held_out").insert(row, ignore=True)
                db.table("held_out_askers").insert({"key": key, "person": asker}, ignore=True)

    def record(
        self, dataset: str, splits: Mapping[Split, Sequence[ExampleDraft]], *, at: str
    ) -> None:
        """Remember where each example comes from and which questions are held out from now on."""
        rows = (
            {"dataset": dataset, "example": d.example.id, "turn_id": turn, "person": person}
            for drafts in splits.values()
            for d in drafts
            for turn in sorted(d.turn_ids)
            for person in sorted(d.people)
        )
        with self._database.transaction() as db:
            db.table("datasets").insert({"id": dataset, "at": at}, ignore=True)
            db.table("dataset_sources").insert_all(rows, ignore=True)
            asked = ((d.example.question, asker) for d in splits["held-out"] for asker in d.askers)
            self.hold_out(asked, at=at)

    def datasets_of(self, person: str) -> list[str]:
        """The data sets that hold something that the person had a part in."""
        rows = self._database.connection.execute(
            "SELECT DISTINCT dataset FROM dataset_sources WHERE person = ? AND dataset != ?"
            " ORDER BY 1",
            (person, REGRESSION),
        )
        return [row[0] for row in rows]

    def examples_of(self, person: str, dataset: str) -> set[str]:
        """The ids of a data set's examples that the person had a part in."""
        rows = self._database.connection.execute(
            "SELECT example FROM dataset_sources WHERE person = ? AND dataset = ?",
            (person, dataset),
        )
        return {row[0] for row in rows}

    def forget(self, person: str, folder: Path) -> list[str]:
        """Delete the data sets that learned from a person, in `folder`, and return their names.

        What was trained on them is for the caller to retire, and the regression set to cleanse.
        Questions that nobody else asked are no longer kept as held out.
        """
        datasets = self.datasets_of(person)
        for dataset in datasets:
            shutil.rmtree(folder / dataset, ignore_errors=True)
        with self._database.transaction() as db:
            db.execute("DELETE FROM held_out_askers WHERE person = ?", (person,))
            db.execute("DELETE FROM held_out WHERE key NOT IN (SELECT key FROM held_out_askers)")
            db.execute(
                "DELETE FROM dataset_sources WHERE dataset = ? AND example IN"
                " (SELECT example FROM dataset_sources WHERE dataset = ? AND person = ?)",
                (REGRESSION, REGRESSION, person),
            )
            for dataset in datasets:
                db.execute("DELETE FROM dataset_sources WHERE dataset = ?", (dataset,))
                db.execute("DELETE FROM datasets WHERE id = ?", (dataset,))
        return datasets

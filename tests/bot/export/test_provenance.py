from __future__ import annotations

from pathlib import Path

from bot.export.freezing import freeze
from bot.export.provenance import Provenance
from bot.store.database import Database
from tests.bot.export.logs_by_hand import NOON
from tests.bot.export.test_building import busy_log, frozen


def test_the_data_sets_of_a_person_are_known(database: Database) -> None:
    found = frozen(busy_log())
    provenance = Provenance(database)
    provenance.record(found.name, found.splits, at=NOON)
    people = {p for drafts in found.splits.values() for d in drafts for p in d.people}
    assert {tuple(provenance.datasets_of(person)) for person in people} == {(found.name,)}
    assert provenance.datasets_of("U0NOBODY") == []


def test_what_is_held_out_is_remembered(database: Database) -> None:
    found = frozen(busy_log())
    provenance = Provenance(database)
    for _ in range(2):
        provenance.record(found.name, found.splits, at=NOON)
    held_out = {draft.example.question for draft in found.splits["held-out"]}
    assert held_out
    assert set(provenance.ever_held_out()) == held_out


def test_forgetting_a_person_deletes_what_learned_from_them(
    database: Database, tmp_path: Path
) -> None:
    found = frozen(busy_log())
    folder = freeze(found, tmp_path / "dataset")
    provenance = Provenance(database)
    provenance.record(found.name, found.splits, at=NOON)
    draft = found.splits["held-out"][0]
    (person,) = draft.askers
    assert provenance.forget(person, tmp_path / "dataset") == [found.name]
    assert not folder.exists()
    assert provenance.datasets_of(person) == []
    assert draft.example.question not in provenance.ever_held_out()


def test_a_question_that_somebody_else_asked_too_stays_held_out(database: Database) -> None:
    provenance = Provenance(database)
    provenance.hold_out([("Where is it?", "U1"), ("Where is it?", "U2")], at=NOON)
    provenance.forget("U1", Path("nowhere"))
    assert provenance.ever_held_out() == ["Where is it?"]

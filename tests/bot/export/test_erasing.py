from __future__ import annotations

from pathlib import Path

from bot.export.erasing import erase
from bot.export.freezing import freeze
from bot.export.provenance import Provenance
from bot.store.database import Database
from retrieval.models.runs import Facts, Run, publish, serving, write_run
from tests.bot.conftest import House, settled
from tests.bot.export.logs_by_hand import NOON
from tests.bot.export.test_building import busy_log, frozen
from tests.bot.feedback.story import CUP, story
from tests.fakes import TwoGenerations
from tests.slack_forms import press_at_home

PERSON = "U0GRACE1"


def learned(database: Database) -> tuple[Path, str]:
    """A data set that learned from people, and one of them."""
    found = frozen(busy_log())
    Provenance(database).record(found.name, found.splits, at=NOON)
    (person,) = found.splits["train"][0].askers
    return freeze(found, database.path.parent / "dataset"), person


def trained(database: Database, dataset: str) -> Run:
    def fill(folder: Path) -> None:
        (folder / "map.safetensors").write_text(dataset)

    runs = database.path.parent / "models" / "runs"
    run = write_run(runs, "retriever", Facts("base", dataset, 0, "0.1"), fill)
    publish(runs, run, reason="better")
    return run


def test_what_learned_from_a_person_is_deleted_and_serves_no_more(database: Database) -> None:
    folder, person = learned(database)
    before, after = trained(database, "another"), trained(database, folder.name)
    erased = erase(person, database)
    assert (erased.datasets, erased.runs) == ((folder.name,), (after.id,))
    assert not folder.exists()
    assert serving(database.path.parent / "models" / "runs", "retriever") == before


def test_erasing_again_or_a_stranger_changes_nothing(database: Database) -> None:
    folder, person = learned(database)
    assert erase("U0NOBODY", database).datasets == ()
    assert folder.exists()
    erase(person, database)
    assert erase(person, database).datasets == ()


async def test_who_is_forgotten_in_app_home_is_taken_back(house: House) -> None:
    told = await story(house)
    await told.ask(CUP, user=PERSON)
    database = told.bot.inbox.database
    folder, person = learned(database)
    database.connection.conn.execute(
        "UPDATE dataset_sources SET person = ? WHERE person = ?", (PERSON, person)
    )
    await told.press_home("forget_me", "me", user=PERSON)
    assert not folder.exists()


async def test_models_that_learned_from_who_is_forgotten_are_taken_out_of_the_index(
    house: House,
) -> None:
    holdings = TwoGenerations()
    bot = await house.enter(house.bot(holdings=holdings))
    await house.slack.deliver(press_at_home("forget_me", "me", trigger_id="1", user=PERSON))
    await settled(bot)
    assert holdings.taken_back == 1

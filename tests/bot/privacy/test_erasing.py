from __future__ import annotations

from pathlib import Path

import pytest

from bot.export.freezing import freeze
from bot.export.provenance import Provenance
from bot.privacy.erasing import erase
from bot.replay.files import REPLAYS
from bot.store.database import Database
from retrieval.examples import REGRESSION, read_examples, write_examples
from retrieval.registry.runs import (
    CHANGES,
    KINDS,
    Facts,
    ModelKind,
    Run,
    folder_of,
    publish,
    serving,
    write_run,
)
from retrieval.registry.trials import begin, under_way
from tests.bot.conftest import House, settled
from tests.bot.export.logs_by_hand import NOON
from tests.bot.export.test_building import busy_log, frozen
from tests.bot.story import CUP, story
from tests.fakes import TwoGenerations
from tests.slack_forms import press_at_home

PERSON = "U0GRACE1"


def learned(database: Database) -> tuple[Path, str]:
    """A data set that learned from people, and one of them."""
    found = frozen(busy_log())
    Provenance(database).record(found.name, found.splits, at=NOON)
    (person,) = found.splits["train"][0].askers
    return freeze(found, database.home / "dataset"), person


def runs_of(database: Database) -> Path:
    return database.home / "models" / "runs"


def trained(
    database: Database, dataset: str, kind: ModelKind = "retriever", base: str = "base@1"
) -> Run:
    def fill(folder: Path) -> None:
        (folder / "map.safetensors").write_text(dataset)

    runs = runs_of(database)
    run = write_run(runs, kind, Facts(base, dataset, 0, "0.1"), fill)
    (folder_of(runs, run) / CHANGES).write_text("What is it?")
    publish(runs, run, reason="better")
    return run


@pytest.mark.parametrize("kind", KINDS)
def test_what_learned_from_a_person_is_deleted_and_serves_no_more(
    database: Database, kind: ModelKind
) -> None:
    folder, person = learned(database)
    before, after = trained(database, "another", kind), trained(database, folder.name, kind)
    erased = erase(person, database)
    assert (erased.datasets, erased.runs) == ((folder.name,), (after.id,))
    assert not folder.exists()
    assert serving(runs_of(database), kind) == before
    assert not (folder_of(runs_of(database), after) / CHANGES).exists()
    assert (folder_of(runs_of(database), before) / CHANGES).exists()


def test_models_of_every_kind_fall_back_at_once(database: Database) -> None:
    folder, person = learned(database)
    runs = [trained(database, folder.name, kind) for kind in KINDS]
    assert set(erase(person, database).runs) == {run.id for run in runs}
    assert [serving(runs_of(database), kind) for kind in KINDS] == [None] * len(KINDS)


def test_what_was_trained_on_top_of_such_a_model_is_retired_with_it(database: Database) -> None:
    folder, person = learned(database)
    tuned = trained(database, folder.name, "generator")
    later = trained(database, "another", "generator", base=f"base@1+{tuned.id}")
    assert erase(person, database).runs == (tuned.id, later.id)
    assert serving(runs_of(database), "generator") is None


def test_the_trial_of_what_learned_from_a_person_is_over(database: Database) -> None:
    folder, person = learned(database)
    served, tried = trained(database, "another"), trained(database, folder.name)
    publish(runs_of(database), served, reason="again")
    begin(runs_of(database), tried, share=0.2, reason="try it")
    erase(person, database)
    assert under_way(runs_of(database)) is None


def test_replays_that_may_quote_a_person_are_deleted(database: Database) -> None:
    _, person = learned(database)
    replays = database.home / REPLAYS
    (replays / "1a2b3c").mkdir(parents=True)
    (replays / "1a2b3c" / "replay.md").write_text("What is it?")
    erase(person, database)
    assert not replays.exists()


def test_the_regression_set_forgets_what_a_person_asked(database: Database) -> None:
    found = frozen(busy_log())
    home, provenance = database.home / "dataset", Provenance(database)
    provenance.record(REGRESSION, {"held-out": found.splits["held-out"]}, at=NOON)
    home.mkdir()
    drafts = found.splits["held-out"]
    write_examples(home, REGRESSION, [draft.example for draft in drafts])
    (person,) = drafts[0].askers
    erase(person, database)
    kept = {example.id for example in read_examples(home, REGRESSION)}
    assert kept == {draft.example.id for draft in drafts if person not in draft.people}


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
    database.connection.execute(
        "UPDATE dataset_sources SET person = ? WHERE person = ?", (PERSON, person)
    )
    await told.press_home("forget_me", "me", user=PERSON)
    assert not folder.exists()


async def test_models_that_learned_from_who_is_forgotten_are_taken_out_of_the_index(
    house: House,
) -> None:
    installation = TwoGenerations()
    bot = await house.enter(house.bot(installation=installation))
    await house.slack.deliver(press_at_home("forget_me", "me", trigger_id="1", user=PERSON))
    await settled(bot)
    assert installation.taken_back == 1

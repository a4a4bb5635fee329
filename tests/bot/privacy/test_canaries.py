"""Nothing of a person who was forgotten is in any byte below the home folder.

Canaries are planted wherever something of a person is kept. What an expert approved of them stays,
without their name, until `whimbrel forget --approved`.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bot.app.backup import back_up, restore
from bot.privacy.commands import forget, purge
from bot.privacy.forgotten import FORGOTTEN, ForgottenPeople
from bot.replay.files import REPLAYS
from bot.store.channels import ChannelConfig
from bot.store.database import Database
from bot.store.signals import Signals
from retrieval.registry.runs import CHANGES, folder_of
from retrieval.settings import Settings
from tests.bot.conftest import House
from tests.bot.privacy.test_erasing import learned, runs_of, trained
from tests.bot.story import LEAVE, Story, story
from tests.slack_server import event, mention, slash

PERSON, NAME = "U0GRACE1", "Canaryname"
QUESTION = "Where hangs the canaryquestion?"
CANARIES = (
    "canaryquestion",
    "canaryreason",
    "canaryrejected",
    "canaryopen",
    "canarydead",
    "canaryshadow",
    "canaryimport",
    "canaryrating",
    "canaryheldout",
    "canarydataset",
    "canarychanges",
    "canaryreplay",
    NAME,
    PERSON,
)
NEVER_KEPT = ("canaryoverheard", PERSON.lower())
APPROVED = "canaryapproved"


def found(folder: Path, *, but: str = "") -> dict[str, set[str]]:
    """The canaries in the bytes or the path of each file that has any."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    held = {
        str(path.relative_to(folder)): {
            word
            for word in {*CANARIES, *NEVER_KEPT, APPROVED} - {but}
            if word.encode() in path.read_bytes() or word in str(path)
        }
        for path in files
    }
    return {name: words for name, words in held.items() if words}


async def lived(house: House) -> Story:
    """A person of whom something is kept wherever something of people can be."""
    told = await story(house, experts=("U9",))
    told.slack.users["U9"]["is_admin"] = True
    told.slack.users[PERSON] = {"profile": {"display_name": NAME}}
    _, asked = await told.ask(QUESTION, user=PERSON)
    for n, user in enumerate(("U2", "U3")):
        said = mention(f"And who keeps it {n}?", ts=f"3.{n}", thread_ts="1.1", user=user)
        await told.send(event(said, f"EvFollow{n}"))
    _, other = await told.ask(LEAVE, user="U2")
    await told.rate(other, "bad", user=PERSON)
    await told.submit({"reason": "wrong", "answer": f"31 {APPROVED} days."}, user=PERSON)
    await told.press_home("approve_review", "1", jobs=2)
    await told.ask(LEAVE, user="U3")  # is given the answer, with its author's name
    for number, word in ((2, "canaryrejected"), (3, "canaryopen")):
        _, turn_id = await told.ask(f"Where is the printer {number}?", user="U2")
        await told.rate(turn_id, "bad", user=PERSON)
        filled = {"answer": f"On the {word}.", "document_name": "canaryreason"}
        await told.submit(filled, user=PERSON)
        if word == "canaryrejected":
            await told.press_home("reject_review", str(number))
    told.bot.channels.set("C1", ChannelConfig(mode="questions"), by=PERSON)
    talk = {"type": "message", "channel": "C1", "channel_type": "channel", "ts": "4.1"}
    said = talk | {"user": PERSON, "text": "I like the canaryoverheard a lot."}
    await told.send(event(said, "EvTalk"))
    url = told.slack.response_url("r")
    for n, text in enumerate((f"access <@{PERSON}|{NAME} Hopper>", f"access {PERSON}")):
        await told.send(slash("/whimbrel", text, trigger_id=f"a{n}", url=url, user="U9"))
    Signals(told.bot.inbox.database).note(other, "shared", PERSON, "EvShared")
    planted(told.bot.inbox.database, asked, house.folder)
    told.done += 1
    return told


def planted(database: Database, turn_id: str, home: Path) -> None:
    """What takes days or a model to come about, written as it would be."""
    folder, person = learned(database)
    (folder / "train.jsonl").write_text("canarydataset")
    run = trained(database, folder.name)
    (folder_of(runs_of(database), run) / CHANGES).write_text("canarychanges")
    (home / REPLAYS / "ab").mkdir(parents=True)
    (home / REPLAYS / "ab" / "replay.md").write_text("canaryreplay")
    rows: dict[str, dict[str, Any]] = {
        "shadows": {"turn_id": turn_id, "trial": "t", "kind": "answer", "answer": "canaryshadow"},
        "imports": {"turn_id": turn_id, "correction": "canaryimport"},
        "imported_ratings": {"turn_id": "other", "person": PERSON, "text": "canaryrating"},
        "held_out": {"key": "k", "question": "canaryheldout"},
        "held_out_askers": {"key": "k", "person": PERSON},
        "inbox": {
            "event_id": "EvDead",
            "kind": "question",
            "thread_key": "k",
            "user": PERSON,
            "payload": '{"text": "canarydead"}',
            "state": "done",
            "created": 1.0,
        },
    }
    with database.transaction() as db:
        for table, row in rows.items():
            db.table(table).insert(row)
        db.execute("UPDATE dataset_sources SET person = ? WHERE person = ?", (PERSON, person))


async def forgotten(told: Story, way: str, *options: str) -> None:
    """Forget the person in App Home, or with the command while the bot serves."""
    if way == "Slack":
        await told.press_home("forget_me", "me", user=PERSON)
        return
    done = await asyncio.to_thread(CliRunner().invoke, forget, [PERSON, *options])
    assert done.exception is None, done.output


@pytest.fixture
def home(house: House, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHIMBREL_HOME", str(house.folder))
    return house.folder


@pytest.mark.slow
@pytest.mark.parametrize("way", ["Slack", "terminal"])
async def test_no_byte_in_the_home_tells_of_who_was_forgotten(
    house: House, home: Path, way: str
) -> None:
    told = await lived(house)
    told.bot.inbox.database.purge()
    assert set().union(*found(home).values()) == {*CANARIES, APPROVED}
    await forgotten(told, way)
    assert found(home, but=APPROVED) == {}
    assert told.rows("SELECT count(*) FROM curated") == [(1,)]


async def test_what_was_approved_goes_too_where_that_is_wanted(house: House, home: Path) -> None:
    told = await lived(house)
    await forgotten(told, "terminal", "--approved")
    assert found(home) == {}
    _, turn_id = await told.ask(LEAVE, user="U3")
    assert told.rows("SELECT method FROM turns WHERE id = ?", turn_id) != [("curated",)]


async def test_no_backup_brings_back_who_was_forgotten_since(
    house: House, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    told = await lived(house)
    elsewhere = tmp_path_factory.mktemp("backups")
    back_up(Settings(home=home), elsewhere / "b.tar")
    await forgotten(told, "Slack")
    fresh = Settings(home=elsewhere / "fresh")
    assert restore(fresh, elsewhere / "b.tar").forgotten == 0
    assert PERSON in set().union(*found(fresh.home).values())
    shutil.copy(home / FORGOTTEN, fresh.home)
    restored = restore(fresh, elsewhere / "b.tar", replaces=True)
    assert (restored.forgotten, restored.aside is None) == (1, False)
    assert {name.split("/")[0] for name in found(fresh.home, but=APPROVED)} == {
        Path(str(restored.aside)).name
    }
    CliRunner(env={"WHIMBREL_HOME": str(fresh.home)}).invoke(purge, catch_exceptions=False)
    assert found(fresh.home, but=APPROVED) == {}


async def test_no_backup_brings_back_what_was_approved_and_forgotten_since(
    house: House, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    told = await lived(house)
    elsewhere = tmp_path_factory.mktemp("backups")
    back_up(Settings(home=home), elsewhere / "b.tar")
    await forgotten(told, "terminal", "--approved")
    fresh = Settings(home=elsewhere / "fresh")
    fresh.home.mkdir()
    shutil.copy(home / FORGOTTEN, fresh.home)
    assert restore(fresh, elsewhere / "b.tar").forgotten == 1
    assert found(fresh.home) == {}


async def test_who_came_back_before_a_backup_stays_in_it(
    house: House, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    told = await lived(house)
    await forgotten(told, "Slack")
    notes = home / FORGOTTEN
    notes.write_text(notes.read_text().replace('"at": "20', '"at": "19'))
    await told.ask(QUESTION, user=PERSON)
    elsewhere = tmp_path_factory.mktemp("backups")
    back_up(Settings(home=home), elsewhere / "b.tar")
    fresh = Settings(home=elsewhere / "fresh")
    assert restore(fresh, elsewhere / "b.tar").forgotten == 0
    assert "canaryquestion" in found(fresh.home)["whimbrel.db"]
    assert (fresh.home / FORGOTTEN).read_text() == notes.read_text()


def test_what_is_no_id_of_a_person_is_refused() -> None:
    done = CliRunner().invoke(forget, ["@grace"])
    assert "wanted a person's id" in str(done.exception)


def test_a_damaged_line_of_notes_keeps_nobody_from_being_forgotten(tmp_path: Path) -> None:
    notes = ForgottenPeople(tmp_path)
    notes.path.write_text('{"at": 1\n')
    notes.note(PERSON)
    notes.path.write_text(notes.path.read_text().split("\n", 1)[1])
    assert notes.since("2020", [PERSON, "U1"]) == [PERSON]

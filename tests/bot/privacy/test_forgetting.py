from __future__ import annotations

from pathlib import Path

from bot.store.channels import ChannelConfig
from bot.store.signals import Signals
from tests.bot.conftest import House
from tests.bot.story import CUP, LEAVE, Story, story
from tests.fakes import GatedAnswerer
from tests.slack_server import event, mention

PERSON = "U0GRACE1"
ALIKE = "U0GRACE12"
"""Somebody else, whose id begins with the same letters."""


def tables_naming(told: Story, person: str) -> list[str]:
    db = told.bot.inbox.database.connection
    return [
        name
        for name in db.columns()
        if any(person in str(value) for row in db.table(name).rows for value in row.values())
    ]


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.glob("whimbrel.db*")]


async def lived(house: House) -> tuple[Story, str]:
    """A person who has asked, rated, corrected, proposed, reviewed and is an expert."""
    told = await story(house, experts=(PERSON, "U9"))
    _, turn_id = await told.ask(f"{LEAVE} Ask <@{PERSON}>.", user="U2")
    await told.rate(turn_id, "bad", user=PERSON)
    await told.submit({"reason": "wrong", "answer": "31 days."}, user=PERSON)
    message, mine = await told.ask(CUP, user=PERSON)
    await told.react("-1", message, user="U2")
    told.slack.add_message("C1", "8.0", "Heron won it.", PERSON, thread_ts="1.5")
    await told.react("jigsaw", {"ts": "8.0", "user": PERSON}, user="U2")
    Signals(told.bot.inbox.database).note(turn_id, "shared", PERSON, "EvS")
    await told.press_home("approve_review", "1", user=PERSON, jobs=2)
    await told.press_home("set_learning", "1", user=PERSON)
    channels = told.bot.channels
    channels.set("C1", ChannelConfig(experts=(PERSON, "U9")), by=PERSON)
    await told.ask("Where is the printer?", user=ALIKE)
    return told, mine


async def test_no_table_names_a_person_who_was_forgotten(house: House) -> None:
    told, mine = await lived(house)
    assert len(tables_naming(told, PERSON)) > 8
    await told.press_home("forget_me", "me", user=PERSON)
    named = {"turns", "inbox"}  # the other one's
    assert set(tables_naming(told, PERSON)) <= named
    assert set(tables_naming(told, ALIKE)) <= named
    db = told.bot.inbox.database.connection
    words = [str(value) for name in named for row in db.table(name).rows for value in row.values()]
    assert not any(PERSON in word.replace(ALIKE, "") for word in words)
    assert told.rows("SELECT 1 FROM turns WHERE id = ?", mine) == []


async def test_not_even_the_file_does(house: House) -> None:
    told, _ = await lived(house)
    await told.press_home("forget_me", "me", user=PERSON)
    told.bot.inbox.database.purge()
    files = contents(house.folder)
    assert not any(PERSON.encode() in data.replace(ALIKE.encode(), b"") for data in files)
    assert not any(CUP.encode() in data for data in files)


async def test_what_others_said_and_what_was_approved_stays(house: House) -> None:
    told, _ = await lived(house)
    await told.press_home("forget_me", "me", user=PERSON)
    assert told.rows("SELECT answer, author_name, turn_id IS NULL FROM curated") == [
        ("31 days.", None, 0)
    ]
    assert told.rows("SELECT count(*) FROM turns") == [(2,)]
    assert told.bot.channels.of("C1").experts == ("U9",)


async def test_a_forgotten_person_can_come_back(house: House) -> None:
    told, _ = await lived(house)
    await told.press_home("forget_me", "me", user=PERSON)
    _, turn_id = await told.ask(CUP, user=PERSON)
    await told.rate(turn_id, "good", user=PERSON)
    assert told.bot.log.score(turn_id) == 1
    assert "is not used" in await told.open_home(PERSON)


async def test_an_answer_in_progress_is_not_logged_any_more(house: House) -> None:
    answerer = GatedAnswerer()
    told = await story(house, answerer)
    await house.slack.deliver(event(mention(LEAVE, ts="1.0", user=PERSON), "Ev1"))
    await house.slack.until(lambda: bool(house.slack.posted("C1")))
    told.done += 1
    await told.press_home("forget_me", "me", user=PERSON)
    answerer.gate.set()
    await told.ask(LEAVE, user="U2")
    assert told.rows("SELECT asker FROM turns") == [("U2",)]

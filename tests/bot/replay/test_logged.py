from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bot.export.ratings import import_ratings
from bot.replay.logged import read_logged
from bot.store.cards import Cards
from bot.store.channels import ChannelConfig, Channels
from bot.store.database import Database
from bot.store.log import ConversationLog, Turn
from tests.bot.export.test_rating_folder import ROW, folder_of
from tests.fakes import answer_to


def turn(question: str, n: int, *, channel: str = "C1", is_private: bool = False) -> Turn:
    answer = answer_to(question)
    at = f"2026-01-01T12:00:0{n}+00:00"
    audience = frozenset({"public", "hr"} if is_private else {"public"})
    return Turn(
        answer, f"Ev{n}", "T1", channel, None, "U1", audience, (f"{n}.5",), at, is_private
    )  # fmt: skip


def test_the_last_questions_come_first_with_their_audience(database: Database) -> None:
    log = ConversationLog(database)
    log.add(turn("Where is the printer?", 1))
    log.add(turn("What do engineers earn?", 2, is_private=True))
    log.add(turn("How many days of leave?", 3))
    newest, before = read_logged(database, last=2)
    assert (newest.question, newest.is_private) == ("How many days of leave?", False)
    assert (before.audience, before.is_private) == (frozenset({"public", "hr"}), True)


def test_what_an_admin_has_set_for_the_channel_holds(database: Database) -> None:
    ConversationLog(database).add(turn("Where is the printer?", 1, channel="C2"))
    config = ChannelConfig(sources=("handbook",), threshold=0.9)
    Channels(database).set("C2", config, by="U1")
    assert read_logged(database, last=9)[0].config == config


def test_what_was_deleted_or_answered_by_a_person_is_not_asked_again(database: Database) -> None:
    log = ConversationLog(database)
    deleted, curated = turn("Where is the printer?", 1), turn("How many days of leave?", 2)
    log.add(deleted)
    log.add(replace(curated, answer=replace(curated.answer, method="curated")))
    Cards(database).delete(deleted.answer.id)
    assert read_logged(database, last=9) == []


def test_imported_questions_are_nobodys_secret(database: Database, tmp_path: Path) -> None:
    import_ratings(folder_of(tmp_path, ROW), database, is_consented=True)
    (logged,) = read_logged(database, last=9)
    assert not logged.is_private

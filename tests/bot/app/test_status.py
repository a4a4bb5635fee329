"""Tests of `whimbrel status`."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bot.app.commands import status
from bot.app.status import PARTS
from bot.store.database import Database
from bot.store.inbox import Delivery, Inbox
from retrieval.index.building import update_index
from retrieval.settings import Settings
from tests.bot.conftest import House
from tests.retrieval.word_embedder import WordEmbedder

Told = Callable[[], dict[str, Any]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHIMBREL_HOME", str(tmp_path))
    monkeypatch.setenv("WHIMBREL_GENERATOR", "none")
    monkeypatch.setenv("SLACK_HEALTH_PORT", "0")
    monkeypatch.setenv("WHIMBREL_API_LISTEN_PORT", "0")
    return tmp_path


@pytest.fixture
def told(home: Path) -> Told:  # noqa: ARG001 - the command finds it by the environment
    def tell() -> dict[str, Any]:
        made = CliRunner().invoke(status, ["--json"], catch_exceptions=False)
        found: dict[str, Any] = json.loads(made.stdout)
        return found

    return tell


def give_up(home: Path, said: str) -> None:
    """A question that could not be answered, because of an error that quotes it."""
    with closing(Database(home / "whimbrel.db")) as database:
        inbox = Inbox(database)
        inbox.accept(Delivery("Ev1", "question", "T1", "C1", "U1", "C1:1.1", {"text": said}))
        job = inbox.claim("me", ["question"])
        assert job is not None
        inbox.bury(job, f"{job.error_id} ValueError: cannot read {said}")


@pytest.mark.parametrize("at", [0, 4_096], ids=["head", "tables"])
def test_a_damaged_database_is_told_beside_the_other_parts(home: Path, told: Told, at: int) -> None:
    with closing(Database(home / "whimbrel.db")):
        pass
    damaged = bytearray((home / "whimbrel.db").read_bytes())
    damaged[at:] = b"\x55" * (len(damaged) - at)
    (home / "whimbrel.db").write_bytes(damaged)
    found = told()
    assert [*found] == [*PARTS]
    assert found["queue"]["error"]


def test_an_empty_home_has_every_part_and_is_left_empty(home: Path, told: Told) -> None:
    found = told()
    assert [*found] == [*PARTS]
    assert "whimbrel index" in found["index"]["error"]
    assert found["queue"] == {"questions": 0}
    assert [*home.iterdir()] == []


def test_what_failed_last_is_told_without_what_was_asked(home: Path, told: Told) -> None:
    give_up(home, "the salary of Ada")
    queue = told()["queue"]
    assert queue["given_up"] == 1
    assert queue["last_errors"][0]["error"].endswith(" ValueError")
    assert "salary" not in json.dumps(queue)


def test_the_served_index_and_the_room_that_it_takes_are_told(home: Path, told: Told) -> None:
    (home / "docs").mkdir()
    (home / "docs" / "a.md").write_text("# Leave\n\n26 days of leave.")
    update_index([home / "docs"], Settings(home=home), WordEmbedder())
    found = told()
    assert (found["index"]["documents"], found["index"]["passages"]) == (1, 1)
    assert "index" in found["disk"]["used_mb"]


async def test_a_bot_that_serves_is_told_and_not_disturbed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.transport = "http"
    bot = await house.start()
    monkeypatch.setenv("WHIMBREL_HOME", str(house.folder))
    monkeypatch.setenv("SLACK_HEALTH_PORT", str(bot.port))
    made = await bot._database.run(CliRunner().invoke, status, ["--json"])
    assert json.loads(made.stdout)["bot"] == {"state": "serving"}
    monkeypatch.setenv("WHIMBREL_API_LISTEN_PORT", str(bot.port))
    made = await bot._database.run(CliRunner().invoke, status, ["--json"])
    assert json.loads(made.stdout)["api"] == {"state": "serving"}
    assert await bot.is_ready()


def test_nobody_at_the_port_is_told(
    told: Told, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setenv("SLACK_HEALTH_PORT", str(unused_tcp_port))
    assert told()["bot"]["state"] == "not running"
    monkeypatch.setenv("WHIMBREL_API_LISTEN_PORT", str(unused_tcp_port))
    assert told()["api"]["state"] == "not running"


def test_something_else_at_the_port_is_no_bot(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("SLACK_HEALTH_PORT", str(other.getsockname()[1]))

        def greet() -> None:
            connection, _ = other.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")
                connection.recv(4096)

        thread = threading.Thread(target=greet)
        thread.start()
        assert told()["bot"]["state"] == "not running"
        thread.join()


def test_each_part_has_a_line_on_one_screen(home: Path) -> None:
    give_up(home, "anything")
    lines = CliRunner().invoke(status, catch_exceptions=False).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [*PARTS]
    assert len(lines) < 24


def test_no_password_in_an_address_is_told(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHIMBREL_GENERATOR", "http://ann:opensesame@127.0.0.1:9/v1")
    found = told()
    assert "WHIMBREL_GENERATOR_KEY" in found["models"]["error"]
    assert "opensesame" not in json.dumps(found)

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from bot.export.analytics import write_analytics
from bot.store.database import Database
from bot.store.log import ConversationLog, Turn
from retrieval.cli import whimbrel
from retrieval.records import PUBLIC
from tests.dashboard_scene import ASKED, SALARY, SECRET, set_scene
from tests.fakes import answer_to

ROOT = Path(__file__).parents[3]
QUERIES: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "datasette.yaml").read_text())[
    "databases"
]["analytics"]["queries"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("analysed")
    set_scene(home)
    file = home / "analytics.db"
    environment = {"WHIMBREL_HOME": str(home)}
    for _ in range(2):  # the second replaces the first
        done = CliRunner().invoke(whimbrel, ["export-analytics", str(file)], env=environment)
        assert done.exit_code == 0, done.output
    assert "212 questions" in done.output
    return file


def test_no_word_of_what_is_private_and_nobodys_id_is_in_the_file(exported: Path) -> None:
    stored = exported.read_bytes().decode("utf-8", errors="replace")
    assert ASKED[0] in stored
    for hidden in (SALARY, SECRET, "canary", "salaries.md", "U9", "D9", "E4", "event of"):
        assert hidden not in stored
    with closing(sqlite3.connect(exported)) as file:
        hidden_rows = file.execute("SELECT person, question FROM questions WHERE is_private")
        assert hidden_rows.fetchall() == [(None, None)] * 2
        named = file.execute("SELECT count(*) FROM citations WHERE document IS NULL")
        assert named.fetchone() == (1,)


def test_words_that_may_hold_something_personal_are_left_out(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "whimbrel.db")) as database:
        log = ConversationLog(database)
        for question in ("Where is <@U02ABCDEF12>?", "Is ada (at) mail (dot) org on leave?"):
            log.add(
                Turn(
                    answer_to(question), question, "T1", "C1", "1.0", "U1", frozenset({PUBLIC}),
                    messages=(question,), created="2026-01-05T12:00:00+00:00", is_private=False,
                )
            )  # fmt: skip
        write_analytics(tmp_path / "a.db", database, lambda _: PUBLIC, [], [])
    with closing(sqlite3.connect(tmp_path / "a.db")) as file:
        found = file.execute("SELECT question, person FROM questions ORDER BY rowid").fetchall()
    assert found == [("Where is <SLACK_1>?", 1), (None, 1)]


def test_nobody_else_can_read_the_file_and_nobody_writes_to_it(exported: Path) -> None:
    assert stat.S_IMODE(exported.stat().st_mode) == 0o400


@pytest.mark.parametrize("name", ["notes.txt", "whimbrel.db"])
def test_nothing_but_earlier_tables_is_replaced(exported: Path, name: str) -> None:
    file = exported.with_name(name)
    if name == "notes.txt":
        file.write_text("what somebody wrote")
    before, environment = file.read_bytes(), {"WHIMBREL_HOME": str(exported.parent)}
    done = CliRunner().invoke(whimbrel, ["export-analytics", str(file)], env=environment)
    assert done.exit_code
    assert file.read_bytes() == before


@pytest.mark.parametrize("name", QUERIES)
def test_each_canned_query_finds_something(exported: Path, name: str) -> None:
    with closing(sqlite3.connect(f"file:{exported}?mode=ro", uri=True)) as file:
        assert file.execute(QUERIES[name]["sql"]).fetchall()

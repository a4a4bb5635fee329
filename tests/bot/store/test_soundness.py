from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bot.store.database import Database
from bot.store.soundness import mark_of
from retrieval.errors import DataError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a few rows, closed."""
    database = Database(tmp_path / "whimbrel.db")
    with database.transaction() as db:
        rows = [{"person": f"U{n}", "may_learn": 1} for n in range(2_000)]
        db.table("people").insert_all(rows)
    database.close()
    return database.path


def edit(path: Path, *statements: str) -> None:
    """Change a database behind the program's back."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def opened(path: Path) -> int:
    database = Database(path)
    count = database.connection.table("people").count
    database.close()
    return count


def test_a_sound_database_opens_again(path: Path) -> None:
    assert opened(path) == 2_000


@pytest.mark.parametrize("harm", ["emptied", "removed"])
def test_a_database_that_was_there_before_is_not_begun_anew_in_silence(
    path: Path, harm: str
) -> None:
    path.write_bytes(b"") if harm == "emptied" else path.unlink()
    with pytest.raises(DataError, match=r"empty or gone.*whimbrel restore"):
        Database(path)
    assert not path.is_file() or path.stat().st_size == 0
    mark_of(path).unlink()
    assert opened(path) == 0


def test_a_first_start_on_a_full_disk_can_be_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "whimbrel.db"
    code = (
        "import resource, sys; from pathlib import Path; from bot.store.database import Database;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536)); Database(Path(sys.argv[1]))"
    )
    ended = subprocess.run(  # noqa: S603 - written here
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert "StoreError" in ended.stderr
    path.touch()
    assert opened(path) == 0


@pytest.mark.parametrize("at", [0, 4_096 * 12, -8_192], ids=["head", "middle", "end"])
def test_a_damaged_database_is_told_and_left_as_it_is(path: Path, at: int) -> None:
    whole = bytearray(path.read_bytes())
    begin = at % len(whole)
    whole[begin : begin + 6_000] = b"\x55" * 6_000
    path.write_bytes(whole)
    with pytest.raises(DataError, match=r"damaged.*whimbrel restore"):
        Database(path)
    assert path.read_bytes() == bytes(whole)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "whimbrel.db").write_text("no database at all, but a text\n" * 99)
    with pytest.raises(DataError, match="damaged"):
        Database(tmp_path / "whimbrel.db")


def test_a_database_of_a_newer_release_is_refused_by_name(path: Path) -> None:
    edit(
        path,
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
        "VALUES ('whimbrel', 'm999_later', '')",
    )
    with pytest.raises(DataError, match="newer release \\(m999_later\\)"):
        Database(path)


def test_a_database_whose_tables_are_gone_is_not_begun_anew_in_silence(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
    edit(path, *(f"DROP TABLE IF EXISTS [{name}]" for (name,) in tables))
    with pytest.raises(DataError, match="no tables any more"):
        Database(path)


def test_a_column_that_is_gone_is_named(path: Path) -> None:
    edit(path, "ALTER TABLE turns DROP COLUMN completion")
    with pytest.raises(DataError, match=r"turns\.completion"):
        Database(path)

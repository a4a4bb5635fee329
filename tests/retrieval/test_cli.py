"""Tests of what the program says where the system refuses something."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.store.database import Database

COMMAND = (sys.executable, "-P", "-m", "retrieval.cli")


def run(*arguments: str | bytes, home: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - ours
        [*COMMAND, *arguments],
        env=os.environ | {"WHIMBREL_HOME": str(home)},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
        text=True,
        check=False,
    )


def test_what_the_system_refuses_is_told_in_one_line_with_its_mend(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("a file")
    done = run("search", "leave", home=home)
    assert done.returncode == 1
    assert done.stderr.startswith("whimbrel: ")
    assert done.stderr.endswith("Not a directory; set WHIMBREL_HOME to a folder\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_output_that_goes_nowhere_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = run("--help", home=tmp_path, stdout=full)
    told = "whimbrel: standard output: No space left on device; send it elsewhere\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_what_the_database_refuses_is_told_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "whimbrel.db"
    Database(file).close()
    pages = bytearray(file.read_bytes())
    with closing(sqlite3.connect(file)) as connection:
        sql = "SELECT rootpage FROM sqlite_master WHERE name = 'turns'"
        (page,) = connection.execute(sql).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    pages[(page - 1) * size : page * size] = b"\x55" * size
    file.write_bytes(pages)
    done = run("export-analytics", str(tmp_path / "out.db"), home=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("whimbrel: database disk image is malformed")


@pytest.mark.parametrize("arguments", [["search", "--help"], ["keys", "create", "-h"]])
def test_help_waits_for_no_settings(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "whimbrel.toml").write_text('[slack]\nexperts = ["U1"]\n')
    script = (
        "import sys; from retrieval.cli import whimbrel\n"
        f"whimbrel({arguments}, standalone_mode=False)\n"
        "print('pydantic' in sys.modules)"
    )
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-"])
def test_closed_streams_end_in_no_traceback(tmp_path: Path, closed: str) -> None:
    script = f"exec {' '.join(COMMAND)} models {closed}"
    done = subprocess.run(  # noqa: S603 - ours
        ["/bin/sh", "-c", script],
        env=os.environ | {"WHIMBREL_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_goes_away_ends_in_no_traceback(tmp_path: Path) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w") as nobody:
        done = run("--help", home=tmp_path, stdout=nobody)
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("after_ms", [60, 90, 120, 200, 300])
def test_an_early_ctrl_c_ends_in_no_traceback(tmp_path: Path, after_ms: int) -> None:
    script = (
        "import os, signal, sys, threading, runpy\n"
        f"threading.Timer({after_ms} / 1000, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "sys.argv = ['whimbrel', 'doctor']\n"
        "runpy.run_module('retrieval.cli', run_name='__main__')\n"
    )
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", script],
        env=os.environ | {"WHIMBREL_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1, 128 + signal.SIGINT, -signal.SIGINT)

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.documents.sandbox import Sandbox
from retrieval.errors import RetrievalError, UnreadableError


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(timeout_s=60, memory_mb=256) as sandbox:
        yield sandbox


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.md"
    path.write_text("# Leave\n25 days")
    return path


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """Pictures that never end, which the Markdown parser looks for one in the other."""
    path = tmp_path / "endless.md"
    path.write_text("![" * 200_000)
    return path


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    """Many short rows: small as a file, large as Python objects."""
    path = tmp_path / "huge.csv"
    path.write_text(("ab," * 100_000 + "\n") * 100)
    return path


def test_a_file_comes_back_with_the_hash_of_its_bytes(sandbox: Sandbox, good: Path) -> None:
    sha256, (loaded,) = sandbox.load(good)
    assert sha256 == hashlib.sha256(good.read_bytes()).hexdigest()
    assert (loaded.title, loaded.sections[0].headings) == ("Leave", ("Leave",))


@pytest.mark.slow
def test_a_file_that_takes_too_long_is_given_up_and_the_next_is_read(
    endless: Path, good: Path
) -> None:
    with Sandbox(timeout_s=3, memory_mb=256) as sandbox:
        with pytest.raises(UnreadableError, match="takes longer than 3 s"):
            sandbox.load(endless)
        assert sandbox.load(good)[1]


def test_who_breaks_off_is_not_kept_until_the_time_of_the_file_is_over(
    endless: Path, good: Path
) -> None:
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    with Sandbox(timeout_s=60, memory_mb=256) as sandbox:
        assert sandbox.load(good)[1]
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            sandbox.load(endless)
    signal.signal(signal.SIGALRM, before)
    # Python waits for them when it ends.
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_a_file_that_takes_too_much_memory_is_given_up_and_the_next_is_read(
    huge: Path, good: Path
) -> None:
    with Sandbox(timeout_s=30, memory_mb=256) as sandbox:
        with pytest.raises(UnreadableError, match="needs more than 256 MB"):
            sandbox.load(huge)
        assert sandbox.load(good)[1]


def test_what_a_parser_says_of_a_file_comes_back_as_the_reason(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.4 and then nothing")
    with pytest.raises(UnreadableError, match="is a damaged PDF"):
        sandbox.load(tmp_path / "bad.pdf")


def test_a_file_that_has_gone_is_named_not_raised_as_a_crash(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    with pytest.raises(UnreadableError, match="has gone since it was found"):
        sandbox.load(tmp_path / "gone.md")


@pytest.mark.slow
def test_a_file_that_blocks_does_not_keep_a_child_that_lost_its_parent(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "blocks.md")
    command = [sys.executable, "-P", "-m", "retrieval.documents.sandbox", "1", "256", "0"]
    request = json.dumps(str(tmp_path / "blocks.md"))
    done = subprocess.run(  # noqa: S603 - our own module
        command, input=request, text=True, stdout=subprocess.DEVNULL, check=False
    )
    assert done.returncode == -signal.SIGALRM


def test_a_child_that_cannot_start_is_no_fault_of_the_file(
    good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with (
        pytest.raises(RetrievalError, match="cannot start the parser"),
        Sandbox(timeout_s=30, memory_mb=256) as sandbox,
    ):
        sandbox.load(good)


def test_modules_in_the_working_folder_are_not_imported(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hashlib.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    with Sandbox(timeout_s=30, memory_mb=256) as sandbox:
        assert sandbox.load(good)[1]

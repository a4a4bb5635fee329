"""Tests of remembering which files have been checked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from retrieval.registry.stamps import NOTE, are_noted, note, stamps

NAMES = ("one", "two")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two files that have been checked, though they have just been written."""
    folder = tmp_path / "generation"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_text("whole")
    note(folder, stamps(folder, NAMES), settled_ns=-1)
    return folder


def write_with_the_same_time(path: Path) -> None:
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # the system's clock ticks
        path.write_text("harms")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def put_a_copy_in_its_place(path: Path) -> None:
    shutil.copy2(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


def test_what_was_checked_and_is_as_it_was_is_not_checked_again(folder: Path) -> None:
    assert are_noted(folder, stamps(folder, NAMES))


@pytest.mark.parametrize("change", [write_with_the_same_time, put_a_copy_in_its_place, Path.unlink])
def test_what_was_changed_is_checked_again(folder: Path, change: Callable[[Path], None]) -> None:
    change(folder / "two")
    assert not are_noted(folder, stamps(folder, NAMES))


def test_another_folder_is_checked_for_itself(folder: Path) -> None:
    shutil.copytree(folder, other := folder.with_name("other"))
    assert not are_noted(other, stamps(other, NAMES))


def test_what_was_written_just_now_is_checked_again(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "one").write_text("whole")
    note(tmp_path / "new", found := stamps(tmp_path / "new", ["one"]))
    assert not are_noted(tmp_path / "new", found)


def test_a_damaged_note_notes_nothing(folder: Path) -> None:
    (folder.parent / NOTE).write_text("{")
    assert not are_noted(folder, stamps(folder, NAMES))

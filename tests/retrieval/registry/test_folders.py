"""Tests of folders that are published by one rename."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.errors import BusyError, DiskFullError
from retrieval.registry.folders import building, checksums, kept, new_folder, point, publish, served


def make(home: Path, text: str) -> str:
    with new_folder(home) as folder:
        (folder / "text").write_text(text)
    return folder.name[1:]


def test_nothing_is_served_before_something_was_published(tmp_path: Path) -> None:
    make(tmp_path, "one")
    assert served(tmp_path) is None


def test_what_was_published_is_served(tmp_path: Path) -> None:
    publish(tmp_path, make(tmp_path, "one"))
    folder = served(tmp_path)
    assert folder is not None
    assert (folder / "text").read_text() == "one"


def test_publishing_keeps_the_folder_served_before_and_deletes_older_ones(tmp_path: Path) -> None:
    names = []
    for text in ("one", "two", "three"):
        names.append(make(tmp_path, text))
        publish(tmp_path, names[-1])
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == names[1:]
    assert kept(tmp_path) == tmp_path / names[1]


def test_pointing_back_deletes_nothing(tmp_path: Path) -> None:
    names = [make(tmp_path, text) for text in ("one", "two")]
    point(tmp_path, names[1])
    point(tmp_path, names[0])
    assert (served(tmp_path), kept(tmp_path)) == (tmp_path / names[0], tmp_path / names[1])


def test_a_folder_that_fails_to_fill_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_build_left_is_cleared_by_the_next_publication(tmp_path: Path) -> None:
    (tmp_path / ".20260101T000000000000-abcdef").mkdir()
    name = make(tmp_path, "one")
    publish(tmp_path, name)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [name]


def test_what_a_killed_process_left_is_cleared_by_the_next_that_fills_a_folder(
    tmp_path: Path,
) -> None:
    left = tmp_path / ".20260101T000000000000-abcdef"
    left.mkdir()
    (left / "half").touch()
    (tmp_path / "unfinished").mkdir()
    (tmp_path / ".hidden").mkdir()
    name = make(tmp_path, "one")
    assert {path.name for path in tmp_path.iterdir()} == {name, "unfinished", ".hidden"}


def test_what_another_process_is_filling_is_not_cleared(tmp_path: Path) -> None:
    with new_folder(tmp_path) as being_filled:
        left = tmp_path / ".20260101T000000000000-abcdef"
        left.mkdir()
        make(tmp_path, "one")
        assert being_filled.is_dir()
        assert left.is_dir()  # nobody can tell it from the other
    make(tmp_path, "two")
    assert not left.exists()
    assert (tmp_path / being_filled.name[1:]).is_dir()


def test_only_one_may_build_at_a_time(tmp_path: Path) -> None:
    with building(tmp_path), pytest.raises(BusyError), building(tmp_path):
        pass
    with building(tmp_path):
        pass


def test_checksums_notice_a_single_changed_byte(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"one")
    before = checksums(tmp_path)
    (tmp_path / "deep" / "file").write_bytes(b"onf")
    assert before.keys() == {"deep/file"}
    assert checksums(tmp_path) != before


def test_a_full_disk_is_told_whatever_a_library_calls_it(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError, match="is full"), new_folder(tmp_path):
        raise RuntimeError("write error in dense.faiss: 8110 != 210432 (No space left on device)")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_pointer_is_damage_that_the_next_publication_mends(
    tmp_path: Path,
) -> None:
    one = make(tmp_path, "one")
    (tmp_path / "current" / "inside").mkdir(parents=True)
    found = served(tmp_path)
    assert found is not None
    assert not found.exists()
    assert kept(tmp_path) == tmp_path / one
    publish(tmp_path, one)
    assert served(tmp_path) == tmp_path / one

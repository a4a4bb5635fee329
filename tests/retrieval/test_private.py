from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.private import make_private, write_private
from retrieval.registry.folders import building


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_folders_that_are_made_are_for_their_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    make_private(tmp_path / "open" / "home" / "index")
    make_private(tmp_path / "open" / "home" / "index")
    places = ["open", "open/home", "open/home/index"]
    assert [mode(tmp_path / place) for place in places] == [0o755, 0o700, 0o700]


def test_the_home_of_an_index_is_private(tmp_path: Path) -> None:
    with building(tmp_path / "home" / "index"):
        assert mode(tmp_path / "home") == 0o700


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(FileExistsError):
        make_private(tmp_path / "home")


def test_a_file_that_all_could_read_is_private_once_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old, and longer")
    (tmp_path / "a").chmod(0o644)
    write_private(tmp_path / "a", "new")
    assert (mode(tmp_path / "a"), (tmp_path / "a").read_text()) == (0o600, "new")

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.errors import SourceError
from retrieval.sources.connector import Remote, SourceSettings
from retrieval.sources.folder import Folder, connect


def opened(folder: Path) -> Folder:
    return connect(SourceSettings("docs", "folder", folder / "own", {"path": str(folder)}))


def listed(folder: Folder) -> dict[str, Remote]:
    return {document.key: document for page in folder.pages(None) for document in page.documents}


def test_files_below_a_folder_are_read_with_the_rules_of_folders(tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "leave.md").write_text("27 days")
    (tmp_path / ".hidden.md").write_text("hidden")
    (tmp_path / "out.md").symlink_to("/etc/passwd")
    with closing(opened(tmp_path)) as folder:
        (document,) = listed(folder).values()
        assert document.name == "team/leave.md"
        assert folder.body(document) == b"27 days"


def test_types_that_are_read_as_plain_text_are_listed(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("one")
    given = SourceSettings("docs", "folder", tmp_path / "own", {"path": str(tmp_path)})
    for text_types, names in (((), set()), ((".log",), {"a.log"})):
        with closing(connect(replace(given, text_types=text_types))) as folder:
            assert listed(folder).keys() == names


def test_a_file_that_changed_has_another_version(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("one")
    with closing(opened(tmp_path)) as folder:
        before = listed(folder)["a.md"].version
        assert listed(folder)["a.md"].version == before
        (tmp_path / "a.md").write_text("two")
        os.utime(tmp_path / "a.md", ns=(0, 17))
        assert listed(folder)["a.md"].version != before


def test_a_file_that_has_become_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("one")
    with closing(opened(tmp_path)) as folder:
        document = listed(folder)["a.md"]
        (tmp_path / "a.md").unlink()
        (tmp_path / "a.md").symlink_to("/etc/passwd")
        with pytest.raises(SourceError, match="has become a link"):
            folder.body(document)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with (
        closing(opened(tmp_path / "none")) as folder,
        pytest.raises(SourceError, match="is not a folder"),
    ):
        listed(folder)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.md").open("wb") as file:
        file.truncate(1 << 40)  # it takes no room on the disk, and more than any memory has
    with closing(opened(tmp_path)) as folder:
        document = listed(folder)["a.md"]
        with pytest.raises(SourceError, match="larger than 64 MB"):
            folder.body(document)

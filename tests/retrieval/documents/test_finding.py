"""Tests of finding every file below folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from retrieval.documents.finding import find_files
from retrieval.errors import UnreadableError


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "hr").mkdir(parents=True)
    return folder


def ids(*roots: Path) -> list[str]:
    return [file.id for file in find_files(roots).files]


def left_out(*roots: Path) -> dict[str, str]:
    return {file.id: file.kind for file in find_files(roots).left_out}


def test_files_are_found_below_the_folder_and_named_from_it(docs: Path) -> None:
    (docs / "hr" / "leave.md").touch()
    (docs / "a.pdf").touch()
    assert ids(docs) == ["docs/a.pdf", "docs/hr/leave.md"]


def test_hidden_files_and_drawings_are_passed_over(docs: Path) -> None:
    (docs / ".git").mkdir()
    for name in (".git/a.md", ".DS_Store", "logo.SVG", "style.css"):
        (docs / name).touch()
    assert ids(docs) == []


def test_links_are_followed_only_inside_the_folder(docs: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.md").touch()
    (docs / "hr" / "real.md").touch()
    (docs / "out.md").symlink_to(tmp_path / "secret.md")
    (docs / "again.md").symlink_to(docs / "hr" / "real.md")
    (docs / "gone.md").symlink_to(docs / "nothing.md")
    assert ids(docs) == ["docs/again.md"]


def test_a_pipe_is_not_waited_for(docs: Path) -> None:
    os.mkfifo(docs / "pipe.md")
    assert ids(docs) == []


def test_folders_of_one_name_are_told_apart_in_any_order(tmp_path: Path) -> None:
    folders = [tmp_path / "a" / "docs", tmp_path / "b" / "docs"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "x.md").touch()
    assert ids(*folders) == ids(*reversed(folders)) == ["a/docs/x.md", "b/docs/x.md"]


def test_a_folder_named_twice_is_read_once(docs: Path) -> None:
    (docs / "x.md").touch()
    assert ids(docs, docs / "hr" / "..") == ["docs/x.md"]


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="is not a folder or a file"):
        find_files([tmp_path / "nowhere"])


def test_what_is_left_out_is_told_with_its_kind(docs: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.md").touch()
    (docs / ".git" / "objects").mkdir(parents=True)
    for name in (
        ".git/a.md",
        ".git/objects/b",
        ".DS_Store",
        "~$plan.docx",
        "Thumbs.db",
        "logo.SVG",
        "corpus/q.tsv",
    ):
        (docs / name).parent.mkdir(exist_ok=True)
        (docs / name).touch()
    (docs / "corpus" / "corpus.jsonl").touch()
    (docs / "out.md").symlink_to(tmp_path / "secret.md")
    (docs / "gone.md").symlink_to(docs / "nothing.md")
    (docs / "a.md").touch()
    (docs / "b.md").symlink_to(docs / "a.md")
    (docs / "folder").symlink_to(docs / "hr")
    os.mkfifo(docs / "pipe.md")
    assert left_out(docs) == {
        "docs/.DS_Store": "hidden file",
        "docs/Thumbs.db": "hidden file",
        "docs/~$plan.docx": "hidden file",
        "docs/.git": "hidden folder",
        "docs/logo.SVG": ".svg",
        "docs/corpus/q.tsv": "file beside a corpus",
        "docs/out.md": "link that leads out",
        "docs/gone.md": "link that leads nowhere",
        "docs/b.md": "second name of a file",
        "docs/folder": "link to a folder",
        "docs/pipe.md": "pipe or device",
    }
    assert ids(docs) == ["docs/a.md", "docs/corpus/corpus.jsonl"]


def test_every_file_is_found_or_left_out_once_in_roots_that_overlap(docs: Path) -> None:
    for name in ("a.md", "b.svg", "hr/c.md", "hr/.d"):
        (docs / name).touch()
    found = find_files([docs, docs / "hr", docs / "a.md"])
    assert len(found.files) + len(found.left_out) == 4


def test_a_file_whose_link_comes_first_is_accounted_for(docs: Path) -> None:
    (docs / "hr" / "real.md").touch()
    (docs / "again.md").symlink_to(docs / "hr" / "real.md")
    assert ids(docs) == ["docs/again.md"]
    assert left_out(docs) == {"docs/hr/real.md": "second name of a file"}


def test_a_file_may_be_named_itself_whatever_it_is_called(docs: Path) -> None:
    for name in (".notes.md", "logo.svg"):
        (docs / name).touch()
    assert ids(docs / ".notes.md", docs / "logo.svg") == [".notes.md", "logo.svg"]


def test_files_of_one_name_are_told_apart(docs: Path) -> None:
    for name in ("a.md", "hr/a.md"):
        (docs / name).touch()
    assert ids(docs / "a.md", docs / "hr" / "a.md") == ["docs/a.md", "hr/a.md"]


def test_drawings_beside_documents_do_not_hide_a_file_of_an_unknown_type(docs: Path) -> None:
    (docs / "a.xyz").touch()
    assert ids(docs) == ["docs/a.xyz"]

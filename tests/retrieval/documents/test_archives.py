"""Tests of reading files in archives."""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from retrieval.documents.archives import MAX_FILES, Archive
from retrieval.documents.files import DocumentReader
from retrieval.documents.finding import find_files
from retrieval.errors import UnreadableError
from retrieval.index.building import IndexReport, update_index
from retrieval.index.content import read_sources
from retrieval.index.generation import current
from retrieval.records import Failure, LeftOut
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder

Files = Mapping[str, str | bytes]


def zip_of(files: Files) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def read(path: Path, files: Files | bytes) -> dict[str, str]:
    """Of each file in the archive its text, what it was left out as, or why it was refused."""
    path.write_bytes(files if isinstance(files, bytes) else zip_of(files))
    said = {}
    with DocumentReader(Settings(audiences={"*/hr/*": "hr"})) as reader:
        found, failures = reader.look_into_archives(find_files([path]))
        for file in found.files:
            documents = reader.read(file)
            if isinstance(documents, LeftOut):
                found.left_out.append(documents)
                continue
            if isinstance(documents, Failure):
                failures.append(documents)
                continue
            for document in documents:
                text = "".join(section.text for section in document.sections).strip()
                said[document.source.id] = f"{document.source.audience}: {text}"
    said |= {file.id: f"left out: {file.kind}" for file in found.left_out}
    return said | {failure.id: failure.reason for failure in failures}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "export.zip"


def test_files_in_an_archive_are_read_by_the_rules_of_folders(path: Path) -> None:
    files = {
        "a.md": "one",
        "hr/b.txt": "two",
        "c/logo.svg": "x",
        "c/.git/config": "x",
        "c/.git/HEAD": "x",
        "__MACOSX/._a.md": "x",
        ".DS_Store": "x",
        "d/": "",
        "e.xyz": "x",
        "f.md": "---\naudience: board\n---\nthree",
        "empty.md": "",
    }
    assert read(path, files) == {
        "export.zip/a.md": "public: one",
        "export.zip/hr/b.txt": "hr: two",
        "export.zip/c/logo.svg": "left out: .svg",
        "export.zip/c/.git": "left out: hidden folder",
        "export.zip/__MACOSX": "left out: hidden folder",
        "export.zip/.DS_Store": "left out: hidden file",
        "export.zip/e.xyz": "is of a type that is not read (.xyz)",
        "export.zip/f.md": "board: three",
        "export.zip/empty.md": "is empty (0 bytes)",
    }


def test_archives_in_archives_are_read(path: Path) -> None:
    part = zip_of({"Page 0123456789abcdef0123456789abcdef.md": "words"})
    inner = zip_of({"Part-1.zip": part, "Part-2.zip": zip_of({"b.md": "more"})})
    assert list(read(path, {"Export.zip": inner}).values()) == ["public: words", "public: more"]
    deep = zip_of({"x.zip": zip_of({"y.zip": inner})})
    assert set(read(path, deep).values()) == {"is an archive in 3 others; unpack those first"}


@pytest.mark.parametrize(
    "name", ["../a.md", "/etc/a.md", "b/../../a.md", "C:/a.md", "..\\a.md", "\\\\host\\a.md"]
)
def test_a_name_that_leads_out_of_its_archive_is_refused(path: Path, name: str) -> None:
    (reason,) = read(path, {name: "x"}).values()
    assert reason == "has a name that leads out of its archive"


def test_links_in_archives_are_not_followed(path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        link = zipfile.ZipInfo("users.md")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert read(path, packed.getvalue()) == {"export.zip/users.md": "left out: link in an archive"}


def test_the_last_of_two_files_of_one_name_is_read(path: Path) -> None:
    path.write_bytes(zip_of({"a.md": "first", "b.md": "second"}).replace(b"b.md", b"a.md"))
    with DocumentReader(Settings()) as reader:
        found, _ = reader.look_into_archives(find_files([path]))
        documents = reader.read(found.files[0])
    assert isinstance(documents, list)
    assert documents[0].sections[0].text.strip() == "second"
    assert len(found.files) == len(found.left_out) == 1


def test_a_bomb_and_what_is_no_archive_are_refused_as_a_whole(path: Path) -> None:
    (reason,) = read(path, {"a.md": b"0" * 40_000_000}).values()
    assert reason == "unpacks to 38 MB, which looks like a zip bomb"
    assert read(path, b"no zip") == {
        "export.zip": "is damaged: it is not the zip archive it should be"
    }
    assert read(path, {}) == {"export.zip": "is an archive without any file"}


def test_a_bomb_in_an_archive_is_refused_and_the_rest_is_read(path: Path) -> None:
    bomb = zip_of({f"{n}.md": b"0" * 1_000_000 for n in range(20)})
    said = read(path, {"bomb.zip": zip_of({"b": bomb, "c.zip": bomb}), "a.md": "words"})
    assert said["export.zip/bomb.zip/c.zip"] == "unpacks to 19 MB, which looks like a zip bomb"
    assert said["export.zip/a.md"] == "public: words"


def test_a_file_whose_bytes_are_damaged_or_locked_is_refused_alone(path: Path) -> None:
    data = bytearray(zip_of({"a.md": "words", "b.md": "other words"}))
    data[data.index(b"a.md") + 4] ^= 0xFF  # within what was packed
    assert read(path, bytes(data)) == {
        "export.zip/a.md": "is damaged in its archive",
        "export.zip/b.md": "public: other words",
    }
    locked = zip_of({"a.md": "words"})
    at = locked.index(b"PK\x01\x02") + 8
    locked = locked[:at] + struct.pack("<H", 1) + locked[at + 2 :]
    assert read(path, locked) == {"export.zip/a.md": "is protected with a password"}


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_names_are_read_where_their_encoding_is_not_told(path: Path, encoding: str) -> None:
    name = "办公室行政管理规定与员工手册.md"
    placeholder = "x" * len(name.encode(encoding)[:-3]) + ".md"
    data = zip_of({placeholder: "words"}).replace(placeholder.encode(), name.encode(encoding))
    assert list(read(path, data)) == [f"export.zip/{name}"]


def test_a_slack_export_is_read_as_it_was_downloaded(path: Path) -> None:
    day = json.dumps([{"text": "hi <@U1>", "ts": "1", "user": "U1"}])
    files = {
        "channels.json": json.dumps([{"id": "C", "name": "help"}]),
        "groups.json": json.dumps([{"id": "G", "name": "pay"}]),
        "users.json": json.dumps([{"id": "U1", "name": "ann"}]),
        "help/2026-05-04.json": day,
        "pay/2026-05-04.json": day,
    }
    said = read(path, files)
    assert said["export.zip/help/2026-05-04.json#day"] == "public: ann: hi @ann"
    assert said["export.zip/pay/2026-05-04.json#day"] == "slack:pay: ann: hi @ann"
    assert sum(words == "left out: .json" for words in said.values()) == 3
    inner = read(path, {"workspace.zip": zip_of({f"ws/{name}": files[name] for name in files})})
    assert inner["export.zip/workspace.zip/ws/help/2026-05-04.json#day"] == "public: ann: hi @ann"


def test_of_a_data_set_in_an_archive_the_corpus_alone_is_read(path: Path) -> None:
    row = '{"_id": "1", "title": "T", "text": "words"}'
    assert read(path, {"d/corpus.jsonl": row, "d/q.md": "x", "e.md": "y"}) == {
        "export.zip/d/corpus.jsonl#1": "public: words",
        "export.zip/d/q.md": "left out: file beside a corpus",
        "export.zip/e.md": "public: y",
    }


@pytest.mark.slow
def test_an_archive_of_too_many_files_is_refused() -> None:
    data = zip_of({str(n): "" for n in range(MAX_FILES + 1)})
    with pytest.raises(UnreadableError, match="an archive of 100001 files, more than 100000"):
        Archive(io.BytesIO(data))


def test_what_did_not_change_in_an_archive_is_not_embedded_again(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    settings = Settings(home=tmp_path / "home")

    def update(files: Files) -> IndexReport:
        (docs / "export.zip").write_bytes(zip_of(files))
        return update_index([docs], settings, WordEmbedder())

    first = update({"a.md": "thirty days", "b.md": "forty days", "c.svg": ""})
    assert (first.embedded, first.account.found) == (2, 3)
    second = update({"b.md": "forty days", "a.md": "fifty days", "c.svg": ""})
    assert (second.embedded, second.changes.changed) == (1, ("docs/export.zip/a.md",))
    third = update({"b.md": "forty days", "c.svg": ""})
    assert (third.embedded, third.changes.removed) == (0, ("docs/export.zip/a.md",))
    (source,) = read_sources(current(settings.index_folder))
    assert (source.id, source.title) == ("docs/export.zip/b.md", "B")


def test_a_day_is_read_again_when_its_channel_has_become_private(tmp_path: Path) -> None:
    docs, settings = tmp_path / "docs", Settings(home=tmp_path / "home")
    docs.mkdir()

    def labels(*, is_private: bool) -> list[str]:
        files = {
            "channels.json": json.dumps([{"id": "C", "name": "help", "is_private": is_private}]),
            "users.json": "[]",
            "help/2026-05-04.json": json.dumps([{"text": "thirty days", "ts": "1"}]),
        }
        (docs / "export.zip").write_bytes(zip_of(files))
        update_index([docs], settings, WordEmbedder())
        return [source.audience for source in read_sources(current(settings.index_folder))]

    assert labels(is_private=False) == ["public"]
    assert labels(is_private=True) == ["slack:help"]

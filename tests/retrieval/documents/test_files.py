from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from retrieval.documents.files import DocumentReader
from retrieval.documents.finding import SourceFile, find_files
from retrieval.records import Document, Failure, LeftOut
from retrieval.settings import Settings
from tests.retrieval import sample_files as sample
from tests.retrieval.documents_by_hand import document_from_text

RULES = {"docs/hr/*": "hr", "docs/*/board.md": "board"}


@pytest.fixture(scope="module")
def reader() -> Iterator[DocumentReader]:
    with DocumentReader(Settings(audiences=RULES, max_file_mb=1)) as reader:
        yield reader


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "hr").mkdir(parents=True)
    return folder


def found(*folders: Path) -> list[SourceFile]:
    return find_files(folders).files


def read(reader: DocumentReader, path: Path, data: bytes | str) -> Document:
    found = outcome(reader, path, data)
    assert isinstance(found, list)
    return found[0]


def outcome(
    reader: DocumentReader, path: Path, data: bytes | str
) -> list[Document] | Failure | LeftOut:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    (file,) = found(path.parents[1] if path.parent.name == "hr" else path.parent)
    return reader.read(file)


def test_a_document_knows_where_it_comes_from(reader: DocumentReader, docs: Path) -> None:
    source = read(reader, docs / "leave-rules.md", "25 days").source
    assert (source.id, source.title) == ("docs/leave-rules.md", "Leave rules")
    assert source.sha256 == hashlib.sha256(b"25 days").hexdigest()
    assert (source.language, source.audience, source.modified[-6:]) == ("en", "public", "+00:00")


def test_the_id_of_a_notion_page_is_not_in_its_title(reader: DocumentReader, docs: Path) -> None:
    path = docs / f"Pay day {'0123456789abcdef' * 2}.html"
    assert read(reader, path, "<p>monthly").source.title == "Pay day"


@pytest.mark.parametrize(
    ("text", "audience"), [("x", "hr"), ("---\naudience: board\n---\nx", "board")]
)
def test_front_matter_overrules_the_folder(
    reader: DocumentReader, docs: Path, text: str, audience: str
) -> None:
    assert read(reader, docs / "hr" / "x.md", text).source.audience == audience


def test_a_table_that_notion_exported_twice_is_read_once(
    reader: DocumentReader, docs: Path
) -> None:
    name = f"Tasks {'1a' * 16}"
    for file in (f"{name}.csv", f"{name}_all.csv", "Plain.csv", "Plain_all.csv"):
        (docs / file).write_text("Name,Status\nDoor,open\n")
    listed, _ = reader.look_into_archives(find_files([docs]))
    assert listed.left_out == [
        LeftOut(f"docs/{name}.csv", "view of a Notion table that is read whole")
    ]
    assert {file.path.name for file in listed.files} == {
        f"{name}_all.csv",
        "Plain.csv",
        "Plain_all.csv",
    }
    whole = next(file for file in listed.files if file.path.name.startswith("Tasks"))
    [document] = cast("list[Document]", reader.read(whole))
    assert document.source.title == "Tasks"


@pytest.mark.parametrize(
    ("told", "language"), [("zh-CN", "zh"), ("EN", "en"), ("de_DE", "de"), ("x" * 5_000, "en")]
)
def test_a_language_that_is_told_is_a_short_code(
    reader: DocumentReader, docs: Path, told: str, language: str
) -> None:
    document = read(reader, docs / "a.md", f"---\nlanguage: {told}\n---\n25 days")
    assert document.source.language == language


def test_what_a_corpus_tells_of_a_document_can_be_stored(
    reader: DocumentReader, docs: Path
) -> None:
    odd = "a\0\ud800"
    row = dict.fromkeys(("_id", "title", "text", "url", "owner", "lang"), odd)
    source = read(reader, docs / "corpus.jsonl", json.dumps(row)).source
    assert (source.id, source.language) == ("docs/corpus.jsonl#a?", "en")
    assert {source.title, source.url, source.owner} == {"a?"}


def test_a_chinese_document_is_chinese(reader: DocumentReader, docs: Path) -> None:
    assert read(reader, docs / "a.md", "员工每年有二十五天年假。").source.language == "zh"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.pdf", b"", "is empty (0 bytes)"),
        ("a.md", b" \n", "holds no text"),
        ("a.md", b"x" * 1_100_000, "is larger than 1 MB"),
        ("a.dwg", b"x", "is of a type that is not read (.dwg)"),
        ("README", b"x", "is of a type that is not read (no suffix)"),
        ("a.pdf", sample.encrypted(sample.pdf([["x"]]), "p"), "is protected with a password"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_failure_with_its_reason(
    reader: DocumentReader, docs: Path, name: str, data: bytes, reason: str
) -> None:
    assert outcome(reader, docs / name, data) == Failure(f"docs/{name}", reason)


def test_a_folder_that_may_not_be_opened_is_a_failure(reader: DocumentReader, docs: Path) -> None:
    (docs / "hr" / "x.md").touch()
    (file,) = found(docs)
    closed = reader.read(replace(file, path=docs / "hr", id="docs/hr"))
    assert closed == Failure("docs/hr", "is a folder that may not be opened")


def test_the_documents_of_a_slack_export_have_their_own_ids(
    reader: DocumentReader, docs: Path
) -> None:
    (docs / "channels.json").write_text(json.dumps([{"id": "C", "name": "help"}]))
    (docs / "users.json").write_text("[]")
    (docs / "help").mkdir()
    messages = [{"text": "a", "ts": "1", "thread_ts": "1"}, {"text": "b", "ts": "2"}]
    (docs / "help" / "2024-01-05.json").write_text(json.dumps(messages))
    (file,) = found(docs)
    documents = reader.read(file)
    assert isinstance(documents, list)
    assert [document.source.id.removeprefix(file.id) for document in documents] == [
        "#thread-1",
        "#day",
    ]


def test_given_text_is_taken_as_it_is() -> None:
    document = document_from_text("7", "Title", "# not a heading\n*x*", audience="hr")
    assert [section.text for section in document.sections] == ["# not a heading\n*x*"]
    assert (document.source.id, document.source.audience) == ("7", "hr")


def test_of_a_data_set_the_corpus_alone_is_read(reader: DocumentReader, docs: Path) -> None:
    (docs / "hr" / "queries.tsv").write_text("a question\n")
    (docs / "hr" / "corpus.jsonl").write_text('{"_id": "x", "title": "T", "text": "words"}\n')
    (file,) = found(docs)
    documents = reader.read(file)
    assert isinstance(documents, list)
    assert [(document.source.id, document.source.audience) for document in documents] == [
        ("docs/hr/corpus.jsonl#x", "hr")
    ]


def labels(rules: dict[str, str], *folders: Path) -> dict[str, str]:
    """The label of each document, or why there is none."""
    with DocumentReader(Settings(audiences=rules)) as reader:
        results = [(file.id, reader.read(file)) for file in found(*folders)]
    return {
        id_: result[0].source.audience if isinstance(result, list) else str(result)
        for id_, result in results
    }


@pytest.mark.parametrize("pattern", ["docs/hr/*", "DOCS/Hr/*", "*/HR/*", "docs/hr/Ge\u0301.md"])
def test_a_rule_is_for_what_reads_like_it(docs: Path, pattern: str) -> None:
    (docs / "hr" / "G\u00e9.md").write_text("x")
    assert labels({pattern: "hr"}, docs) == {"docs/hr/G\u00e9.md": "hr"}


def test_rules_that_disagree_refuse_the_document(docs: Path) -> None:
    (docs / "hr" / "a.md").write_text("x")
    (docs / "b.md").write_text("x")
    given = labels({"docs/*": "public", "docs/hr/*": "hr", "*/hr/*": "hr"}, docs)
    assert given["docs/b.md"] == "public"
    assert "rules in [audiences] that disagree" in given["docs/hr/a.md"]


def test_the_front_matter_decides_where_rules_disagree(docs: Path) -> None:
    (docs / "hr" / "a.md").write_text("---\naudience: board\n---\nx")
    assert labels({"docs/*": "x", "docs/hr/*": "y"}, docs) == {"docs/hr/a.md": "board"}


def test_a_link_does_not_lead_out_of_the_rules(docs: Path) -> None:
    (docs / "hr" / "pay.md").write_text("x")
    (docs / "again.md").symlink_to(docs / "hr" / "pay.md")
    assert labels({"docs/hr/*": "hr"}, docs) == {"docs/again.md": "hr"}


@pytest.mark.parametrize("swapped", ["docs/hr/pay.md", "docs/hr", "docs"])
def test_what_is_swapped_for_a_link_after_it_was_found_is_not_read(
    reader: DocumentReader, docs: Path, tmp_path: Path, swapped: str
) -> None:
    for folder in (docs / "hr", tmp_path / "docs2/hr", tmp_path / "docs2"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pay.md").write_text("secret")
    file = next(file for file in found(docs) if file.path.parent.name == "hr")
    place, other = tmp_path / swapped, tmp_path / swapped.replace("docs", "docs2")
    place.rename(tmp_path / "away")
    place.symlink_to(other)
    assert reader.read(file) == Failure("docs/hr/pay.md", "has become a link since it was found")


def test_a_rule_for_its_folder_is_for_a_file_that_is_named_itself(docs: Path) -> None:
    (docs / "hr" / "pay.md").write_text("x")
    assert labels({"hr/*": "hr"}, docs / "hr" / "pay.md") == {"pay.md": "hr"}


def test_a_file_that_has_gone_since_it_was_found_is_a_failure(
    reader: DocumentReader, docs: Path
) -> None:
    (docs / "a.md").write_text("x")
    (file,) = found(docs)
    (docs / "a.md").unlink()
    assert reader.read(file) == Failure("docs/a.md", "has gone since it was found")

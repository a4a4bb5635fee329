"""Tests of reading evaluation folders."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from retrieval.errors import DataError
from retrieval.evaluation.dataset import read_dataset

FILES = {
    "corpus.jsonl": '{"_id": "p1", "title": "Leave", "text": "Thirty days."}\n'
    '{"_id": "p2", "title": "", "text": "病假需要证明", "url": "https://x.example/2"}\n',
    "queries.jsonl": '{"_id": "q1", "text": "How many days?"}\n{"_id": "q2", "text": "为什么？"}\n',
    "qrels.tsv": "query-id\tcorpus-id\tscore\nq1\tp1\t2\nq1\tp2\t0\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_folder_gives_passages_queries_and_grades(folder: Path) -> None:
    dataset = read_dataset(folder)
    assert [passage.indexed_text for passage in dataset.passages] == [
        "Leave\nThirty days.",
        "病假需要证明",
    ]
    assert [(query.id, query.language) for query in dataset.queries] == [("q1", "en"), ("q2", "zh")]
    assert dataset.qrels == {"q1": {"p1": 2}}
    assert (dataset.cross_qrels, dataset.answers) == ({}, ())


def test_answers_ask_where_a_part_has_no_queries(folder: Path) -> None:
    queries = (folder / "queries.jsonl").read_text()
    (folder / "queries.jsonl").unlink()
    (folder / "qrels.tsv").unlink()
    learned = (
        '{"_id": "a1", "question": "days?", "answers": ["Thirty days"], "unanswerable": false, '
        '"doc_ids": ["p1"]}\n{"_id": "a2", "question": "hours?", "answers": [], '
        '"unanswerable": true, "doc_ids": ["p2"]}\n'
    )
    with pytest.raises(DataError, match=r"no queries\.jsonl"):
        read_dataset(folder)
    (folder / "answers_train.jsonl").write_text(learned)
    assert read_dataset(folder).answers == ()
    dataset = read_dataset(folder, part="train")
    assert [answer.question for answer in dataset.answers] == ["days?", "hours?"]
    assert [query.text for query in dataset.queries] == ["days?", "hours?"]
    assert dataset.qrels == {"a1": {"p1": 1}}
    (folder / "queries.jsonl").write_text(queries)
    assert read_dataset(folder, part="train") == dataset


def test_an_id_stands_once(folder: Path) -> None:
    path = folder / "queries.jsonl"
    path.write_text(path.read_text() * 2)
    with pytest.raises(DataError, match=r"queries\.jsonl has the _id q1 twice"):
        read_dataset(folder)


def test_gzipped_files_read_the_same(folder: Path) -> None:
    plain = read_dataset(folder)
    for name, text in FILES.items():
        (folder / name).unlink()
        (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    assert read_dataset(folder) == plain


def test_linked_files_read_the_same(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    links = tmp_path_factory.mktemp("links") / folder.name
    links.mkdir()
    for name in FILES:
        (links / name).symlink_to(folder / name)
    assert read_dataset(links) == read_dataset(folder)
    (links / "answers.jsonl").symlink_to(folder / "gone.jsonl")
    with pytest.raises(DataError, match=r"answers\.jsonl is a link that leads nowhere"):
        read_dataset(links)


def test_qrels_may_lie_where_beir_puts_them(folder: Path) -> None:
    (folder / "qrels").mkdir()
    (folder / "qrels.tsv").rename(folder / "qrels" / "test.tsv")
    assert read_dataset(folder).qrels == {"q1": {"p1": 2}}


def test_answers_say_which_questions_have_none(folder: Path) -> None:
    (folder / "answers.jsonl").write_text(
        '{"_id": "q1", "question": "Tea?", "answers": ["30"], "unanswerable": false, '
        '"doc_ids": ["p1"]}\n'
        '{"_id": "q2", "question": "Why?", "answers": [], "unanswerable": true, '
        '"history": ["Tea?"]}\n'
    )
    first, second = read_dataset(folder).answers
    assert (first.answers, first.passages, first.is_unanswerable) == (("30",), ("p1",), False)
    assert (second.answers, second.is_unanswerable) == ((), True)
    assert (first.history, second.history) == ((), ("Tea?",))


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "queries.jsonl").unlink()
    with pytest.raises(DataError, match=r"has no queries\.jsonl"):
        read_dataset(folder)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("corpus.jsonl", '{"_id": "p3"}'),
        ("queries.jsonl", "{"),
        ("queries.jsonl", '{"_id": "q3", "text": "And then?", "history": "Tea?"}'),
        ("qrels.tsv", "q1 p1 1"),
        ("corpus.jsonl", '{"_id": 3, "title": "", "text": "Tea."}'),
        ("answers.jsonl", '{"_id": "a", "question": "🙂", "answers": [], "unanswerable": true}'),
        (
            "answers.jsonl",
            '{"_id": "a", "question": "Tea?", "answers": "4", "unanswerable": false}',
        ),
        ("answers.jsonl", '{"_id": "a", "question": "Tea?", "answers": [], "unanswerable": "no"}'),
    ],
)
def test_a_bad_line_is_named_with_its_number(folder: Path, name: str, line: str) -> None:
    with (folder / name).open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=rf"{name}, line \d+"):
        read_dataset(folder)

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from bot.export.rating_folder import RatedTurn, read_ratings
from retrieval.errors import DataError

ROW: dict[str, Any] = {"question": "How many days?", "doc_id": "leave", "ratings": [1]}


def folder_of(folder: Path, *rows: object) -> Path:
    corpus = {"_id": "leave", "title": "Leave", "text": "Everyone has 26 days."}
    (folder / "corpus.jsonl").write_text(json.dumps(corpus) + "\n")
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "ratings.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def read_one(folder: Path, **values: object) -> RatedTurn:
    return read_ratings(folder_of(folder, ROW | values))[0]


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ([1, -1], [1, -1]),
        ([1, 2, 3, 4], [-1, -1, 1, 1]),
        (["Excellent", "Acceptable", "Could be Improved", "Bad"], [1, 1, -1, -1]),
        ([{"rater": "ada", "value": -1}, {"value": "bad"}], [-1, -1]),
    ],
)
def test_ratings_may_be_numbers_grades_or_words(
    tmp_path: Path, given: list[object], values: list[int]
) -> None:
    assert [rating.value for rating in read_one(tmp_path, ratings=given).ratings] == values


def test_one_scale_holds_for_the_whole_file(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ROW, ROW | {"ratings": [3]})
    first, second = read_ratings(folder)
    assert [first.ratings[0].value, second.ratings[0].value] == [-1, 1]


def test_a_rated_passage_is_a_cited_hit(tmp_path: Path) -> None:
    answer = read_one(tmp_path).turn.answer
    assert answer.kind == "answer"
    assert answer.citations[0].passage.text == "Everyone has 26 days."
    assert [hit.passage.source.id for hit in answer.hits] == ["leave"]


def test_a_passage_may_be_given_with_the_row(tmp_path: Path) -> None:
    given = {"title": "Leave", "text": "Everyone has 26 days."}
    beside = read_one(tmp_path, passage=given, doc_id="leave").turn.answer.hits[0].passage
    assert beside == read_one(tmp_path).turn.answer.hits[0].passage


def test_without_a_passage_it_was_an_abstention(tmp_path: Path) -> None:
    assert read_one(tmp_path, doc_id=None).turn.answer.kind == "abstention"


def test_raters_without_a_name_are_different_people(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ROW | {"ratings": [1, 1]}, ROW | {"question": "Who?"})
    turns = read_ratings(folder)
    assert len({rating.rater for turn in turns for rating in turn.ratings}) == 3


@pytest.mark.parametrize(
    ("split", "kept"),
    [("train", "train"), ("valid", "train"), ("test", "test"), ("held-out", "test"), (None, None)],
)
def test_test_rows_are_known_as_such(tmp_path: Path, split: str | None, kept: str | None) -> None:
    assert read_one(tmp_path, split=split).split == kept


def test_the_time_is_read_in_utc(tmp_path: Path) -> None:
    created = read_one(tmp_path, at="2026-01-31T12:00:00+02:00").turn.created
    assert created == "2026-01-31T10:00:00+00:00"
    assert read_one(tmp_path).turn.created == "1970-01-01T00:00:00+00:00"


def test_a_gzipped_file_called_feedback_is_read_too(tmp_path: Path) -> None:
    row = {
        "_id": "x",
        "split": "valid",
        "question": "How many days?",
        "doc_id": "leave",
        "ratings": ["Excellent", "Bad"],
        "scores": [4, 1],
        "explanations": ["Yes.", "No."],
    }
    folder = folder_of(tmp_path)
    (folder / "ratings.jsonl").unlink()
    with gzip.open(folder / "feedback.jsonl.gz", "wt") as file:
        file.write(json.dumps(row) + "\n")
    (turn,) = read_ratings(folder)
    assert [(r.value, r.text) for r in turn.ratings] == [(1, "Yes."), (-1, "No.")]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("{", "line 1: not JSON"),
        ("[]", "line 1: found list, wanted an object"),
        ({"ratings": [1]}, "line 1: has no 'question'"),
        (ROW | {"question": " "}, "question is ' '; wanted a text"),
        ({"question": "Who?"}, "has no 'ratings'"),
        (ROW | {"ratings": 1}, "ratings is 1; wanted a list"),
        (ROW | {"ratings": [7]}, "a rating is 7; wanted 1 to 4"),
        (ROW | {"ratings": ["so so"]}, "a rating is 'so so'; wanted -1 or 1"),
        (ROW | {"ratings": [{"value": -1, "reason": "meh"}]}, "reason is 'meh'; wanted one of"),
        (ROW | {"doc_id": "gone"}, "'gone' is not in corpus.jsonl"),
        (ROW | {"split": "later"}, "split is 'later'; wanted one of train"),
        (ROW | {"at": "yesterday"}, "at is 'yesterday'; wanted a time such as"),
        (ROW | {"correction": 3}, "correction is 3"),
        (ROW | {"audience": "public"}, "audience is 'public'; wanted a list"),
        (ROW | {"audience": []}, "audience is []; wanted a list"),
        (ROW | {"audience": None}, "audience is None; wanted a list"),
        (ROW | {"audience": ["Public"]}, "audience is 'Public'; write `public`"),
        (ROW | {"Audience": ["hr"]}, "'Audience' is not read; write it `audience`"),
    ],
)
def test_a_line_in_another_format_is_named(tmp_path: Path, row: object, problem: str) -> None:
    with pytest.raises(DataError) as error:
        read_ratings(folder_of(tmp_path, row))
    assert problem in str(error.value)
    assert "ratings.jsonl, line 1" in str(error.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ROW)
    (folder / "ratings.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="cannot be read as UTF-8"):
        read_ratings(folder)
    (folder / "ratings.jsonl").rename(folder / "ratings.jsonl.gz")
    with pytest.raises(DataError, match="cannot be read"):
        read_ratings(folder)


def test_a_corpus_in_another_format_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ROW)
    (folder / "corpus.jsonl").write_text('{"_id": "leave", "text": 3}\n')
    with pytest.raises(DataError, match="line 1: text is 3"):
        read_ratings(folder)


def test_a_folder_without_ratings_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no line in ratings\.jsonl or feedback\.jsonl"):
        read_ratings(tmp_path)

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import DataError
from retrieval.jsonl import append_line, first_of, read_log, read_rows, to_line, write_lines

BREAKS = "\u2028\u2029\u0085\x0b\x0c\x1c\x1d\x1e\r\n"
"""Where `str.splitlines` breaks a text."""

TEXTS = st.text(st.one_of(st.sampled_from(BREAKS), st.characters(codec="utf-8")))


@given(rows=st.lists(st.dictionaries(TEXTS, TEXTS | st.integers() | st.lists(TEXTS))))
def test_what_is_written_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    write_lines(path, map(to_line, rows))
    assert list(read_rows(path, dict)) == rows
    packed = path.with_suffix(".jsonl.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(read_rows(packed, dict)) == rows


def test_half_an_emoji_is_kept_as_it_is(tmp_path: Path) -> None:
    write_lines(tmp_path / "rows.jsonl", [to_line({"text": "\ud83d"})])
    assert list(read_rows(tmp_path / "rows.jsonl", dict)) == [{"text": "\ud83d"}]


def test_lines_may_end_as_on_windows_and_be_blank(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b'{"n": 1}\r\n\r\n{"n": 2}')
    assert list(read_rows(tmp_path / "rows.jsonl", lambda row: row["n"])) == [1, 2]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "found list, wanted an object"),
        (b"\xff", "cannot be read as UTF-8 text"),
        (b'{"m": 1}', "has no 'n'"),
        (b'{"n": "x"}', "invalid literal for int"),
    ],
)
def test_a_line_that_is_no_such_row_is_named(tmp_path: Path, line: bytes, words: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"n": 1}\n\n' + line + b"\n")
    with pytest.raises(DataError, match=rf"rows\.jsonl, line 3\b.*{words}"):
        list(read_rows(path, lambda row: int(row["n"])))


@pytest.mark.parametrize("body", [b"not packed", gzip.compress(b'{"n": 1}\n', mtime=0)[:-9]])
def test_a_packed_file_that_is_damaged_is_named(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "rows.jsonl.gz").write_bytes(body)
    with pytest.raises(DataError, match=r"rows\.jsonl\.gz.* cannot be read"):
        list(read_rows(tmp_path / "rows.jsonl.gz", dict))


def test_the_first_file_that_is_there_is_found_plain_or_packed(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl.gz").touch()
    assert first_of(tmp_path, "a.jsonl", "b.jsonl") == tmp_path / "b.jsonl.gz"
    (tmp_path / "a.jsonl").touch()
    assert first_of(tmp_path, "a.jsonl", "b.jsonl") == tmp_path / "a.jsonl"
    assert first_of(tmp_path, "c.jsonl") is None


WHOLE = b'{"n": 1}\n{"n": 2}\n'


@pytest.mark.parametrize("torn", [b"{", b'{"n": 3', b'{"n": "\xe4\xb8', b"\0" * 40, b'{"n"\0\0'])
def test_a_torn_row_at_the_end_of_a_log_is_left_out_and_told(
    tmp_path: Path, torn: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(WHOLE + torn)
    assert read_log(path, lambda row: row["n"]) == [1, 2]
    assert f"{path} ends in a torn line" in caplog.text
    assert torn.decode(errors="replace") in caplog.text
    append_line(path, to_line({"n": 4}))
    assert path.read_bytes() == WHOLE + b'{"n": 4}\n'
    assert len(caplog.records) == 1


@given(rows=st.lists(st.dictionaries(TEXTS, TEXTS), min_size=1), data=st.data())
def test_wherever_a_log_was_cut_off_what_is_appended_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("rows") / "log.jsonl"
    for row in rows:
        append_line(path, to_line(row))
    body = path.read_bytes()
    path.write_bytes(body[: data.draw(st.integers(0, len(body)))])
    before = read_log(path, dict)
    assert rows[: len(before)] == before
    append_line(path, to_line({"last": "row"}))
    assert read_log(path, dict) == [*before, {"last": "row"}]


def test_a_whole_row_without_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(WHOLE[:-1])
    append_line(path, to_line({"n": 3}))
    assert read_log(path, lambda row: row["n"]) == [1, 2, 3]


@pytest.mark.parametrize("tail", [b"", b'{"n": 3}'])
def test_a_broken_line_inside_a_log_is_named(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(WHOLE + b'{"n": \n' + tail)
    with pytest.raises(DataError, match=r"log\.jsonl, line 3: not JSON .*; mend that line"):
        read_log(path, dict)


def test_without_a_log_there_are_no_rows(tmp_path: Path) -> None:
    assert read_log(tmp_path / "log.jsonl", dict) == []


def test_a_mark_of_the_encoding_before_the_first_line_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n{"a": 2}\n', encoding="utf-8-sig")
    assert list(read_rows(tmp_path / "rows.jsonl", dict)) == [{"a": 1}, {"a": 2}]

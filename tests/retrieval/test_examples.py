from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.errors import DataError
from retrieval.examples import Example, PassageText, dataset_hash, read_examples, write_examples

LEAVE = Example(
    id="a",
    kind="pair",
    question="我有多少天年假？",
    language="zh",
    passages=(PassageText("leave.md", "c0ffee", "Leave", "25\u2028\u2029\x85days.\nNo\x1e more."),),
    source="votes",
    day="2026-03-01",
    weight=0.7,
)
VPN = replace(LEAVE, id="b", question="How do I set up the VPN?", language="en")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_examples(tmp_path, "train", [VPN, LEAVE])
    assert sorted(read_examples(tmp_path, "train"), key=lambda one: one.id) == [LEAVE, VPN]


def test_the_order_changes_neither_file_nor_hash(tmp_path: Path) -> None:
    write_examples(tmp_path, "train", [VPN, LEAVE])
    write_examples(tmp_path, "dev", [LEAVE, VPN])
    assert (tmp_path / "train.jsonl").read_bytes() == (tmp_path / "dev.jsonl").read_bytes()
    assert dataset_hash({"train": [VPN, LEAVE]}) == dataset_hash({"train": [LEAVE, VPN]})


@pytest.mark.parametrize(
    "other",
    [{"train": [LEAVE]}, {"dev": [LEAVE, VPN]}, {"train": [LEAVE, replace(VPN, weight=0.5)]}],
)
def test_other_examples_or_splits_have_another_hash(other: dict[str, list[Example]]) -> None:
    assert dataset_hash(other) != dataset_hash({"train": [LEAVE, VPN]})  # type: ignore[arg-type]


def test_a_folder_that_is_no_data_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no train\.jsonl"):
        read_examples(tmp_path, "train")


@pytest.mark.parametrize("line", ["{", "{}", '{"id": "a", "passages": []}'])
def test_a_line_that_is_no_example_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "train.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match="line 1"):
        read_examples(tmp_path, "train")


def test_what_was_frozen_since_is_neither_learned_from_nor_held_out(tmp_path: Path) -> None:
    older = tmp_path / "0123"
    older.mkdir()
    write_examples(tmp_path, "regression", [replace(LEAVE, id="c")])
    for split in ("train", "held-out"):
        write_examples(older, split, [LEAVE, VPN])
        assert read_examples(older, split) == [VPN]
    assert len(read_examples(tmp_path, "regression")) == 1

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from retrieval.evaluation.dataset import read_dataset
from retrieval.evaluation.evaluate import build_library
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder
from training.classifiers.near_misses import (
    ReadingGroup,
    as_typed,
    is_learned_from,
    reading_groups,
)

LEAVE = (
    "Every keeper has 27 days of leave a year. Days that are left over expire in March. "
    "Ask the harbour office."
)
PAY = "Every keeper is paid a month. Pay comes on the last working day of the month."


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / name).write_text("\n".join(lines) + "\n", "utf-8")


def groups(folder: Path, **files: list[dict[str, Any]]) -> dict[str, ReadingGroup]:
    """By question, in lower case and without its mark, however it is typed."""
    if "answers_train" not in files:
        write(folder, "queries.jsonl", files.pop("queries", []))
        (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n")
    for name, rows in files.items():
        write(folder, f"{name}.jsonl", rows)
    settings = Settings(home=folder / "home")
    library = build_library(read_dataset(folder), settings, WordEmbedder(), lambda *_: None)
    found = reading_groups(folder, library.searcher(), 0)
    return {group.question.lower().strip("?"): group for group in found}


def corpus() -> list[dict[str, Any]]:
    others = [
        {"_id": f"o{n}", "title": "Rope", "text": f"Rope number {n} hangs in shed {n}."}
        for n in range(12)
    ]
    return [
        {"_id": "leave", "title": "Leave", "text": LEAVE},
        {"_id": "pay", "title": "Pay", "text": PAY},
        *others,
    ]


def learned_id(prefix: str) -> str:
    return next(f"{prefix}{n}" for n in range(100) if is_learned_from(f"{prefix}{n}"))


def test_an_answered_question_brings_its_passage_near_misses_and_the_passage_cut(
    tmp_path: Path,
) -> None:
    answer = {
        "_id": learned_id("a"),
        "question": "leave days",
        "answers": ["27 days"],
        "unanswerable": False,
        "doc_ids": ["leave"],
    }
    group = groups(tmp_path, corpus=corpus(), answers=[answer])["leave days"]
    assert group.answering == (f"Leave\n{LEAVE}",)
    assert f"Pay\n{PAY}" in group.others
    assert not set(group.answering) & set(group.others)
    assert group.cut == ("Leave\nDays that are left over expire in March. Ask the harbour office.",)


def test_a_question_without_an_answer_brings_only_near_misses(tmp_path: Path) -> None:
    answer = {
        "_id": learned_id("u"),
        "question": "rope colour",
        "answers": [],
        "unanswerable": True,
    }
    group = groups(tmp_path, corpus=corpus(), answers=[answer])["rope colour"]
    assert group.answering == ()
    assert any(text.startswith("Rope") for text in group.others)


def test_what_is_held_out_is_not_learned_from(tmp_path: Path) -> None:
    answers = [
        {"_id": f"x{n}", "question": f"leave {n}", "answers": [], "unanswerable": True}
        for n in range(40)
    ]
    found = groups(tmp_path, corpus=corpus(), answers=answers)
    assert set(found) == {f"leave {n}" for n in range(40) if is_learned_from(f"x{n}")}
    assert 5 < len(found) < 25


def test_all_answers_that_are_there_to_learn_from_are_learned_from(tmp_path: Path) -> None:
    answers = [
        {"_id": f"x{n}", "question": f"leave {n}", "answers": [], "unanswerable": True}
        for n in range(12)
    ]
    found = groups(tmp_path, corpus=corpus(), answers_train=answers)
    assert set(found) == {f"leave {n}" for n in range(12)}


def test_a_heading_is_answered_by_the_rest_in_either_language(tmp_path: Path) -> None:
    rest = "The keeper rows to the skerry once a week and brings oil, water and the post back. " * 2
    rows = [
        {"_id": "en:rowing", "title": "", "text": f"Rowing out\n{rest}"},
        {
            "_id": "zh:rowing",
            "title": "",
            "text": f"划船出海\n{'守护人每周划船到礁石一次，带回油、水和邮件。' * 5}",
        },
        {"_id": "en:lamp", "title": "", "text": "The lamp\nThe lamp burns oil." + " It does." * 20},
    ]
    found = groups(tmp_path, corpus=[*rows, *corpus()])
    group = found["rowing out"]
    assert [text.split("\n")[0] for text in group.answering] != ["Rowing out"]
    assert len(group.answering) == 2
    assert not any("Rowing out" in text for text in (*group.answering, *group.others))
    assert any("lamp burns oil" in text for text in group.others)
    assert found["划船出海"].answering == group.answering


@pytest.mark.parametrize(
    ("question", "typed"),
    [
        ("How do I connect to the VPN?", {"how do i connect to the vpn", "connect vpn"}),
        ("怎么连接VPN？", {"怎么连接vpn", "连接vpn"}),
        ("Why?", {"why"}),
    ],
)
def test_people_type_without_capitals_or_in_keywords(question: str, typed: set[str]) -> None:
    assert {as_typed(question, random.Random(seed)) for seed in range(20)} == typed

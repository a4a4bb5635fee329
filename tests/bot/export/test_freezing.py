from __future__ import annotations

import json
from pathlib import Path

from bot.export.freezing import card, freeze
from retrieval.examples import read_examples
from tests.bot.export.logs_by_hand import ASKER, EXPERT, OTHER
from tests.bot.export.test_building import VOTERS, busy_log, frozen


def test_a_folder_is_named_by_its_hash_and_read_again(tmp_path: Path) -> None:
    found = frozen(busy_log())
    folder = freeze(found, tmp_path / "dataset")
    assert folder == tmp_path / "dataset" / found.name
    train = {draft.example.id for draft in found.splits["train"]}
    assert {example.id for example in read_examples(folder, "train")} == train
    assert train


def test_freezing_again_changes_nothing(tmp_path: Path) -> None:
    first = freeze(frozen(busy_log()), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in first.iterdir()}
    assert freeze(frozen(busy_log()), tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in first.iterdir()} == before


def test_no_persons_id_is_anywhere_in_the_folder(tmp_path: Path) -> None:
    folder = freeze(frozen(busy_log()), tmp_path)
    text = "".join(path.read_text(encoding="utf-8") for path in folder.iterdir())
    people = {ASKER, OTHER, EXPERT, *VOTERS, "C0TEAM", *(f'"t{n}"' for n in range(60))}
    assert [person for person in people if person in text] == []


def test_the_manifest_and_the_card_tell_what_was_left_out(tmp_path: Path) -> None:
    found = frozen(busy_log())
    folder = freeze(found, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["hash"] == folder.name
    assert manifest["excluded"] == found.excluded
    assert manifest["until"] == max(turn.created for turn in busy_log().turns)
    excluded = (folder / "excluded.jsonl").read_text().splitlines()
    assert len(excluded) == sum(found.excluded.values())
    for code, count in found.excluded.items():
        assert f"| {count} | " in card(found)
        assert f"`{code}`" in card(found)


def test_an_empty_log_is_an_empty_set(tmp_path: Path) -> None:
    folder = freeze(frozen(busy_log(turns=0)), tmp_path)
    assert read_examples(folder, "train") == []
    assert "its beginning" in (folder / "card.md").read_text()

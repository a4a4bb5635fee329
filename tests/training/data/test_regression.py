from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from retrieval.examples import REGRESSION, Example, PassageText, write_examples
from retrieval.records import Passage, Source
from retrieval.settings import Settings
from training.data.regression import FrozenQuestions, read_regression

SOURCE = Source("leave.md", "Leave", "leave.md", "en", "", "")
PASSAGE = Passage("p", SOURCE, "26 days.", 0, 8, content_hash="now")
KEPT = Example(
    id="a", kind="pair", question="How many days?", language="en",
    passages=(PassageText("leave.md", "now", "Leave", "26 days."),), source="approved",
    day="2026-01-31",
)  # fmt: skip
CHANGED = replace(
    KEPT, id="b", question="Since when?", passages=(replace(KEPT.passages[0], content_hash="old"),)
)
DECLINED = replace(CHANGED, id="c", kind="answer", question="How much gold?", is_good=False)


def test_there_is_nothing_before_anything_was_frozen(tmp_path: Path) -> None:
    assert read_regression(Settings(home=tmp_path), [PASSAGE]) == FrozenQuestions()


def test_questions_whose_passage_has_changed_drop_out_and_are_counted(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    settings.dataset_folder.mkdir()
    write_examples(settings.dataset_folder, REGRESSION, [KEPT, CHANGED, DECLINED])
    regression = read_regression(settings, [PASSAGE])
    assert set(regression.examples) == {KEPT, DECLINED}
    assert regression.outdated == 1

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bot.admin.gaps import Gap
from bot.admin.report import Report
from bot.admin.report_cards import report_card, report_markdown, summary
from bot.admin.report_files import save_report
from bot.strings import Strings, strings_for
from retrieval.index.account import Account
from tests.bot.admin.test_report import ASKED, OPEN, build
from tests.slack_server import check_blocks

ENGLISH, CHINESE = strings_for("en"), strings_for("zh")

GAP = Gap("Where is the <!here> & there?", "en", 4, 3, 1, "2026-02-27T09:00:00+00:00")
REPORT: Report = replace(
    build([replace(ASKED, ups=1, downs=1)] * 3 + [OPEN]), gaps=(GAP, replace(GAP, question=None))
)


@pytest.mark.parametrize("strings", [ENGLISH, CHINESE])
def test_the_card_keeps_slacks_limits_however_much_there_is(strings: Strings) -> None:
    gap = replace(GAP, question="<&>" * 400)
    source = replace(REPORT.disliked[0], title="&" * 400)
    era = replace(REPORT.history[0], generator="<m>" * 99)
    full = replace(
        REPORT, gaps=(gap,) * 20, stale=(source,) * 5, disliked=(source,) * 5, history=(era,) * 20
    )
    check_blocks(report_card(full, strings).block_dicts(), max_blocks=50)


def test_what_people_wrote_stays_text() -> None:
    shown = str(report_card(REPORT, ENGLISH).block_dicts())
    assert "Where is the &lt;!here&gt; &amp; there? (asked 4×, askers 3, 👎 1)" in shown


def test_files_that_were_not_read_are_counted_by_kind() -> None:
    report = replace(REPORT, account=Account(52, 1, 3, {".png": 4, "hidden file": 1}))
    line = "1 read in part, 3 could not be read, 5 left out (4 .png, 1 hidden file)"
    assert line in report_markdown(report)
    assert line in str(report_card(report, ENGLISH).block_dicts())


def test_questions_of_few_people_are_only_counted() -> None:
    assert "A question that fewer than three people asked (asked 4" in report_markdown(REPORT)


def test_one_sentence_sums_it_up() -> None:
    assert summary(REPORT, ENGLISH).startswith(
        "Last 7 days: questions 4, askers 1, answered 75%, rated helpful 50%."
    )
    assert summary(build([OPEN]), CHINESE).startswith("最近 7 天：1 人提了 1 个问题，已回答 0%，")
    assert "questions 0" in summary(build([], given_up=2), ENGLISH)
    assert summary(build([]), ENGLISH) == "Nobody has asked anything in the last 7 days."


def test_the_folder_holds_words_numbers_and_pictures(tmp_path: Path) -> None:
    text = save_report(REPORT, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"report.md", "report.json", "questions.png", "rates.png"}
    assert "| Answered | 75% (95%: 30% to 95%) |" in text
    saved = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert saved["total"]["answered"]["share"] == 0.75
    assert saved["gaps"][1]["question"] is None


def test_without_questions_there_is_nothing_to_draw(tmp_path: Path) -> None:
    assert "Nobody has asked" in save_report(build([]), tmp_path)
    assert not list(tmp_path.glob("*.png"))


def test_errors_alone_can_be_drawn_too(tmp_path: Path) -> None:
    save_report(build([], given_up=1), tmp_path)
    assert len(list(tmp_path.glob("*.png"))) == 2


def test_a_report_that_is_saved_is_for_its_owner_alone(tmp_path: Path) -> None:
    save_report(REPORT, tmp_path / "out")
    modes = {path.suffix: path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()}
    assert (modes[".md"], modes[".json"]) == (0o600, 0o600)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700

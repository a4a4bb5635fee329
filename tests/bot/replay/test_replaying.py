from __future__ import annotations

import json
from pathlib import Path

from bot.replay.files import JSON, MARKDOWN, save, table
from bot.replay.logged import LoggedQuestion
from bot.replay.replaying import Replay, replay
from bot.store.channels import ChannelConfig
from retrieval.records import AnswerRequest
from tests.fakes import SentenceAnswerer, passage

PUBLIC = frozenset({"public"})
LEAVE, PRINTER, PAY = "How many days of leave?", "What is the printer called?", "What is my salary?"


def logged(*questions: str, is_private: bool = False, **config: object) -> list[LoggedQuestion]:
    return [
        LoggedQuestion(question[:4], question, PUBLIC, is_private, ChannelConfig(**config))  # type: ignore[arg-type]
        for question in questions
    ]


def candidate() -> SentenceAnswerer:
    """Its documents say more of leave, nothing of printers, and something of pay."""
    better = SentenceAnswerer()
    better.passages = [
        passage("Leave", "Every employee has 31 days of paid leave a year."),
        passage("Pay", "Your salary is paid on the *first*."),
    ]
    return better


def replayed(*questions: LoggedQuestion) -> Replay:
    return replay(questions, SentenceAnswerer(), candidate())


def test_what_would_change_is_told_apart() -> None:
    found = replayed(*logged(LEAVE, PRINTER, PAY, "Is there tea?"))
    assert [replayed.change for replayed in found.replayed] == [
        "passages",
        "silent",
        "answered",
        "same",
    ]


def test_both_are_asked_for_the_audience_and_as_the_channel_has_it() -> None:
    asked, then = SentenceAnswerer(), candidate()
    replay(logged(LEAVE, sources=("handbook",), threshold=0.99), asked, then)
    request = AnswerRequest(LEAVE, audience=PUBLIC, sources=("handbook",), threshold=0.99)
    assert asked.asked == then.asked == [request]
    silent = replay(logged(LEAVE, threshold=0.99), asked, then)
    assert silent.replayed[0].now.kind == "abstention"


def test_what_may_not_be_asked_any_more_is_counted() -> None:
    found = replayed(*logged(LEAVE, "leave? " * 1_000))
    assert (len(found.replayed), found.refused) == (1, 1)
    assert "Too long to be asked again: 1." in table(found)


def test_the_table_says_how_many_of_all() -> None:
    lines = table(replayed(*logged(LEAVE, PRINTER, PAY, "Is there tea?"))).splitlines()
    assert "| no answer where there was one | 1 | 25% |" in lines
    assert "| the same answer | 1 | 25% |" in lines
    assert table(replayed()).count("| 0 | 0% |") == 5


def test_the_files_quote_what_changes_and_nothing_that_was_asked_in_private(
    tmp_path: Path,
) -> None:
    found = replayed(*logged(PAY), *logged(PRINTER, is_private=True))
    save(found, tmp_path / "new", title="run 7")
    text = (tmp_path / "new" / MARKDOWN).read_text()
    assert "- then: Your salary is paid on the \\*first\\*. \\[1\\]" in text
    assert "1 more, 1 of them asked in private" in text
    rows = json.loads((tmp_path / "new" / JSON).read_text())["questions"]
    assert [row.get("question") for row in rows] == [PAY, None]
    assert "printer" not in text + str(rows)

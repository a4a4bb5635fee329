"""A replay as files: Markdown to read and JSON to compute with.

What was asked where not everybody could read along is counted, and its words are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bot.replay.replaying import CHANGES, AnswerChange, Replay, Replayed
from retrieval.markdown import quoted
from retrieval.private import make_private, write_private
from retrieval.records import Answer

MARKDOWN, JSON = "replay.md", "replay.json"

REPLAYS = "replays"
"""Where the bot's own replays are, beside the database; they go when somebody is forgotten."""

SHOWN = 25
"""So many questions of each change stand in the Markdown; all of them in the JSON."""


def save(replay: Replay, folder: Path, *, title: str) -> None:
    """Write `replay.md` and `replay.json`."""
    make_private(folder)
    write_private(folder / MARKDOWN, markdown(replay, title=title))
    rows = [_row(replayed) for replayed in replay.replayed]
    text = json.dumps({"title": title, "counts": replay.counts, "questions": rows}, indent=1)
    write_private(folder / JSON, text + "\n")


def table(replay: Replay) -> str:
    """How many questions would be answered otherwise, as a table for people."""
    asked = len(replay.replayed)
    lines = ["| asked again, there would be | questions | share |", "|---|---|---|"]
    lines += [
        f"| {CHANGES[change]} | {count} | {count / max(1, asked):.0%} |"
        for change, count in replay.counts.items()
    ]
    now, then = replay.seconds
    lines += ["", f"Half of the answers took {now:.1f} s, and would take {then:.1f} s."]
    if replay.refused:
        lines.append(f"Too long to be asked again: {replay.refused}.")
    return "\n".join(lines)


def markdown(replay: Replay, *, title: str) -> str:
    """The table, and the questions that change."""
    return "\n".join([f"# {title}", "", table(replay), "", *_changed(replay)])


def _changed(replay: Replay) -> Iterator[str]:
    for change in CHANGES:
        some = [replayed for replayed in replay.replayed if replayed.change == change]
        if change == "same" or not some:
            continue
        told = [replayed for replayed in some if not replayed.logged.is_private]
        yield f"## {CHANGES[change].capitalize()}"
        yield ""
        for replayed in told[:SHOWN]:
            yield f"- {quoted(replayed.logged.question)}"
            yield f"  - now: {quoted(replayed.now.text)}"
            yield f"  - then: {quoted(replayed.then.text)}"
        if len(some) > len(told[:SHOWN]):
            yield f"- and {len(some) - len(told[:SHOWN])} more{_why(some, told)}"
        yield ""


def _why(some: list[Replayed], told: list[Replayed]) -> str:
    private = len(some) - len(told)
    return f", {private} of them asked in private" if private else ""


def _row(replayed: Replayed) -> dict[str, object]:
    change: AnswerChange = replayed.change
    row: dict[str, object] = {"turn": replayed.logged.turn_id, "change": change}
    if replayed.logged.is_private:
        return row | {"is_private": True}
    question = {"question": replayed.logged.question}
    return row | question | {"now": _said(replayed.now), "then": _said(replayed.then)}


def _said(answer: Answer) -> dict[str, object]:
    return {
        "kind": answer.kind,
        "text": answer.text,
        "confidence": answer.confidence,
        "documents": [citation.passage.source.id for citation in answer.citations],
    }

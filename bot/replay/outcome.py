"""What a replay came to, in a line that passes from one process to the other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from bot.replay.replaying import AnswerChange, Replay


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    """How many questions were asked again, and how many would change in which way.

    `folder` is where the files are, on the machine that the bot runs on.
    """

    candidate: str
    asked: int
    refused: int
    counts: Mapping[AnswerChange, int]
    folder: str

    def to_line(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


def outcome_of(replay: Replay, candidate: str, folder: Path) -> ReplayOutcome:
    """The outcome of a replay whose files are in a folder."""
    asked = len(replay.replayed)
    return ReplayOutcome(candidate, asked, replay.refused, replay.counts, str(folder.resolve()))


def from_line(line: str) -> ReplayOutcome:
    """The outcome that `to_line` wrote.

    Raises:
        ValueError: If it is not one.
    """
    return _OUTCOMES.validate_json(line)


_OUTCOMES = TypeAdapter(ReplayOutcome)

"""Reads subtitles of talks and meetings (WebVTT, SubRip): who says what, and when."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

from retrieval.documents.loaders.blocks import Block, Loaded, sections_of
from retrieval.documents.loaders.front_matter import refuse_comments
from retrieval.documents.loaders.text import decode
from retrieval.errors import UnreadableError

MAX_SECONDS = 60
"""Longer turns begin a new paragraph, with its time."""

PAUSE_SECONDS = 8

_TIMES = re.compile(
    r"[ \t]*(?:(\d+):)?(\d{1,2}):(\d{2})[.,]\d{1,3}[ \t]*-->[ \t]*(?:(\d+):)?(\d{1,2}):(\d{2})"
)
_VOICE = re.compile(r"<v(?:\.[^ >]*)?[ \t]+([^>]+)>")
_TAG = re.compile(r"</?[a-z0-9.:]*[^<>]*>|\{\\[^{}]*\}", re.IGNORECASE)
_SPEAKER = re.compile(r"(?:-[ \t]*)?([A-ZÀ-Þ\u4e00-\u9fff][^:：.!?,]{0,39})[:：][ \t]+(?=\S)")


@dataclass(slots=True)
class _Turn:
    start: int
    end: int
    speaker: str
    words: list[str] = field(default_factory=list)

    def text(self) -> str:
        clock = f"[{self.start // 3600}:{self.start // 60 % 60:02}:{self.start % 60:02}]"
        speaker = f"{self.speaker}: " if self.speaker else ""
        return f"{clock} {speaker}{' '.join(self.words)}"


def load_captions(data: bytes) -> list[Loaded]:
    """One document: a paragraph for each turn, with its time and who speaks, if that is told.

    Raises:
        RestrictedError: If a comment may say who reads it.
        UnreadableError: If it holds no times.
    """
    turns: list[_Turn] = []
    times_before = 0
    for cue in re.split(r"\n[ \t]*+\n", decode(data)):
        lines = cue.strip().split("\n")
        at = next((n for n, line in enumerate(lines) if _TIMES.match(line)), None)
        if at is None:
            refuse_comments(lines)
            continue
        times_before += 1
        _add(turns, lines[at], lines[at + 1 :])
    if not times_before:
        raise UnreadableError("holds no times, as subtitles do")
    return [Loaded(sections_of(Block(turn.text()) for turn in turns))]


def _add(turns: list[_Turn], times: str, lines: list[str]) -> None:
    found = _TIMES.match(times)
    numbers = [int(number or 0) for number in found.groups()] if found else [0] * 6
    start, end = (
        hours * 3600 + minutes * 60 + seconds
        for hours, minutes, seconds in (numbers[:3], numbers[3:])
    )
    for line in lines:
        voice = _VOICE.search(line)
        words = " ".join(html.unescape(_TAG.sub("", line)).split())
        named = None if voice else _SPEAKER.match(words)
        speaker = voice[1].strip() if voice else named[1].strip() if named else ""
        words = words[named.end() :] if named else words
        if not words:
            continue
        last = turns[-1] if turns else None
        if (
            last is None
            or (speaker and speaker != last.speaker)
            or start - last.end > PAUSE_SECONDS
            or start - last.start > MAX_SECONDS
        ):
            goes_on = last is not None and start - last.end <= PAUSE_SECONDS
            last = _Turn(start, end, speaker or (last.speaker if last and goes_on else ""))
            turns.append(last)
        if words not in last.words[-1:]:  # rolling captions say each line twice
            last.words.append(words)
        last.end = end

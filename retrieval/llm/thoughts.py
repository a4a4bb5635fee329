"""Leaves out what reasoning models think aloud before and between what they say."""

from __future__ import annotations

import re

_TAG = re.compile(r"<(/?)(?:think|thinking|thought)>|\[(/?)THINK\]")
_TAGS = (
    *("<think>", "</think>", "<thinking>", "</thinking>", "<thought>", "</thought>"),
    *("[THINK]", "[/THINK]"),
)


class Spoken:
    """The text that a model means to be read, as it grows.

    `text` is what was spoken so far. Some chat templates open the thought themselves, so that only
    its end is written: what stood before such an end is taken back, and `was_thought` is true.
    Where that is to be expected, `is_thinking` from the beginning shows none of it.
    """

    def __init__(self, *, is_thinking: bool = False) -> None:
        self.text = ""
        self.was_thought = False
        self._expects_end = is_thinking
        self._is_thinking = is_thinking
        self._thought = ""
        self._pending = ""

    def feed(self, piece: str) -> str:
        """What of a new piece, and of what was held back before it, is spoken."""
        self._pending += piece
        before = len(self.text)
        while match := _TAG.search(self._pending):
            self._take(self._pending[: match.start()])
            self._pending = self._pending[match.end() :]
            is_end = "/" in match[0]
            if is_end and not self._is_thinking:
                self.text, before, self.was_thought = "", 0, True
            elif is_end:
                self.was_thought = True
            self._is_thinking, self._expects_end = not is_end, False
        held = self._undecided()
        self._take(self._pending[: len(self._pending) - held])
        self._pending = self._pending[len(self._pending) - held :]
        return self.text[before:]

    def close(self) -> str:
        """What was held back; all of it, where the end of a thought was only guessed at."""
        before = len(self.text)
        self._take(self._pending)
        self._pending = ""
        if self._expects_end:
            self.text = self._thought.lstrip()
        return self.text[before:]

    def _take(self, text: str) -> None:
        if self._is_thinking:
            self._thought += text
        else:
            self.text += text if self.text else text.lstrip()

    def _undecided(self) -> int:
        """Characters at the end that may be the beginning of a tag."""
        sizes = (n for tag in _TAGS for n in range(1, len(tag)) if self._pending.endswith(tag[:n]))
        return max(sizes, default=0)

"""Markdown cut into pages that fit a Slack message, while it is still being written."""

from __future__ import annotations

import re

PAGE_BYTES = 7_000
"""A stream ends at about 11,000 bytes; blocks at 12,000 characters of Markdown, which making
mentions inert may lengthen by half, and 13,200 in all, sources included."""

_FENCE_LINE = re.compile(r"\s*(?:>\s*)*(`{3,}[^`\s]*)[^`]*$")
_RULE = re.compile(r"\s*\|[\s:|-]+$")
_HEADER_SHARE = 4


class Pager:
    """Takes Markdown in pieces; pages only grow, so that what was shown is never taken back.

    A page ends at a paragraph if there is one in its last part, else at a line, a word, or
    wherever it is full. Code is put into fences on both sides of the cut, and a table gets its
    header again. What is joined from the same pieces is the same however it was cut into them.
    """

    def __init__(self, *, max_bytes: int = PAGE_BYTES) -> None:
        self.pages = [""]
        self._max_bytes = max_bytes
        self._size = 0
        self._space = ""  # white space that belongs to the page only if something follows it
        self._line = ""
        self._fence = ""
        self._table: list[str] = []

    def feed(self, text: str) -> None:
        """The next piece of the text."""
        for character in text:
            if character.isspace():
                self._space += character
                if character == "\n":
                    self._end_line()
                else:
                    self._line += character
            else:
                self._add(character)

    def _add(self, character: str) -> None:
        if self._is_full_before(character):
            self._turn(character)
        written = (self._space if self.pages[-1] else "") + character
        self.pages[-1] += written
        self._size += len(written.encode())
        self._space = ""
        self._line += character

    def _is_full_before(self, character: str) -> bool:
        room = self._max_bytes - self._size - len((self._space + character).encode())
        if not self.pages[-1]:
            return False
        end = len(self._ticks) + 1 if self._fence else 0
        # What may close the code may go on as code, which then still has to be closed.
        if self._closes_fence(character):
            return room < end
        if room < 2 * end:
            return True
        share = room / self._max_bytes
        lines = self._space.count("\n")
        is_between_words = bool(self._space) or self.pages[-1][-1] in "。！？，；"
        return (
            (share < 0.3 and lines > 1 and not self._fence)
            or (share < 0.2 and lines > 0)
            or (share < 0.1 and is_between_words)
        )

    def _turn(self, character: str) -> None:
        is_new_line = "\n" in self._space
        start = ""
        if self._fence:
            self.pages[-1] += f"\n{self._ticks}"
            indent = self._space.rpartition("\n")[2] if is_new_line else ""
            start = f"{self._fence}\n{indent}"
        elif is_new_line and character == "|" and self._space.count("\n") == 1:
            header = "".join(f"{line.strip()}\n" for line in self._table[:2])
            if len(self._table) > 1 and len(header) * _HEADER_SHARE < self._max_bytes:
                start = header
        self.pages.append(start)
        self._size = len(start.encode())
        self._space = ""

    @property
    def _ticks(self) -> str:
        return "`" * (len(self._fence) - len(self._fence.lstrip("`")))

    def _closes_fence(self, character: str) -> bool:
        """Whether this may be the line that ends the code; room for it was kept."""
        line = f"{self._line}{character}".strip()
        return bool(self._fence) and self._ticks.startswith(line)

    def _end_line(self) -> None:
        line, self._line = self._line, ""
        fence = _FENCE_LINE.match(line)
        if fence and not self._fence:
            self._fence = fence[1]
        elif fence and fence[1].startswith(self._ticks) and not fence[1].strip("`"):
            self._fence = ""
        is_row = not self._fence and line.lstrip().startswith("|")
        if not is_row or (len(self._table) == 1 and not _RULE.match(line)):
            self._table = []
        if is_row and len(self._table) < 2:
            self._table.append(line)


def split_markdown(text: str, *, max_bytes: int = PAGE_BYTES) -> list[str]:
    """The pages of a whole text, at least one and none empty."""
    pager = Pager(max_bytes=max_bytes)
    pager.feed(text.strip() or "…")
    return pager.pages

"""Finds the headings in text that was typed without markup: underlined, numbered, in capitals."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from retrieval.documents.loaders.blocks import Block
from retrieval.language import CJK

MAX_CHARS = 80
"""A longer line is no heading."""
MAX_LEVEL = 6

_RULE = re.compile(r"([=~^*#+_\"'`:.-])\1{2,}\s*\Z")
_COLUMNS = re.compile(r"\S\s{2,}\S|\||\t")
_STOPS = re.compile(r"[.!?:;,。！？：；，、]\s*\Z")
_NUMBER = re.compile(r"(?P<number>\d{1,3}(?:\.\d{1,3})*)(?:[.)、]\s*|\s+)(?=[^\W\d_])")
_NAMED = re.compile(
    r"(?:chapter|section|part|appendix|annex|article)\s+[\dA-Z]{1,5}\b", re.IGNORECASE
)
_CHINESE = (
    re.compile(r"第[一二三四五六七八九十百\d]+编"),
    re.compile(r"第[一二三四五六七八九十百\d]+章"),
    re.compile(r"第[一二三四五六七八九十百\d]+节"),
    re.compile(r"[一二三四五六七八九十]{1,3}、"),
    re.compile(r"[（(][一二三四五六七八九十]{1,3}[）)]"),
)
_MAX_CHINESE_CHARS = 30
_CAPITALS = re.compile(r"[A-Z][A-Z0-9 &/,'’()-]*[A-Z)]")
_BRACKETS = re.compile(r"【[^【】]{1,20}】")
_LABEL = re.compile(rf"(?=.{{1,40}}\Z)(?:[A-Z]\S*(?: \S+){{0,4}}|[{CJK}]\S{{0,14}}?)")
_IS_ITEM = re.compile(r"[-*•–>|#+]|\(?\w{1,3}[.)、]\s?")
_LEAST_LABELS = 3
"""So many short lines above paragraphs are headings; fewer may be anything."""

_Style = tuple[str, int | str]


def with_headings(text: str) -> list[Block]:
    """The headings of a text and what stands below each, in order.

    Headings of one style are of one level; the style that comes first is above the others. A
    single line with a number or in capitals is none.
    """
    lines = text.split("\n")
    styles = _styles(lines)
    levels = {style: n for n, style in enumerate(dict.fromkeys(styles.values()), start=1)}
    blocks: list[Block] = []
    below: list[str] = []

    def end() -> None:
        if words := "\n".join(below).strip("\n"):
            blocks.append(Block(words))
        below.clear()

    for n, line in enumerate(lines):
        if n in styles:
            if below and _RULE.match(below[-1]):  # a line above it, too
                below.pop()
            end()
            words = line.strip().rstrip(":：") if styles[n][0] == "label" else line.strip()
            blocks.append(Block(words, level=min(levels[styles[n]], MAX_LEVEL)))
        elif not (n - 1 in styles and styles[n - 1][0] == "rule" and _RULE.match(line)):
            below.append(line)
    end()
    return blocks


def _styles(lines: Sequence[str]) -> dict[int, _Style]:
    """The style of each line that is a heading."""
    found = {n: style for n in range(len(lines)) if (style := _style(lines, n)) is not None}
    often = Counter(kind for kind, _ in found.values())
    least = {"rule": 1, "label": _LEAST_LABELS}
    return {n: style for n, style in found.items() if often[style[0]] >= least.get(style[0], 2)}


def _style(lines: Sequence[str], n: int) -> _Style | None:
    """What makes a line a heading; None if it is none."""
    line = lines[n]
    if not line.strip() or line[0].isspace() or len(line) > MAX_CHARS or _RULE.match(line):
        return None
    before = lines[n - 1].strip() if n else ""
    after = lines[n + 1] if n + 1 < len(lines) else ""
    if not before or _RULE.match(before):
        rule = _RULE.match(after)
        is_long_enough = len(after.strip()) >= 0.8 * len(line.strip())
        if rule and is_long_enough and not _COLUMNS.search(line) and not _STOPS.search(line):
            return ("rule", rule[1] * (2 if before else 1))
    if _BRACKETS.fullmatch(line.strip()):
        return ("bracket", 0)
    if not before and _is_label(line.strip(), after):
        return ("label", 0)
    if _STOPS.search(line) or not _leads(lines, n):
        return None
    kind = _item(line)
    if kind and kind[0] == "chinese":
        return kind if len(line) <= _MAX_CHINESE_CHARS else None
    if before or (after.strip() and not _is_in_capitals(line)):
        return None
    return ("number", -1) if kind is None and _NAMED.match(line) else kind


def _is_label(line: str, after: str) -> bool:
    """Whether a line is a few words that stand right above a longer one, as a heading may."""
    return (
        _LABEL.fullmatch(line.rstrip(":：")) is not None
        and _STOPS.search(line.rstrip(":：")) is None
        and len(after.strip()) > len(line)
        and not after[0].isspace()
        and not _COLUMNS.search(line)
        and _item(line) is None
        and not _IS_ITEM.match(after)
    )


def _is_in_capitals(line: str) -> bool:
    return _CAPITALS.fullmatch(_NUMBER.sub("", line, count=1).strip()) is not None


def _leads(lines: Sequence[str], n: int) -> bool:
    """Whether what follows a line is neither set in nor an item of the same list."""
    rest = range(n + 1, len(lines))  # no slice: a log may have a million lines
    following = next((lines[row] for row in rest if lines[row].strip()), "")
    if not following or (following[0].isspace() and not _is_in_capitals(lines[n])):
        return False
    kind = _item(lines[n])
    return kind is None or _item(following) != kind


def _item(line: str) -> _Style | None:
    """The kind of number that a line begins with, or of letters that it is written in."""
    for depth, pattern in enumerate(_CHINESE):
        if pattern.match(line):
            return ("chinese", depth)
    number = _NUMBER.match(line)
    if number:
        return ("number", number["number"].count("."))
    return ("capitals", 0) if _CAPITALS.fullmatch(line.strip()) else None

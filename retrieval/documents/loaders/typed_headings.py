"""Finds the headings in text without markup: underlined, numbered, in capitals, set further out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

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
_ENDS_WORDS = re.compile(r"[.;:,。；：，、]\s*\Z")
_SET_IN, _FEW = 0.7, 0.1
"""The share of a text's lines that are set in at least, and of its paragraphs that need not be."""

_Style = tuple[str, int | str]


def with_headings(text: str) -> list[Block]:
    """The headings of a text and what stands below each, in order.

    Headings of one style are of one level; the style that comes first is above the others. A
    single line with a number or in capitals is none. Where the text is set in, as on a page for a
    terminal, its headings are further out, the higher the more, and its margin is taken away.
    """
    lines = text.split("\n")
    further_out: dict[int, _Style] = {}
    if margin := _margin(lines):
        further_out = _further_out(lines, margin)
        lines = [line[margin:] if line[:margin].isspace() else line.lstrip() for line in lines]
    styles = further_out | {n: s for n, s in _styles(lines).items() if n not in further_out}
    order = sorted(dict.fromkeys(styles.values()), key=_depth)
    levels = {style: n for n, style in enumerate(order, start=1)}
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


def _margin(lines: Sequence[str]) -> int:
    """How far a text is set in whose paragraphs all are, but for a few; 0 of any other."""
    told = [n for n, line in enumerate(lines) if line.strip() and _is_paragraph(lines, n)]
    indents = Counter(_indent(lines[n]) for n in told)
    margin = min((n for n, count in indents.items() if count > _FEW * len(told)), default=0)
    written = [line for line in lines if line.strip()]
    set_in = sum(_indent(line) >= margin for line in written)
    return margin if set_in >= _SET_IN * len(written) else 0


def _is_paragraph(lines: Sequence[str], n: int) -> bool:
    """Whether a line begins lines that begin at one place, or is one sentence.

    Before it stands an empty line, or one at the left edge to which it does not belong.
    """
    before = lines[n - 1] if n else ""
    if before.strip() and (_indent(before) or not _indent(lines[n])):
        return False
    if _text(lines, n + 1):
        return _indent(lines[n + 1]) == _indent(lines[n])
    return _ENDS_WORDS.search(lines[n]) is not None


def _text(lines: Sequence[str], n: int) -> str:
    return lines[n].strip() if 0 <= n < len(lines) else ""


def _further_out(lines: Sequence[str], margin: int) -> dict[int, _Style]:
    """Lines that begin further out than the text below them, and the one in the middle above all.

    Before each stands an empty line.
    """
    found: dict[int, _Style] = {}
    told = [n for n, line in enumerate(lines) if line.strip()]
    for n, below in pairwise(told):
        line, indent = lines[n], _indent(lines[n])
        is_title = n == told[0] and indent > margin and below > n + 1
        is_out = indent < min(margin, _indent(lines[below])) and not _text(lines, n - 1)
        is_short = len(line.strip()) <= MAX_CHARS and not _COLUMNS.search(line)
        if (is_title or is_out) and is_short and not _ENDS_WORDS.search(line):
            found[n] = ("title" if is_title else "out", indent)
    return found


def _depth(style: _Style) -> int:
    """Sorts styles: the title first, then as they come, then what stands further out."""
    kind, indent = style
    return -1 if kind == "title" else int(indent) + 1 if kind == "out" else 0


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


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

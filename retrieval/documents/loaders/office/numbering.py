"""How the paragraphs of a Word file are numbered: `2.1`, `b)`, `IV.`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from retrieval.documents.loaders.office.package import Element, whole

# fmt: off
_ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
    (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)
# fmt: on
_CHINESE = "〇一二三四五六七八九"


@dataclass(frozen=True, slots=True)
class _Level:
    form: str
    text: str
    start: int


class Numbering:
    """Counts the numbered paragraphs as they are read."""

    def __init__(self, root: Element | None) -> None:
        self._levels: dict[str, dict[int, _Level]] = {}
        self._lists: dict[str, str] = {}
        self._starts: dict[str, dict[int, int]] = {}
        self._counts: dict[str, dict[int, int]] = {}
        for row in () if root is None else root:
            if row.tag == "w|abstractNum":
                self._levels[row.get("abstractNumId", "")] = _levels(row)
            elif row.tag == "w|num":
                self._add(row)

    def _add(self, row: Element) -> None:
        id_ = row.get("numId", "")
        self._lists[id_] = _value(row, "w|abstractNumId")
        self._starts[id_] = {
            _number(own.get("ilvl")): _number(_value(own, "w|startOverride"))
            for own in row.findall("w|lvlOverride")
            if own.find("w|startOverride") is not None
        }

    def label(self, list_id: str, depth: int) -> str:
        """What stands before the next paragraph of a list; '-' for any bullet."""
        key = self._lists.get(list_id, "")
        levels = self._levels.get(key, {})
        if depth not in levels:
            return "-" if list_id != "0" else ""
        counts = self._counts.setdefault(key, {})
        for level, start in self._starts.pop(list_id, {}).items():
            counts[level] = start - 1
        counts[depth] = counts.get(depth, levels[depth].start - 1) + 1
        for deeper in [level for level in counts if level > depth]:
            del counts[deeper]
        if levels[depth].form == "bullet":
            return "-"
        return re.sub(
            r"%([1-9])", lambda m: _shown(levels, counts, int(m[1]) - 1), levels[depth].text
        ).strip()


def _levels(row: Element) -> dict[int, _Level]:
    return {
        _number(level.get("ilvl")): _Level(
            _value(level, "w|numFmt") or "decimal",
            _value(level, "w|lvlText"),
            _number(_value(level, "w|start") or "1"),
        )
        for level in row.findall("w|lvl")
    }


def _value(element: Element, path: str) -> str:
    found = element.find(path)
    return "" if found is None else found.get("val", "")


def _number(text: str | None) -> int:
    return whole(text, digits=6)  # a Roman numeral is as long as its number is large


def _shown(levels: dict[int, _Level], counts: dict[int, int], depth: int) -> str:
    if depth not in levels:
        return ""
    number = counts.get(depth, levels[depth].start)
    return numeral(number, levels[depth].form)


def numeral(number: int, form: str) -> str:
    """A number as a list shows it; the forms are those of Word, unknown ones are decimal."""
    if form == "none":
        return ""
    if form == "decimalZero":
        return f"{number:02}"
    if 0 < number < 1_000:
        letters = chr(97 + (number - 1) % 26) * ((number - 1) // 26 + 1)
        if form.endswith("Letter"):
            return letters.upper() if form.startswith("upper") else letters
        if form.endswith("Roman"):
            return _roman(number) if form.startswith("upper") else _roman(number).lower()
    if 0 < number < 100 and form.startswith(("chinese", "japaneseCounting", "ideographDigital")):
        tens, ones = divmod(number, 10)
        above = (_CHINESE[tens] if tens > 1 else "") + "十" if tens else ""
        return above + (_CHINESE[ones] if ones else "")
    return str(number)


def _roman(number: int) -> str:
    out = ""
    for value, sign in _ROMAN:
        out += sign * (number // value)
        number %= value
    return out

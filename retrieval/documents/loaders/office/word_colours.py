"""Whether the words of a Word file can be seen: their size, and what is behind them."""

from __future__ import annotations

from retrieval.documents.loaders.html.colours import WHITE, Colour, looks_like, of_digits
from retrieval.documents.loaders.office.package import Element, is_on, whole

MIN_HALF_POINTS = 6
"""Smaller letters are seen by nobody."""

_PLAIN_TABLES = ("TableGrid", "TableNormal")
_NO_HIGHLIGHTS = ("none", "white")


def behind_part(root: Element) -> Colour | None:
    """What is behind the words of a part; None if that is not known, as with pictures there."""
    own = next(root.iter("w|background"), None)
    if own is not None or any(is_on(anchor, "behindDoc") for anchor in root.iter("wp|anchor")):
        return None
    return WHITE


def behind_table(table: Element, around: Colour | None) -> Colour | None:
    """What is behind the words of a table; its style may colour it."""
    style = table.find("w|tblPr/w|tblStyle")
    is_plain = style is None or style.get("val") in _PLAIN_TABLES
    return _shaded(table.find("w|tblPr/w|shd"), around) if is_plain else None


def behind_cell(cell: Element, around: Colour | None) -> Colour | None:
    """What is behind the words of a cell."""
    return _shaded(cell.find("w|tcPr/w|shd"), around)


def behind_paragraph(paragraph: Element, around: Colour | None) -> Colour | None:
    """What is behind the words of a paragraph, unless its style says."""
    return _shaded(paragraph.find("w|pPr/w|shd"), around)


def is_unseen(run: Element, around: Colour | None) -> bool:
    """Whether words are too small to be seen, or have the colour of what is behind them."""
    properties = run.find("w|rPr")
    if properties is None:
        return False
    size, colour = properties.find("w|sz"), properties.find("w|color")
    if size is not None and whole(size.get("val"), MIN_HALF_POINTS) < MIN_HALF_POINTS:
        return True
    highlight = properties.find("w|highlight")
    if highlight is not None and highlight.get("val") not in _NO_HIGHLIGHTS:
        return False
    words = of_digits(colour.get("val", "")) if colour is not None else None
    behind = _shaded(properties.find("w|shd"), around)
    return words is not None and behind is not None and looks_like(words, behind)


def _shaded(shading: Element | None, around: Colour | None) -> Colour | None:
    if shading is None or (shading.get("fill", "auto"), shading.get("val", "clear")) == (
        "auto",
        "clear",
    ):
        return around
    return of_digits(shading.get("fill", "")) if shading.get("val", "clear") == "clear" else None

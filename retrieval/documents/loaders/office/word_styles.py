"""What the paragraphs and words of a Word file get from their styles."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from retrieval.documents.loaders.office.drawing import is_true
from retrieval.documents.loaders.office.package import Element, is_on

_MAX_DEPTH = 20  # of styles that stand on each other
_HEADING = re.compile(r"heading ?([1-9])")
_CONTENTS = re.compile(r"toc ?(?:\d|heading)|table of (?:figures|authorities)")


@dataclass(frozen=True, slots=True)
class Style:
    """What a paragraph is: a heading of a level, an item of a list in a depth, or neither."""

    level: int = 0
    list: tuple[str, int] | None = None
    is_hidden: bool = False
    is_contents: bool = False
    is_shaded: bool = False


class Styles:
    """The styles of a file, by their ids."""

    def __init__(self, root: Element | None) -> None:
        found = root.findall("w|style") if root is not None else []
        self._elements = {element.get("styleId", ""): element for element in found}
        self._known: dict[str, Style] = {}
        self._default = next(
            (
                id_
                for id_, element in self._elements.items()
                if element.get("type") == "paragraph" and is_on(element, "default")
            ),
            "",
        )

    def of(self, properties: Element | None) -> Style:
        """The style of a paragraph with these properties."""
        named = properties.find("w|pStyle") if properties is not None else None
        style = self._named(named.get("val", "") if named is not None else self._default, 0)
        return style if properties is None else _changed(style, properties)

    def hides(self, run: Element, *, is_hidden: bool) -> bool:
        """Whether words are hidden, in a paragraph that is or is not."""
        own = run.find("w|rPr/w|vanish")
        if own is not None:
            return is_true(own)
        named = run.find("w|rPr/w|rStyle")
        return is_hidden or (named is not None and self._named(named.get("val", ""), 0).is_hidden)

    def _named(self, id_: str, depth: int) -> Style:
        if id_ not in self._known:
            self._known[id_] = self._made(id_, depth)
        return self._known[id_]

    def _made(self, id_: str, depth: int) -> Style:
        element = self._elements.get(id_)
        if element is None or depth > _MAX_DEPTH:
            return _by_name(Style(), id_)
        base = element.find("w|basedOn")
        style = self._named(base.get("val", ""), depth + 1) if base is not None else Style()
        name = element.find("w|name")
        style = _by_name(style, name.get("val", "") if name is not None else id_)
        hidden = element.find("w|rPr/w|vanish")
        if hidden is not None:
            style = replace(style, is_hidden=is_true(hidden))
        if element.find("w|pPr/w|shd") is not None or element.find("w|rPr/w|shd") is not None:
            style = replace(style, is_shaded=True)
        properties = element.find("w|pPr")
        return style if properties is None else _changed(style, properties)


def _by_name(style: Style, name: str) -> Style:
    plain = name.casefold()
    if heading := _HEADING.fullmatch(plain):
        return replace(style, level=min(int(heading[1]), 6))
    if _CONTENTS.fullmatch(plain):
        return replace(style, is_contents=True)
    return replace(style, level=1) if plain == "title" else style


def _changed(style: Style, properties: Element) -> Style:
    outline = properties.find("w|outlineLvl")
    if outline is not None and outline.get("val", "") in "012345678":
        style = replace(style, level=min(int(outline.get("val") or 0) + 1, 6))
    elif outline is not None:
        style = replace(style, level=0)
    numbered = properties.find("w|numPr")
    if numbered is None:
        return style
    id_, depth = numbered.find("w|numId"), numbered.find("w|ilvl")
    old_id, old_depth = style.list or ("0", 0)
    own_id = id_.get("val", "0") if id_ is not None else old_id
    told = depth.get("val", "") if depth is not None else ""
    own_depth = int(told) if told in tuple("012345678") else old_depth
    return replace(style, list=None if own_id == "0" else (own_id, own_depth))

"""Tells what of a page is seen: neither hidden, nor too small, too faint or out of sight."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from selectolax.lexbor import LexborHTMLParser, LexborNode

from retrieval.documents.loaders.html.colours import (
    BLACK,
    FAINT,
    WHITE,
    Colour,
    colours,
    font_size,
    looks_like,
    over,
    pixels,
)
from retrieval.documents.loaders.html.panels import Panels
from retrieval.documents.loaders.html.stylesheets import Declarations, StyleSheets

MIN_FONT_PX = 4.0
FAR_PX = 500.0
"""What stands this far to the left or above is out of sight."""

_UNSEEN_CLASSES = frozenset((
    "sr-only", "visually-hidden", "visuallyhidden", "screen-reader-text", "screen-reader-only",
    "screenreader-only", "cdk-visually-hidden", "u-visually-hidden", "assistive-text",
    "MJX_Assistive_MathML", "katex-mathml",
))  # fmt: skip
_FORMULAS = frozenset(("MJX_Assistive_MathML", "katex-mathml"))
_ANIMATED = ("animation", "animation-name", "transition")
_REVEALED = ("data-aos", "data-w-id", "data-animate", "data-animation", "data-scroll")
_CLIPPED = re.compile(
    r"rect\(\s*(?:(?:0|1px|0px)[\s,]*){4}\)|inset\(\s*(?:50|100)%|circle\(\s*0|"
    r"polygon\(\s*0(?:px|%)?\s+0(?:px|%)?\s*(?:,\s*0(?:px|%)?\s+0(?:px|%)?\s*)*\)"
)
_FONT = re.compile(
    r"(?:^|\s)(-?[\d.]+(?:[a-z]+|%)?|[a-z-]+|calc\([^()]*\))(?:\s*/\s*\S+)?\s+[\w\"'-]+"
)
_MOVED = re.compile(r"translate(?:x|y|3d)?\(([^()]*)\)|matrix\((?:[^(),]*,){4}([^()]*)\)")
_EDGE_ON = re.compile(r"rotate[xy]\(\s*-?(?:90|270)deg")
_MASKS = ("mask", "mask-image", "-webkit-mask", "-webkit-mask-image")
_SHRUNK = re.compile(r"scale(?:x|y|3d)?\(\s*0?\.?0*\s*[,)]|scale(?:x|y|3d)?\(\s*0?\.0")
_ON = ("html", "body")


@dataclass(frozen=True, slots=True)
class _Look:
    """How the words of an element look; no background where it is not known."""

    size: float = 16.0
    colour: Colour | None = BLACK
    opacity: float = 1.0
    is_default: bool = True
    backgrounds: tuple[Colour, ...] = (WHITE,)
    is_seen: bool = True
    zoom: float = 1.0
    spacing: float = 0.0

    @property
    def is_legible(self) -> bool:
        is_large = self.size * self.zoom >= MIN_FONT_PX
        # Letters that stand half their height to the left of where they should are on each other.
        return self.is_seen and is_large and self.spacing > -self.size / 2 and self.opacity >= FAINT

    @property
    def is_told_apart(self) -> bool:
        """Whether the words can be told from what is behind them."""
        words = self.colour
        if self.is_default or words is None or not self.backgrounds:
            return True
        return not all(
            looks_like(over(words, self.opacity, behind), behind) for behind in self.backgrounds
        )


def drop_unseen(tree: LexborHTMLParser, panels: Panels) -> int:
    """Take what nobody sees out of a page; its panels are not hidden for being folded.

    Returns:
        How many characters had the colour of what is behind them.

    Raises:
        UnreadableError: If the page is styled by too many rules.
    """
    sheets = StyleSheets(tree)
    looks: dict[int, _Look] = {}
    unseen: list[LexborNode] = []
    pale_chars = 0
    root = tree.root
    for node in root.traverse(include_text=True) if root is not None else ():
        parent = node.parent
        look = _Look() if parent is None else looks.get(parent.mem_id)
        if node.is_text_node:
            if look and not (look.is_legible and look.is_told_apart):
                unseen.append(node)
                pale_chars += look.is_legible and len((node.text_content or "").strip())
        elif look is None and parent is not None and parent.is_element_node:
            continue  # inside of what is hidden
        elif node.is_element_node:
            declared = sheets.of(node)
            is_folded = node.mem_id in panels.controls
            if _is_hidden(node, declared, look or _Look(), is_folded=is_folded):
                unseen.append(node)
            else:
                looks[node.mem_id] = _look(node, declared, look or _Look())
    unseen += _not_unfolded(panels, looks, sheets)
    for node in unseen:
        node.decompose()
    return pale_chars


def _not_unfolded(
    panels: Panels, seen: Collection[int], sheets: StyleSheets
) -> Iterator[LexborNode]:
    """The panels that something hides and that nobody can unfold; they are panels no more."""
    hidden: set[int] = set()
    for panel, control in [*panels.controls.items()]:
        node = panels.nodes[panel]
        if panel not in seen:
            del panels.controls[panel]
        elif control.mem_id not in seen:
            del panels.controls[panel]
            if _is_hidden(node, sheets.of(node), _Look(), is_folded=False):
                hidden.add(panel)
    for panel, node in panels.nodes.items():
        if panel in hidden and not _is_within(node.parent, hidden):
            yield node
    for panel, control in [*panels.controls.items()]:
        if _is_within(control, hidden) or _is_within(panels.nodes[panel], hidden):
            del panels.controls[panel]


def _is_within(node: LexborNode | None, found: Collection[int]) -> bool:
    while node is not None and found:
        if node.mem_id in found:
            return True
        node = node.parent
    return False


def _is_hidden(node: LexborNode, declared: Declarations, around: _Look, *, is_folded: bool) -> bool:
    attributes = node.attributes
    if node.tag in _ON:
        return False
    classes = frozenset((attributes.get("class") or "").split())
    if classes & _UNSEEN_CLASSES:
        return not classes & _FORMULAS
    if not is_folded and (
        "hidden" in attributes
        or (attributes.get("aria-hidden") == "true" and not _is_drawn(node, classes))
        or _is_folded_away(node, declared)
    ):
        return True
    return bool(declared) and _is_out_of_sight(declared, around.size)


def _is_drawn(node: LexborNode, classes: Collection[str]) -> bool:
    """Whether it stands for something that is not there in words otherwise."""
    if node.tag == "img" or "starlight-aside__title" in classes:
        return True
    before = node.prev
    return "katex-html" in classes and (before is None or before.css_first("annotation") is None)


def _is_folded_away(node: LexborNode, declared: Declarations) -> bool:
    if not declared:
        return False
    if declared.get("display") == "none" or declared.get("content-visibility") == "hidden":
        return True
    if declared.get("visibility") in ("hidden", "collapse") and not node.css_first(
        "[style*=visib]"
    ):
        return True
    if _is_clear(declared.get("opacity")) or "opacity(0" in declared.get("filter", ""):
        is_animated = any(declared.get(name, "none") != "none" for name in _ANIMATED)
        return not is_animated and not any(name in node.attributes for name in _REVEALED)
    overflow = declared.get("overflow", "") + declared.get("overflow-y", "")
    if "hidden" not in overflow and "clip" not in overflow:
        return False
    sides = (declared.get(name) for name in ("height", "max-height", "width", "max-width"))
    return any((length := pixels(side)) is not None and abs(length) <= 1 for side in sides if side)


def _is_clear(value: str | None) -> bool:
    if not value:
        return False
    opacity = pixels(value.removesuffix("%"))
    return opacity is not None and opacity / (100 if value.endswith("%") else 1) < FAINT


def _is_out_of_sight(declared: Declarations, size: float) -> bool:
    if _CLIPPED.search(declared.get("clip", "")) or _CLIPPED.search(declared.get("clip-path", "")):
        return True
    is_placed = declared.get("position") in ("absolute", "fixed", "relative", "sticky")
    names = ["text-indent", "margin-left", "margin-top"]
    if is_placed:
        names += ["left", "top", "right", "bottom"]
    for name in names:
        whole = 1280.0 if name in ("left", "top") else None
        value = declared.get(name)
        length = pixels(value, of=size, whole=whole) if value else None
        if length is not None and length <= -FAR_PX:
            return True
    moved = declared.get("transform", "")
    if _SHRUNK.search(moved) or _EDGE_ON.search(moved) or declared.get("scale") == "0":
        return True
    if any(map(_is_clear_mask, map(declared.get, _MASKS))) or any(
        declared.get(name, "").split(" ")[0] in ("0", "0px", "0%")
        for name in ("mask-size", "-webkit-mask-size")
    ):
        return True
    ways = [match[1] or match[2] for match in _MOVED.finditer(moved)]
    lengths = (pixels(way, of=size) for way in [*ways, declared.get("translate", "")])
    return any(length is not None and abs(length) >= FAR_PX for length in lengths)


def _is_clear_mask(mask: str | None) -> bool:
    """Whether a mask lets nothing through: a gradient of what is transparent."""
    if not mask or "gradient" not in mask or "url(" in mask or "var(" in mask:
        return False
    found = colours(mask)
    return bool(found) and all(opacity < FAINT for _, opacity in found)


def _look(node: LexborNode, declared: Declarations, around: _Look) -> _Look:
    attributes = node.attributes
    background = _background(declared) or attributes.get("bgcolor")
    colour = declared.get("-webkit-text-fill-color") or declared.get("color")
    if not colour and node.tag in ("font", "body"):
        colour = attributes.get("color") or attributes.get("text")
    if not declared and not colour and not background:
        return around
    size = _size(declared, around.size)
    look = replace(
        around,
        size=size,
        zoom=_zoom(declared, around.zoom),
        spacing=_spacing(declared, size, around),
    )
    if declared.get("visibility") and node.tag not in _ON:  # which pages hide while they load
        look = replace(look, is_seen=declared["visibility"] not in ("hidden", "collapse"))
    if background:
        look = replace(look, backgrounds=_behind(background.lower(), around.backgrounds))
    if colour and colour not in ("inherit", "currentcolor", "unset"):
        is_cut_out = "text" in (
            declared.get("background-clip"),
            declared.get("-webkit-background-clip"),
        )
        found = colours(colour.lower())
        words, opacity = found[0] if found and not is_cut_out else (None, 1.0)
        look = replace(look, colour=words, opacity=opacity, is_default=False)
        if node.tag in _ON and not background and look.backgrounds == (WHITE,):
            # Who chooses a colour for the whole page has a background in a sheet of its own.
            look = replace(look, backgrounds=())
    return look


def _size(declared: Declarations, around: float) -> float:
    size = declared.get("font-size")
    if not size and (match := _FONT.search(declared.get("font", ""))):
        size = match[1] if match[1][0].isdigit() or match[1].startswith("calc") else None
    found = font_size(size, of=around) if size else None
    return around if found is None else found


def _zoom(declared: Declarations, around: float) -> float:
    value = declared.get("zoom", "")
    number = pixels(value.removesuffix("%"))
    return around if number is None else around * number / (100 if value.endswith("%") else 1)


def _spacing(declared: Declarations, size: float, around: _Look) -> float:
    value = declared.get("letter-spacing")
    length = 0.0 if value == "normal" else pixels(value, of=size) if value else None
    return around.spacing if length is None else length


def _background(declared: Declarations) -> str:
    names = ("background", "background-color", "background-image", "--prism-background-color")
    return " ".join(value for name in names if (value := declared.get(name)) and value != "none")


def _behind(background: str, around: tuple[Colour, ...]) -> tuple[Colour, ...]:
    """The colours that stand behind words; none if that is not known."""
    if "url(" in background or "var(" in background:
        return ()
    found = colours(background)
    if not found:
        is_same = not background.strip() or "transparent" in background or "inherit" in background
        return around if is_same or "initial" in background else ()
    return tuple(
        over(colour, opacity, behind)
        for colour, opacity in found
        for behind in (around or (WHITE,))[:4]
        if opacity == 1 or around
    )[:16]

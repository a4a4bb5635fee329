"""What the styles of an Excel file say of cells: their formats, and whether words can be seen."""

from __future__ import annotations

from collections.abc import Sequence

from retrieval.documents.loaders.html.colours import BLACK, WHITE, Colour, looks_like, of_digits
from retrieval.documents.loaders.office.number_format import BUILT_IN
from retrieval.documents.loaders.office.package import Element, Package, whole

_THEME = ("lt1", "dk1", "lt2", "dk2", *(f"accent{n}" for n in range(1, 7)))
_INDEXED = {0: BLACK, 1: WHITE, 8: BLACK, 9: WHITE, 64: BLACK, 65: WHITE}


class CellStyles:
    """The styles of a file, by the number that cells have."""

    def __init__(self, package: Package) -> None:
        self.formats: list[str] = []
        self._pale: list[bool] = []
        self._theme = _theme(package)
        for part in package.related(package.main, "styles"):
            root = package.xml(part)
            if root is not None:
                self._read(root)

    def format_of(self, style: int) -> str:
        """The number format of a style."""
        return self.formats[style] if style < len(self.formats) else "General"

    def is_pale(self, style: int) -> bool:
        """Whether words have the colour of what is behind them."""
        return style < len(self._pale) and self._pale[style]

    def _read(self, root: Element) -> None:
        own = {f.get("numFmtId"): f.get("formatCode", "") for f in root.iter("x|numFmt")}
        fonts = [
            self._colour(font.find("x|color"), BLACK) for font in root.iterfind("x|fonts/x|font")
        ]
        fills = [self._behind(fill) for fill in root.iterfind("x|fills/x|fill")]
        for style in root.iterfind("x|cellXfs/x|xf"):
            id_ = style.get("numFmtId", "0")
            self.formats.append(own.get(id_) or BUILT_IN.get(whole(id_), "General"))
            words, behind = _at(fonts, style.get("fontId")), _at(fills, style.get("fillId"))
            self._pale.append(bool(words and behind and looks_like(words, behind)))

    def _behind(self, fill: Element) -> Colour | None:
        pattern = fill.find("x|patternFill")
        kind = pattern.get("patternType", "none") if pattern is not None else ""
        if pattern is None or kind not in ("none", "solid"):
            return None
        return WHITE if kind == "none" else self._colour(pattern.find("x|fgColor"), WHITE)

    def _colour(self, element: Element | None, usual: Colour) -> Colour | None:
        """The colour that an element names; None if that is not known."""
        if element is None:
            return usual
        if "rgb" in element.attrib:
            found = of_digits(element.get("rgb", ""))
        elif "theme" in element.attrib:
            found = _at(self._theme, element.get("theme"))
        else:
            found = _INDEXED.get(whole(element.get("indexed"), -1))
        return _tinted(found, element.get("tint", "0")) if found else None


def _theme(package: Package) -> list[Colour | None]:
    found: dict[str, Colour | None] = {"lt1": WHITE, "dk1": BLACK}
    for part in package.related(package.main, "theme"):
        root = package.xml(part)
        for scheme in root.iter("a|clrScheme") if root is not None else ():
            for own in scheme:
                for colour in own:
                    named = colour.get("lastClr") or colour.get("val")
                    found[own.tag.removeprefix("a|")] = of_digits(named or "")
    return [found.get(name) for name in _THEME]


def _at(values: Sequence[Colour | None], place: str | None) -> Colour | None:
    number = whole(place)
    return values[number] if number < len(values) else None


def _tinted(colour: Colour, tint: str) -> Colour:
    try:
        share = max(-1.0, min(1.0, float(tint)))
    except ValueError:
        return colour
    end = 255.0 if share > 0 else 0.0
    red, green, blue = (part + (end - part) * abs(share) for part in colour)
    return red, green, blue

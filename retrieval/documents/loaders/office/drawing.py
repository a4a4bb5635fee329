"""What office files have in common: charts, diagrams, formulas, descriptions of pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from retrieval.documents.loaders.blocks import Block, one_line
from retrieval.documents.loaders.grid import blocks_of_grid
from retrieval.documents.loaders.office.package import Element, Package, whole

_MADE_UP = re.compile(
    r"\W*(?:Description automatically generated.*|AI-generated content.*)", re.DOTALL
)
_SIMPLE = re.compile(r"\w*")


def is_true(element: Element | None) -> bool:
    """Whether a switch such as `<w:vanish/>` is there and not turned off."""
    return element is not None and element.get("val", "1") not in ("0", "false", "off", "none")


def graphics(element: Element, package: Package, part: str) -> list[Block]:
    """The data of the charts and the words of the diagrams that an element refers to."""
    relations = package.relations(part)
    blocks: list[Block] = []
    for tag, key in (("c|chart", "r|id"), ("dgm|relIds", "r|dm")):
        for reference in element.iter(tag):
            relation = relations.get(reference.get(key, ""))
            root = package.xml(relation.target) if relation else None
            if root is not None:
                blocks += _chart(root) if tag == "c|chart" else _diagram(root)
    return blocks


def description(element: Element) -> str:
    """The words that stand for a picture, unless a machine made them up."""
    for properties in element.iter():
        if properties.tag in ("wp|docPr", "p|cNvPr", "xdr|cNvPr") and properties.get("descr"):
            return one_line(_MADE_UP.sub("", properties.get("descr", "")))
    return ""


def target(address: str, words: str) -> str:
    """What to add to the words of a link, so that the address can be read too."""
    shown = address.removeprefix("mailto:")
    is_known = address.startswith(("http://", "https://", "mailto:"))
    return f" ({shown})" if is_known and shown not in words else ""


def drawn_text(paragraph: Element) -> str:
    """The words of a paragraph of DrawingML, with formulas in their place."""
    pieces: list[str] = []
    for child in paragraph:
        if child.tag in ("a|r", "a|fld") and child.get("type") != "slidenum":
            pieces.append(child.findtext("a|t") or "")
        elif child.tag == "a|br":
            pieces.append("\n")
        else:
            pieces += [formula(math) for math in child.iter("m|oMath")]
    return "".join(pieces)


def drawn_lines(element: Element) -> list[str]:
    """The paragraphs of DrawingML below an element that hold words."""
    texts = (drawn_text(paragraph).strip() for paragraph in element.iter("a|p"))
    return [text for text in texts if text]


def formula(math: Element) -> str:
    """A formula on one line: `(a+b)/2`, `x^2`, `√(x)`."""
    return "".join(_formula(math)).strip()


def _formula(element: Element) -> Iterator[str]:
    for child in element:
        match child.tag:
            case "m|t":
                yield child.text or ""
            case "m|f":
                yield f"{_grouped(_part(child, 'm|num'))}/{_grouped(_part(child, 'm|den'))}"
            case "m|sSup" | "m|sSub" | "m|sSubSup" | "m|sPre" | "m|limLow" | "m|limUpp":
                yield _part(child, "m|e") + _raised(child)
            case "m|rad":
                yield f"{_part(child, 'm|deg')}√({_part(child, 'm|e')})"
            case "m|nary":
                sign = child.find("m|naryPr/m|chr")
                yield "∫" if sign is None else sign.get("val", "")
                yield f"{_raised(child)} {_part(child, 'm|e')}"
            case "m|d":
                yield _delimited(child)
            case "m|m":
                rows = child.findall("m|mr")
                yield "; ".join(", ".join(map(formula, row.findall("m|e"))) for row in rows)
            case "m|eqArr":
                yield "; ".join(map(formula, child.findall("m|e")))
            case _:
                yield from _formula(child)


def _part(element: Element, tag: str) -> str:
    found = element.find(tag)
    return "" if found is None else formula(found)


def _raised(element: Element) -> str:
    """What stands below and above a sign: `_i^2`."""
    parts = (("_", "m|sub"), ("_", "m|lim"), ("^", "m|sup"))
    found = ((mark, _part(element, tag)) for mark, tag in parts)
    return "".join(f"{mark}{_grouped(text)}" for mark, text in found if text)


def _delimited(element: Element) -> str:
    def sign(name: str, usual: str) -> str:
        found = element.find(f"m|dPr/m|{name}")
        return usual if found is None else found.get("val", "")

    inner = sign("sepChr", "|").join(map(formula, element.findall("m|e")))
    return f"{sign('begChr', '(')}{inner}{sign('endChr', ')')}"


def _grouped(text: str) -> str:
    return text if _SIMPLE.fullmatch(text) else f"({text})"


def _chart(root: Element) -> list[Block]:
    """The chart's title and its data, a row for each category."""
    title = " ".join(
        line for found in root.findall("c|chart/c|title") for line in drawn_lines(found)
    )
    series = list(root.iter("c|ser"))
    names = [" ".join(_points(own.find("c|tx")).values()) for own in series]
    columns = [_points(_first(own, "c|val", "c|yVal")) for own in series]
    keys = [_points(_first(own, "c|cat", "c|xVal")) for own in series]
    categories = next(filter(None, keys), {})
    places = sorted({place for column in (*columns, categories) for place in column})
    rows = [["", *names]]
    rows += [
        [categories.get(n, str(n + 1)), *(column.get(n, "") for column in columns)] for n in places
    ]
    drawn = blocks_of_grid(rows, is_checked=False) if places else []
    return [*([Block(f"Chart: {title}" if title else "Chart:")] if drawn or title else []), *drawn]


def _first(element: Element, *tags: str) -> Element | None:
    return next((found for tag in tags if (found := element.find(tag)) is not None), None)


def _points(element: Element | None) -> dict[int, str]:
    """What a chart keeps of the cells it was drawn from, by their place."""
    points: dict[int, str] = {}
    for point in reversed(list(element.iter("c|pt"))) if element is not None else ():
        place = whole(point.get("idx"))
        value = _number(" ".join((point.findtext("c|v") or "").split()))
        points[place] = f"{points[place]} {value}" if place in points else value
    if element is not None and not points and element.findtext("c|v"):
        points[0] = element.findtext("c|v") or ""
    return points


def _number(text: str) -> str:
    """A number as it was meant: 0.1 and not 0.10000000000000001."""
    if not re.fullmatch(r"-?\d+\.\d{6,20}(?:[eE][-+]?\d{1,3})?", text):
        return text
    return f"{float(text):.10g}"


def _diagram(root: Element) -> list[Block]:
    texts: Iterable[str] = (
        " ".join(drawn_lines(point))
        for point in root.iter("dgm|pt")
        if point.get("type", "node") in ("node", "asst")
    )
    return [Block(f"- {text}", is_tight=n > 0) for n, text in enumerate(filter(None, texts))]

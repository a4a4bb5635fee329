"""Tells what single elements of a page are, and say."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborNode

from retrieval.documents.loaders.html.formulas import formula_of, tex

MAX_TITLE_CHARS = 200
MAX_OPTIONS_CHARS = 500
"""A list to choose from that is longer, such as all countries, is cut."""

# fmt: off
INLINE = frozenset((
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em",
    "font", "i", "ins", "kbd", "label", "mark", "nobr", "picture", "q", "s", "samp", "small",
    "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
))
_MATHJAX = frozenset((
    "MathJax", "MathJax_Display", "MathJax_SVG", "MathJax_SVG_Display", "MathJax_CHTML",
    "MathJax_Preview", "mjx-chtml",
))
# fmt: on
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_TITLED = re.compile(
    r"(?:admonition|alert|callout|aside|custom-block|hint|notice|panel|expand|message|infobox|box)"
    r"[-_]*(?:title|heading|header|control)(?![a-z])",
    re.IGNORECASE,
)
_CALLOUT = re.compile(
    r"information-macro|admonition|alert|callout|aside|hint|notice|custom-block|^icon$",
    re.IGNORECASE,
)
_SIDE = re.compile(
    r"side-?bar|\btoc|table-of-contents|related|share|social|promo|advert|breadcrumb", re.IGNORECASE
)
# fmt: off
_NAVIGATION = frozenset((
    "nav", "navbar", "navheader", "navfooter", "navigation", "toc", "table-of-contents",
    "tableofcontents", "breadcrumb", "breadcrumbs", "pagination", "pager",
))
# fmt: on
_NAMED_NAV = re.compile(r"[a-z]*[-_]?nav")
_NO_WORDS = re.compile(
    r"\S+\.(?:png|jpe?g|gif|svg|webp|bmp|ico)|image\d*|img\d*|picture|icon|logo|\[\w+\]|.?",
    re.IGNORECASE,
)
_CALLOUTS = frozenset(("info", "note", "tip", "warning"))


def level_of(node: LexborNode, tag: str) -> int:
    """The level of the heading that an element is; 0 if it is none."""
    if node.attributes.get("role") == "heading":
        return min(max(whole_number(node.attributes.get("aria-level"), 2), 1), 6)
    return _HEADINGS.get(tag, 0)


def bold_beginning(paragraph: LexborNode) -> str:
    """The words in bold letters that the first line of a paragraph begins with."""
    words = ""
    for child in paragraph.iter(include_text=True):
        text = child.text()
        if child.tag == "br" or (text.strip() and child.tag not in ("b", "strong")):
            break
        words += text
    return " ".join(words.split())


def formula_in(node: LexborNode, tag: str, classes: frozenset[str]) -> str | None:
    """The formula that an element is; None if it is none."""
    if tag == "math":
        return formula_of(node)
    if tag == "script":
        is_tex = (node.attributes.get("type") or "").startswith("math/tex")
        return tex(node.text()) if is_tex else None
    if "katex" in classes or tag == "mjx-container" or classes & _MATHJAX:
        math = node.css_first("math")
        following = node.next
        if classes & _MATHJAX and following is not None and following.tag == "script":
            return ""  # which says the same in TeX
        if math is not None:
            return formula_of(math)
        return None if "katex" in classes else ""
    return None


def alternative_of(picture: LexborNode, classes: frozenset[str]) -> str:
    """The words that stand for a picture, unless they say nothing."""
    attributes = picture.attributes
    words = " ".join((attributes.get("alt") or "").split())
    is_point = attributes.get("width") in ("0", "1") or attributes.get("height") in ("0", "1")
    if is_point or attributes.get("role") in ("presentation", "none"):
        return ""
    if any("math" in name or name in ("tex", "latex") for name in classes):
        return tex(words)
    return "" if _NO_WORDS.fullmatch(words) else f" {words} "


def ruby_of(node: LexborNode) -> str:
    """The words, and behind them in brackets how they are read."""
    words: list[str] = []
    readings: list[str] = []
    for child in node.traverse(include_text=True):
        if child.is_text_node and child.parent is not None and child.parent.tag != "rp":
            text = (child.text_content or "").strip()
            (readings if child.parent.tag in ("rt", "rtc") else words).append(text)
    return f"{''.join(words)}({''.join(readings)})" if any(readings) else "".join(words)


def code_of(node: LexborNode) -> str:
    """The lines of a block of code, each on its own."""
    pieces: list[str] = []
    for child in node.traverse(include_text=True):
        if child.is_text_node:
            pieces.append(child.text_content or "")
        elif child.tag == "br" or (
            child.tag in ("div", "li", "tr", "p") and pieces and not pieces[-1].endswith("\n")
        ):
            pieces.append("\n")
    return "".join(pieces).strip("\n")


def options_of(select: LexborNode) -> str:
    """What there is to choose from, on one line."""
    options = (" ".join(option.text().split()) for option in select.css("option"))
    words = "; ".join(filter(None, options))
    return words if len(words) <= MAX_OPTIONS_CHARS else f"{words[:MAX_OPTIONS_CHARS].rstrip()}…"


def callout_label(node: LexborNode, tag: str) -> str | None:
    """What a note is called by its attributes; None if by nothing or by what is in it."""
    attributes = node.attributes
    if tag == "aside" and node.css_first("[class*=title], [class*=heading]") is None:
        return attributes.get("aria-label")
    if tag in ("ac:structured-macro", "ac:macro"):
        titles = (child for child in node.iter() if child.tag == "ac:parameter")
        for parameter in titles:
            if parameter.attributes.get("ac:name") == "title":
                return parameter.text().strip()
        name = attributes.get("ac:name") or ""
        return name.capitalize() if name in _CALLOUTS else None
    return None


def is_title(node: LexborNode, tag: str) -> bool:
    """Whether an element only says what follows it is."""
    if tag in ("summary", "legend", "caption", "dt"):
        return True
    name = node.attributes.get("class") or ""
    around = node.parent.attributes.get("class") or "" if node.parent is not None else ""
    is_named = _TITLED.search(name) or ("title" in name.split() and _CALLOUT.search(around))
    return (
        bool(is_named or tag == "th")
        and len(node.text()) <= MAX_TITLE_CHARS
        and node.css_first("p + p") is None
    )


def is_beside(aside: LexborNode) -> bool:
    """Whether an `<aside>` stands beside what the page says: a side bar, mostly of links."""
    attributes = aside.attributes
    is_named = _SIDE.search(f"{attributes.get('class') or ''} {attributes.get('id') or ''}")
    return _share_of_links(aside) > (1 / 4 if is_named else 1 / 2)


def is_navigation(node: LexborNode, classes: frozenset[str]) -> bool:
    """Whether an element is named as what leads on, and a good part of it is links.

    What DocBook puts above and below a page has no words but the page's title.
    """
    named = {*classes, node.attributes.get("id") or ""}
    names = {name for name in named if name in _NAVIGATION or _NAMED_NAV.fullmatch(name)}
    return bool(names & {"navheader", "navfooter"} or (names and _share_of_links(node) > 1 / 4))


def _share_of_links(node: LexborNode) -> float:
    """How much of the words in an element are those of links."""
    linked = sum(len(link.text().strip()) for link in node.css("a"))
    return linked / max(1, len(" ".join(node.text().split())))


def is_in_line(node: LexborNode, tag: str) -> bool:
    """Whether an element that HTML does not know stands in a line of words."""
    parent = node.parent
    return (
        ("-" in tag or tag.startswith("ac:link") or tag == "ac:plain-text-link-body")
        and parent is not None
        and (parent.tag in INLINE or parent.tag in ("p", "li", "td"))
    )


def whole_number(value: str | None, default: int) -> int:
    """The number that an attribute is, or `default`."""
    return int(value) if value and re.fullmatch("-?[0-9]{1,6}", value.strip()) else default


def anchor_of(heading: LexborNode) -> str | None:
    """The id that an address of a heading ends in."""
    own = heading.attributes.get("id") or heading.attributes.get("name")
    inner = heading.css_first("a[id], a[name], span[id]")
    if own or inner is None:
        return own or _enclosing_anchor(heading)
    return inner.attributes.get("id") or inner.attributes.get("name")


def _enclosing_anchor(heading: LexborNode) -> str | None:
    parent = heading.parent
    if parent is None or parent.tag not in ("section", "div") or heading.prev is not None:
        return None
    return parent.attributes.get("id")

"""Reads a page's own style sheets: what their rules declare for each element."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from retrieval.errors import UnreadableError

Declarations = Mapping[str, str]
"""Properties and their values, both in lower case; without `!important`."""

MAX_SELECTOR_CHARS = 500
MAX_STEPS = 500_000_000
"""Most elements that all selectors together are tried on: some five seconds."""
MAX_MATCHES = 1_000_000

# fmt: off
_PROPERTIES = frozenset((
    "animation", "animation-name", "background", "background-clip", "background-color",
    "background-image", "clip", "clip-path", "color", "content-visibility", "display", "filter",
    "font", "font-size", "height", "left", "margin-left", "max-height", "opacity", "overflow",
    "overflow-y", "position", "right", "text-indent", "top", "transform", "transition",
    "visibility", "-webkit-background-clip", "-webkit-text-fill-color", "width", "max-width",
    "margin-top", "bottom", "scale", "translate", "zoom", "letter-spacing", "mask", "mask-image",
    "mask-size", "-webkit-mask", "-webkit-mask-image", "-webkit-mask-size",
))
# fmt: on
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_STRING = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
_BRACE = re.compile(r"[{}]")
_APPLIES = re.compile(
    r"@(?:supports|layer|container|scope)\b|@media\s(?![^{]*(?:print|speech|max-|<|prefers|not\b))"
)
_NAME = re.compile(r"([.#])(-?[_a-zA-Z][\w-]*)")
_IN_BRACKETS = re.compile(r"\([^()]*\)|\[[^\]]*\]")
_COMPARES = re.compile(r"~(?!=)|:nth|:has|:only|:last-of|:first-of")
"""What looks at all elements beside each: such selectors are not followed without end."""
_FOR_ALL = re.compile(r":root|html|body|\*", re.IGNORECASE)
_OF_SELECTOR = re.compile(
    r"(#[\w-]+)|(\.[\w-]+|\[[^\]]*\]|(?<!:):[\w-]+)|((?<![\w.#:-])[a-z][\w-]*)"
)
_PSEUDO_ELEMENT = re.compile(r"::|:(?:before|after|first-l|hover|focus|active|target)\b")
_VARIABLE = re.compile(r"var\(\s*(--[\w-]+)\s*(?:,([^()]*))?\)")


class StyleSheets:
    """What the style sheets of a page, and its elements' own `style`, declare.

    Raises:
        UnreadableError: If there are more rules and elements than can be matched.
    """

    def __init__(self, tree: LexborHTMLParser) -> None:
        self._variables: dict[str, str] = {}
        self._declared: dict[int, list[tuple[tuple[int, ...], Declarations]]] = {}
        rules = [rule for style in tree.css("style") for rule in _rules(style.text())]
        if rules:
            self._match(tree, rules)

    def of(self, node: LexborNode) -> Declarations:
        """What holds for an element, whatever it inherits."""
        own = node.attributes.get("style")
        found = self._declared.get(node.mem_id)
        if not own and not found:
            return {}
        declared = list(found or ())
        if own:
            usual, important = _declarations(own)
            declared += [((0, 1, 0, 0), usual), ((1, 1, 0, 0), important)]
        declared.sort(key=lambda ranked: ranked[0])
        values = {name: value for _, some in declared for name, value in some.items()}
        return {name: self._resolved(value) for name, value in values.items()}

    def _match(self, tree: LexborHTMLParser, rules: list[tuple[str, str]]) -> None:
        names, elements = _names(tree)
        steps = matches = compared = 0
        for order, (selector, body) in enumerate(rules):
            usual, important = _declarations(body)
            variables = {n: v for n, v in usual.items() if n.startswith("--")}
            # Those of a theme that is not chosen only stand in for what nothing else names.
            is_for_all = _FOR_ALL.fullmatch(selector.strip()) is not None
            self._variables = (
                self._variables | variables if is_for_all else variables | self._variables
            )
            if not _relevant(usual) and not _relevant(important):
                continue
            for part in _parts(selector):
                named = _NAME.finditer(_IN_BRACKETS.sub("", part))
                if not {match.group() for match in named} <= names:
                    continue
                steps += elements
                if _COMPARES.search(part):
                    compared += elements**2
                    if compared > MAX_STEPS:
                        continue
                found = _select(tree, part)
                matches += len(found)
                if steps > MAX_STEPS or matches > MAX_MATCHES:
                    raise UnreadableError("has more style rules than can be followed")
                rank = _specificity(part)
                for node in found:
                    declared = self._declared.setdefault(node.mem_id, [])
                    declared.append(((0, 0, rank, order), usual))
                    if important:
                        declared.append(((1, 0, rank, order), important))

    def _resolved(self, value: str) -> str:
        for _ in range(3):
            if "var(" not in value or len(value) > MAX_SELECTOR_CHARS:
                break
            value = _VARIABLE.sub(lambda m: self._variables.get(m[1], m[2] or ""), value)
        return value


def _rules(css: str) -> Iterator[tuple[str, str]]:
    """Each selector with its declarations, of the rules that hold on a wide screen."""
    css = _STRING.sub(lambda m: '""' if _BRACE.search(m.group()) else m.group(), css)
    css = _COMMENT.sub(" ", css)
    open_rules: list[tuple[str, bool]] = []  # selector ("" of an at-rule), whether it holds
    last = 0
    for brace in _BRACE.finditer(css):
        before, last = css[last : brace.start()], brace.end()
        selector, holds = open_rules[-1] if open_rules else ("", True)
        body, _, prelude = before.rpartition(";") if brace.group() == "{" else (before, "", "")
        if selector and holds and body.strip():
            yield selector, body
        if brace.group() == "}":
            del open_rules[-1:]
        elif (prelude := prelude.strip()).startswith("@"):
            open_rules.append((selector, holds and bool(_APPLIES.match(prelude.lower()))))
        else:
            open_rules.append((_nested(selector, prelude), holds))


def _nested(outer: str, inner: str) -> str:
    if len(outer) + len(inner) > MAX_SELECTOR_CHARS and outer:
        return ""
    if not outer:
        return inner
    return inner.replace("&", f":is({outer})", 1) if "&" in inner else f":is({outer}) {inner}"


def _declarations(body: str) -> tuple[dict[str, str], dict[str, str]]:
    """The usual and the important ones."""
    usual: dict[str, str] = {}
    important: dict[str, str] = {}
    for declaration in _COMMENT.sub(" ", body).lower().split(";"):
        name, colon, value = declaration.partition(":")
        name = name.strip()
        if not colon or (name not in _PROPERTIES and not name.startswith("--")):
            continue
        value, mark, _ = value.partition("!")
        (important if mark else usual)[name] = value.strip()
    return usual, important


def _relevant(declarations: Declarations) -> bool:
    return not all(name.startswith("--") for name in declarations)


def _parts(selector: str) -> Iterator[str]:
    """The selectors of a list, but those of what no page's text stands in."""
    depth = start = 0
    for match in re.finditer(r"[,()]", selector):
        depth += {"(": 1, ")": -1, ",": 0}[match.group()]
        if match.group() == "," and depth <= 0:
            yield from _usable(selector[start : match.start()])
            start = match.end()
    yield from _usable(selector[start:])


def _usable(selector: str) -> Iterator[str]:
    selector = selector.strip()
    if selector and len(selector) <= MAX_SELECTOR_CHARS and not _PSEUDO_ELEMENT.search(selector):
        yield selector


def _names(tree: LexborHTMLParser) -> tuple[set[str], int]:
    """The classes and ids of a page as selectors name them, and how many elements it has."""
    found: set[str] = set()
    elements = tree.css("*")
    for element in elements:
        attributes = element.attributes
        found.update(f".{name}" for name in (attributes.get("class") or "").split())
        if attributes.get("id"):
            found.add(f"#{attributes['id']}")
    return found, len(elements)


def _select(tree: LexborHTMLParser, selector: str) -> list[LexborNode]:
    try:
        return tree.css(selector)
    except SelectolaxError:
        return []  # a selector that only browsers understand


def _specificity(selector: str) -> int:
    found = [match.lastindex or 0 for match in _OF_SELECTOR.finditer(selector)]
    return found.count(1) * 10_000 + found.count(2) * 100 + found.count(3)

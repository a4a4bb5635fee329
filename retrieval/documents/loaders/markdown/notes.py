"""Tells what a line of Markdown calls the note, tab or part that it begins."""

from __future__ import annotations

import re

# fmt: off
_CALLOUTS = frozenset((
    "abstract", "attention", "bug", "caution", "check", "danger", "error", "example", "failure",
    "faq", "help", "hint", "important", "info", "note", "question", "quote", "seealso", "success",
    "summary", "tip", "todo", "warning",
))
DIRECTIVES = frozenset((
    "admonition", "card", "details", "dropdown", "grid", "tab-item", "tab-set",
))
_LIQUID = frozenset((
    "alert", "capture", "code", "column", "columns", "description", "details", "hint", "note",
    "raw", "step", "stepper", "tab", "tabs", "tip", "warning",
))
_LIQUID_ALONE = frozenset(("content-ref", "embed", "file", "include"))
# fmt: on
STRING = r"\"[^\"\n]{0,200}\"|'[^'\n]{0,200}'"
_ATTRIBUTES = (
    rf"(?:{STRING}|\{{\{{[^{{}}]{{0,500}}\}}\}}|\{{[^{{}}]{{0,500}}\}}|[^<>\"'{{}}]++){{0,40}}"
)
JSX = re.compile(
    rf"</?(?P<name>[A-Z][\w.]*)(?P<attributes>(?:[\s/]{_ATTRIBUTES})?)>"
    rf"|<[a-z][\w-]*\s(?=[^<>]{{0,500}}=\{{){_ATTRIBUTES}>|</?>"
)
"""A tag of a component, or one with an expression for an attribute."""

_JSX_LINE = re.compile(
    rf"(?:(?:{JSX.pattern.replace('?P<name>', '?:').replace('?P<attributes>', '?:')})\s*)+"
)
_NAMED = re.compile(rf"\b(?:title|label|summary|header|tabName)\s*=\s*\{{?({STRING})")
_TYPED = re.compile(rf"\b(?:type|style|kind|variant)\s*=\s*({STRING})")
_COLONS = re.compile(r":{3,}\s*(.*)")
_DIRECTIVE = re.compile(
    r"(?:\{(?P<myst>[\w:-]+)\}\s*(?P<argument>.*)|\{(?P<classes>[^{}]*)\}"
    r"|(?P<name>[\w-]+)(?:\[(?P<bracketed>.*)\])?(?P<attributes>\{[^{}]*\})?\s*(?P<title>.*))"
)
_ALERT = re.compile(r"\\?\[!([\w-]+)(?:\|[^\]]*)?\][+-]?\s*(.*)")
_SLASHES = re.compile(r"/{3,}\s*([\w-]+)?\s*(?:\|\s*(.*))?")
_EQUALS = re.compile(r"==\s+(\S.*)")
_LIQUID_TAG = re.compile(r"\{%-?\s*(end)?([\w-]+)\s*([^{}%]*)-?%\}")
_SHORTCODE = re.compile(r"\{\{[<%]\s*(/?)\s*([\w/.-]+)\s*([^{}]*?)\s*/?[%>]\}\}")
ATTRIBUTE_LIST = re.compile(
    r"\{:?\s*(?:[#.][^\s{}]+|[\w-]+=(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s{}\"'=]+))"
    r"(?:\s+(?:[#.][^\s{}]+|[\w-]+=(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s{}\"'=]+)|[\w-]+))*\s*\}|\{:[^{}\n]*\}"
)
_CONTENTS = re.compile(r"\[TOC\]|\[\[_?TOC_?\]\]|\{:toc\}|\$\{toc\}", re.IGNORECASE)
HEADING_ID = re.compile(r"\{:?\s*((?:[#.][^\s{}]+|[\w-]+=[^\s{}]+)(?:\s+[^{}]*)?)\}\s*$")


_TAG_ALONE = re.compile(
    r"</?(?:aside|details)(?:\s[^<>]*)?>|<summary[^<>]*>[^<>]*</summary>|<[a-z]+\s[^<>]*\bmarkdown\b[^<>]*>"
    r"|<details[^<>]*>\s*<summary[^<>]*>[^<>]*</summary>",
    re.IGNORECASE,
)
ENDS = re.compile(r":{3,}|/{3,}|</.*|\{%-?\s*end.*|\{\{[<%]\s*/.*")
IS_WHOLE = re.compile(
    r"\\?\[.*|==\s.*|<.*(?:/>|</[^<>]*>)|\{%-?\s*(?:include|embed|file|content-ref)\b.*|\{[#.:$].*|\$.*"
    r"|\{\{[<%]\s*(?!(?:tab|notice|alert|callout|hint|details|expand|admonition|note|tip|warning|"
    r"info|caution|danger|important)\b).*|\{\{.*/[>%]\}\}",
    re.DOTALL,
)
KEPT = "\0"
"""Says that a line is HTML to be kept as it is."""


def label_of(line: str) -> str | None:
    """What a line names, which may be nothing; None if it is text like any other."""
    first = line[0]
    if first == ":":
        match = _COLONS.fullmatch(line)
        return _of_directive(match[1].strip()) if match else None
    if first in "[\\":
        match = _ALERT.fullmatch(line)
        return (
            match[2] or title_of_kind(match[1])
            if match
            else ""
            if _CONTENTS.fullmatch(line)
            else None
        )
    if first == "{":
        return _of_braces(line)
    if first == "/":
        match = _SLASHES.fullmatch(line)
        return (match[2] or callout(match[1] or "")) if match else None
    if first == "=":
        match = _EQUALS.fullmatch(line)
        return match[1] if match else None
    if first == "<":
        if _JSX_LINE.fullmatch(line):
            return " ".join(filter(None, map(label_of_tag, JSX.finditer(line))))
        return KEPT if _TAG_ALONE.fullmatch(line) else None
    return "" if _CONTENTS.fullmatch(line) else None


def _of_directive(rest: str) -> str | None:
    match = _DIRECTIVE.fullmatch(rest)
    if not rest:
        return ""
    if match is None:
        return rest
    if match["myst"]:
        return match["argument"] or callout(match["myst"])
    if match["classes"] is not None:
        named = _NAMED.search(match["classes"])
        kinds = (callout(kind.removeprefix("callout-")) for kind in re.findall(r"\.([\w-]+)", rest))
        return named[1][1:-1] if named else next(filter(None, kinds), "")
    named = _NAMED.search(match["attributes"] or "")
    if named:
        return named[1][1:-1]
    title = match["bracketed"] or HEADING_ID.sub("", match["title"]).strip()
    is_kind = match["bracketed"] or callout(match["name"]) or match["name"] in ("details", "tab")
    return (title if is_kind else f"{match['name']} {title}") if title else callout(match["name"])


def _of_braces(line: str) -> str | None:
    if match := _LIQUID_TAG.fullmatch(line):
        if match[2] in _LIQUID_ALONE:
            return ""
        return _named(match[2], match[3]) if match[2] in _LIQUID or match[1] else None
    if match := _SHORTCODE.fullmatch(line):
        return "" if match[1] else _named(match[2], match[3])
    return "" if ATTRIBUTE_LIST.fullmatch(line) or _CONTENTS.fullmatch(line) else None


def label_of_tag(match: re.Match[str]) -> str:
    """What a tag of a component calls what stands in it; empty for one that ends it."""
    name, attributes = match["name"], match["attributes"]
    if not name or match.group().startswith("</"):
        return ""
    return _named(name.rpartition(".")[2], attributes or "")


def _named(name: str, attributes: str) -> str:
    """What the attributes of something call it, else what kind of note it is."""
    named = _NAMED.search(attributes)
    if named:
        return named[1][1:-1]
    quoted = re.search(STRING, attributes)
    typed = _TYPED.search(attributes)
    first, _, _ = attributes.partition(" ")
    kind = callout(typed[1][1:-1] if typed else "") or callout(first) or callout(name)
    is_bare = (
        quoted is not None and "=" not in attributes and name in (*_LIQUID, "notice", "expand")
    )
    return quoted.group()[1:-1] if quoted and is_bare else kind


def callout(name: str) -> str:
    """What a kind of note is called; empty for what is none."""
    return title_of_kind(name) if name.lower() in _CALLOUTS else ""


def title_of_kind(name: str) -> str:
    """A kind of note as it is shown."""
    return name.replace("-", " ").capitalize()

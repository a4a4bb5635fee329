"""Reads HTML and Markdown: one walk over the visible text, headings with their anchors."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from functools import cache

from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from retrieval.documents.loaders.blocks import (
    Block,
    Loaded,
    one_line,
    sections_of,
    table_text,
    title_of,
)
from retrieval.documents.loaders.front_matter import front_matter, refuse, refuse_unread, told
from retrieval.documents.loaders.text import decode
from retrieval.labels import names_audience

PAGE = "data-page"
"""The attribute of an `<hr>` that says which page begins."""

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
# fmt: off
_INLINE = frozenset((
    "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font",
    "i", "ins", "kbd", "label", "mark", "q", "s", "samp", "small", "span", "strike", "strong",
    "sub", "sup", "time", "tt", "u", "var", "wbr",
))
# fmt: on
# fmt: off
_SKIPPED = frozenset((
    "-comment", "script", "style", "noscript", "template", "nav", "aside", "footer", "form",
    "button", "select", "input", "textarea", "svg", "math", "iframe", "object", "canvas", "audio",
    "video", "img", "head",
))
# fmt: on
_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d]*[1-9])|"
    r"opacity\s*:\s*0(?![.\d]*[1-9])|(?<![-\w])color\s*:\s*(?:white\b|transparent|#fff(?:fff)?\b)",
    re.IGNORECASE,
)
_AT_RULE = re.compile(r"@[^{};]+\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_MAIN = ("#main-content", "main", "[role=main]", "article")
_SPACE = re.compile(r"[ \t\r\n\f]+")
_META_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)


def load_markdown(data: bytes) -> list[Loaded]:
    """One document; its front matter may name title, url, audience, owner and language."""
    values, body, gaps = front_matter(decode(data))
    blocks = blocks_of_html(_markdown().render(body), slugs=True)
    return [
        Loaded(
            sections_of(blocks),
            title=values.get("title") or title_of(blocks),
            url=values.get("url"),
            audience=values.get("audience"),
            owner=values.get("owner"),
            language=values.get("language"),
            gaps=gaps,
        )
    ]


def load_html(data: bytes) -> list[Loaded]:
    """One document: the visible text of the page's main part, and its canonical address.

    `<meta name="audience" content="LABEL">` says who may read it.
    """
    html = _decode_html(data)
    refuse_unread(html)
    tree = LexborHTMLParser(html)
    canonical = tree.css_first("link[rel=canonical]")
    url = canonical.attributes.get("href") if canonical else None
    blocks = blocks_of_html(html)
    title, audience = _html_title(tree, blocks), _html_audience(tree)
    return [Loaded(sections_of(blocks), title=title, url=url, audience=audience)]


def blocks_of_html(html: str, *, slugs: bool = False) -> list[Block]:
    """The visible blocks in reading order: hidden text, navigation and forms are left out.

    With `slugs`, headings without an id get the anchor that GitHub gives them.
    """
    tree = LexborHTMLParser(html)
    _drop_hidden(tree)
    walk = _Walk(slugs=slugs)
    if tree.body is not None:
        walk.visit(_main_part(tree.body))
        walk.flush()
    return walk.blocks


def _html_title(tree: LexborHTMLParser, blocks: list[Block]) -> str | None:
    element = tree.css_first("title")
    named = one_line(element.text()) if element else None
    has_top = any(block.level == 1 for block in blocks)
    # A lower heading, though it stands alone, is only a part of what the page is called.
    return title_of(blocks) or named if has_top else named or title_of(blocks)


def _html_audience(tree: LexborHTMLParser) -> str | None:
    named = [
        (name, meta.attributes.get("content"))
        for meta in tree.css("meta")
        for attribute in ("name", "property", "itemprop", "http-equiv")
        if (name := meta.attributes.get(attribute))
        and names_audience(re.split("[.:]", name)[-1])  # dcterms.audience
    ]
    refuse(
        (name for name, _ in named if name != "audience" or len(named) > 1), where=" of a <meta>"
    )
    return told(named[0][1]) if named else None


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def _decode_html(data: bytes) -> str:
    named = _META_CHARSET.search(data[:2048])
    if named is None:
        return decode(data)
    try:
        return data.decode(named[1].decode("ascii"))
    except (LookupError, UnicodeDecodeError):
        return decode(data)


def _main_part(body: LexborNode) -> LexborNode:
    for selector in _MAIN:
        found = body.css(selector)
        if len(found) == 1:
            return found[0]
    return body


def _drop_hidden(tree: LexborHTMLParser) -> None:
    hidden = tree.css("[hidden], [aria-hidden=true]")
    hidden += [node for node in tree.css("[style]") if _hides(node.attributes.get("style"))]
    for style in tree.css("style"):
        for selector, rules in _RULE.findall(_AT_RULE.sub("", style.text())):
            if _hides(rules):
                hidden += _select(tree, selector.strip())
    for node in hidden:
        if node.tag not in ("html", "body"):
            node.decompose()


def _hides(style: str | None) -> bool:
    return bool(style and _HIDING.search(style))


def _select(tree: LexborHTMLParser, selector: str) -> list[LexborNode]:
    try:
        return tree.css(selector)
    except SelectolaxError:
        return []  # a selector that only browsers understand, such as p:hover::before


@dataclass(slots=True)
class _Walk:
    """Collects blocks while it visits a page's elements in order."""

    slugs: bool
    blocks: list[Block] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    bullet: str = ""
    depth: int = 0
    page: int | None = None
    used: Counter[str] = field(default_factory=Counter)

    def visit(self, node: LexborNode) -> None:
        for child in node.iter(include_text=True, skip_empty=False):
            self.enter(child)

    def enter(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag == "-text":
            self.pieces.append(_SPACE.sub(" ", node.text_content or ""))
        elif tag in _INLINE:
            self.visit(node)
        elif tag == "br":
            self.pieces.append("\n")
        elif tag not in _SKIPPED:
            self.flush()
            self.enter_block(node, tag)
            self.flush()

    def enter_block(self, node: LexborNode, tag: str) -> None:
        if tag in _HEADINGS:
            self.add_heading(node, _HEADINGS[tag])
        elif tag == "pre":
            self.add(f"```\n{node.text().strip(chr(10))}\n```")
        elif tag == "table" and not node.css_first("h1, h2, h3, h4, h5, h6, pre, table table"):
            self.add(_table(node))
        elif tag in ("ul", "ol"):
            self.enter_list(node, tag)
        elif tag == "hr" and (node.attributes.get(PAGE) or "").isdigit():
            self.page = int(node.attributes[PAGE] or 0)
        else:
            self.visit(node)

    def enter_list(self, node: LexborNode, tag: str) -> None:
        indent = "  " * self.depth
        self.depth += 1
        number = 0
        for item in node.iter():
            number += item.tag == "li"
            self.bullet = indent + (f"{number}. " if tag == "ol" else "- ")
            self.enter(item)
        self.bullet = ""
        self.depth -= 1

    def flush(self) -> None:
        text = "".join(self.pieces)
        self.pieces.clear()
        self.add(re.sub(r" *\n *", "\n", re.sub(" {2,}", " ", text)).strip())

    def add(self, text: str) -> None:
        if text.strip():
            is_item = text[0] != "`" and self.depth > 0
            self.blocks.append(Block(self.bullet + text, page=self.page, is_tight=is_item))
            self.bullet = ""

    def add_heading(self, node: LexborNode, level: int) -> None:
        text = _SPACE.sub(" ", node.text()).strip().rstrip("¶#").rstrip()
        if text:
            anchor = _anchor(node) or (self.slug(text) if self.slugs else None)
            self.blocks.append(Block(text, level=level, anchor=anchor, page=self.page))

    def slug(self, heading: str) -> str:
        kept = (c for c in heading.lower() if c in " -_" or unicodedata.category(c)[0] in "LNM")
        slug = "".join(kept).strip().replace(" ", "-")
        self.used[slug] += 1
        return slug if self.used[slug] == 1 else f"{slug}-{self.used[slug] - 1}"


def _anchor(heading: LexborNode) -> str | None:
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


def _table(table: LexborNode) -> str:
    rows = [[cell.text(separator=" ") for cell in row.css("th, td")] for row in table.css("tr")]
    has_header = table.css_first("tr th") is not None and not table.css("tr td + th")
    return table_text(rows, has_header=has_header)

"""Walks over an HTML page as a reader sees it, and makes blocks of what it says."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from retrieval.documents.loaders.block_headings import with_bold_lines, with_questions
from retrieval.documents.loaders.blocks import Block, fenced, joined_head, table_text
from retrieval.documents.loaders.html.elements import (
    INLINE,
    alternative_of,
    anchor_of,
    bold_beginning,
    callout_label,
    code_of,
    formula_in,
    is_beside,
    is_in_line,
    is_navigation,
    is_title,
    level_of,
    options_of,
    ruby_of,
    whole_number,
)
from retrieval.documents.loaders.html.panels import Panels, find_panels, heading_of
from retrieval.documents.loaders.html.tables import head_rows, layout_tables, rows_of
from retrieval.documents.loaders.html.visibility import drop_unseen
from retrieval.errors import UnreadableError
from retrieval.linking import bare_address, host_of

PAGE = "data-page"
"""The attribute of an `<hr>` that says which page begins."""

MAX_DEPTH = 1000
"""What is nested deeper is refused: the time to parse it grows with the square of its depth."""
MAX_ADDRESS_CHARS = 300
MAX_LINKS_WITHIN = 20
"""From this many links on, those that a site has to itself are its navigation."""
MAX_REPEATED_CHARS = 200
"""Longer cells are said once, however many rows they span."""

_ANY_HEADING = "h1, h2, h3, h4, h5, h6"
# fmt: off
_SKIPPED = frozenset((
    "-comment", "script", "style", "noscript", "template", "nav", "input", "svg", "iframe",
    "object", "canvas", "audio", "video", "head", "datalist", "ri:user", "ac:image", "ac:emoticon",
    "ac:task-id", "ac:task-status", "ac:placeholder",
))
# fmt: on
_NOT_READ = frozenset(("navigation", "search", "contentinfo", "menu", "menubar"))
_MAIN = ("#main-content", "main", "[role=main]", "article")
_SPACE = re.compile(r"[ \t\r\n\f]+")
_NESTING = re.compile(
    r"<(/?)(?:address|article|aside|blockquote|center|details|dialog|dir|div|dl|fieldset|figure|"
    r"footer|form|header|hgroup|h[1-6]|main|menu|nav|ol|pre|section|table|ul)(?=[\s/>])",
    re.IGNORECASE,
)
# fmt: off
_PERMALINKS = frozenset((
    "headerlink", "hash-link", "header-anchor", "anchor-link", "permalink", "sl-anchor-link",
    "heading-anchor", "anchorjs-link",
))
# fmt: on
_LINE_NUMBERS = (
    "td.linenos, span.linenos, .linenodiv, td.gutter, .lineno, .hljs-ln-numbers, pre span.ln, "
    "pre .lnt, pre .line-number, td.blob-num, td.rouge-gutter, pre button"
)
_MAIL = re.compile(r"mailto:([\w.+-]+@[\w-]+(?:\.[\w-]+)+)", re.IGNORECASE)
_TELEPHONE = re.compile(r"tel:(\+?[\d().\s-]{3,24})", re.IGNORECASE)
_STOPS = re.compile(r"[.:?!…。：？！]\W*\Z")
_WORD = re.compile(r"\w")
_APART = frozenset(("details", "dl", "fieldset", "aside", "blockquote"))


@dataclass(frozen=True, slots=True)
class PageText:
    """The blocks of a page, and how many characters were left out for their colour."""

    blocks: list[Block]
    pale_chars: int = 0


def parse_page(html: str) -> LexborHTMLParser:
    """The elements of a page.

    Raises:
        UnreadableError: If they are nested too deeply, or too many.
    """
    depth = 0
    for match in _NESTING.finditer(html):
        depth = max(0, depth - 1) if match[1] else depth + 1
        if depth > MAX_DEPTH:
            raise UnreadableError("is nested too deeply")
    try:
        return LexborHTMLParser(html)
    except SelectolaxError as error:
        raise UnreadableError("is no page that can be parsed") from error


def read_page(tree: LexborHTMLParser, *, slugs: bool = False, url: str | None = None) -> PageText:
    """What a reader sees of a page in reading order, without navigation and controls.

    What is not seen is taken out of the tree. With `slugs`, headings without an id get the anchor
    that GitHub gives them. `url` is where the page is.

    Raises:
        UnreadableError: If it is styled by too many rules.
    """
    if tree.body is None:
        return PageText([])
    panels = find_panels(tree)
    pale_chars = drop_unseen(tree, panels)
    for node in tree.css(_LINE_NUMBERS):
        node.decompose()
    page = _Page(tree, panels, url)
    for selector in _MAIN:
        found = tree.body.css(selector)
        blocks = page.blocks(found[0], slugs=slugs) if len(found) == 1 else []
        if any(not block.level for block in blocks):
            return PageText(blocks, pale_chars)
    return PageText(page.blocks(tree.body, slugs=slugs), pale_chars)


_Steps = Iterator["_Steps"]


class _Page:
    """What is known of a page before it is walked over."""

    def __init__(self, tree: LexborHTMLParser, panels: Panels, url: str | None) -> None:
        self._tree, self._own = tree, host_of(url or "")
        self._layouts = layout_tables(tree)
        self._labels: dict[int, str] = {}
        self._controls: frozenset[int] = frozenset()
        self._labels = {
            panel: text
            for panel, control in panels.controls.items()
            if heading_of(control) is None and (text := self.text(control))
        }
        self._controls = frozenset(panels.controls[panel].mem_id for panel in self._labels)

    def blocks(self, node: LexborNode, *, slugs: bool) -> list[Block]:
        walk = _Walk(self, slugs=slugs)
        walk.read(node)
        return with_questions(with_bold_lines(walk.blocks))

    def label(self, panel: LexborNode) -> str | None:
        """What a panel is unfolded by, if that does not stand above it anyway."""
        return self._labels.get(panel.mem_id)

    def is_label(self, node: LexborNode) -> bool:
        """Whether an element is read as the label of a panel."""
        return node.mem_id in self._controls

    def is_layout(self, table: LexborNode) -> bool:
        """Whether a table only puts things in their places."""
        return table.mem_id in self._layouts

    def text(self, node: LexborNode, *, is_quiet: bool = True) -> str:
        """The words in an element, on one line; with `is_quiet` not where links lead."""
        walk = _Walk(self, is_plain=True, is_quiet=is_quiet)
        walk.read(node)
        return _SPACE.sub(" ", " ".join(block.text for block in walk.blocks)).strip()

    def address(self, link: LexborNode, words: str) -> str:
        """Where a link leads, if that is worth saying behind its words."""
        href = (link.attributes.get("href") or "").strip()
        if match := _MAIL.match(href):
            return match[1]
        if match := _TELEPHONE.fullmatch(href):
            return match[1].strip() if _digits(match[1]) not in _digits(words) else ""
        host = host_of(href) if len(href) <= MAX_ADDRESS_CHARS else None
        if host is None or (host == self._own and self._is_woven):
            return ""
        return href

    @cached_property
    def _is_woven(self) -> bool:
        links = (node.attributes.get("href") or "" for node in self._tree.css("a[href]"))
        return sum(host_of(href) == self._own for href in links) > MAX_LINKS_WITHIN


@dataclass(slots=True)
class _Walk:
    """Collects blocks while it visits a page's elements in order.

    A label is said in front of the next text. Walks that are `is_plain` make no headings, and
    those that are `is_quiet` do not say where links lead.
    """

    page: _Page
    slugs: bool = False
    is_plain: bool = False
    is_quiet: bool = False
    page_number: int | None = None
    blocks: list[Block] = field(default_factory=list)
    cells: dict[int, str] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    trail: tuple[Block, ...] = ()
    is_back: bool = False
    bullet: str = ""
    depth: int = 0
    flushes: int = 0
    used: Counter[str] = field(default_factory=Counter)

    def read(self, node: LexborNode) -> None:
        """Visit all below an element, however deep."""
        stack = [self.visit(node)]
        while stack:
            inner = next(stack[-1], None)
            if inner is None:
                stack.pop()
            else:
                stack.append(inner)
        self.flush()
        self.add_labels()

    def visit(self, node: LexborNode) -> _Steps:
        for child in node.iter(include_text=True, skip_empty=False):
            if child.is_text_node:
                self.pieces.append(_SPACE.sub(" ", child.text_content or ""))
            else:
                yield self.enter(child)

    def enter(self, node: LexborNode) -> _Steps:
        tag, attributes = node.tag or "", node.attributes
        classes = frozenset((attributes.get("class") or "").split())
        words = self.words_for(node, tag, classes)
        if words is not None:
            self.pieces.append(words)
        elif tag in _SKIPPED or self.page.is_label(node) or self.is_passed_over(node, classes):
            return
        elif tag == "a":
            yield self.enter_link(node, classes)
        elif tag in INLINE or is_in_line(node, tag):
            if tag == "sup" and _is_digit(self.pieces) and node.text().strip().isdigit():
                self.pieces.append("^")
            yield self.visit(node)
        elif tag == "select":
            self.pieces.append(f" {options_of(node)} ")
        elif tag == "button":
            yield from [self.visit(node)] if self.is_quiet else self.enter_button(node)
        else:
            self.flush()
            yield self.enter_block(node, tag)
            self.flush()

    def words_for(self, node: LexborNode, tag: str, classes: frozenset[str]) -> str | None:
        """What stands for an element in a line; None if its own words do."""
        if tag == "br":
            return "\n"
        if tag == "img":
            return alternative_of(node, classes)
        if tag == "ruby":
            return ruby_of(node)
        if tag == "input" and node.attributes.get("type") == "checkbox" and self.depth:
            return "[x] " if "checked" in node.attributes else "[ ] "
        return formula_in(node, tag, classes)

    def is_passed_over(self, node: LexborNode, classes: frozenset[str]) -> bool:
        """Whether an element is navigation, or a form to search with."""
        tag, attributes = node.tag, node.attributes
        if attributes.get("role") in _NOT_READ or "mw-editsection" in classes:
            return True
        if is_navigation(node, classes):
            return True
        if tag == "footer":
            return node.parent is None or node.parent.tag not in ("blockquote", "figure")
        if tag == "dialog":
            return "open" not in attributes
        if tag == "form":
            return node.css_first("h1, h2, h3, p, li, table") is None and "earch" in (
                node.html or ""
            )
        return tag == "aside" and is_beside(node)

    def enter_block(self, node: LexborNode, tag: str) -> _Steps:
        label = self.page.label(node) or callout_label(node, tag)
        if label:
            self.labels.append(label)
        level = level_of(node, tag)
        if level and not self.is_plain:
            self.add_heading(node, level)
        elif tag in ("pre", "ac:plain-text-body"):
            self.add_code(node)
        elif tag == "textarea":
            self.add(node.text().strip())
        elif tag == "table" and not self.page.is_layout(node):
            self.add_table(node)
        elif tag in ("ul", "ol", "menu"):
            yield self.enter_list(node, tag)
        elif tag == "hr" and (node.attributes.get(PAGE) or "").isdigit():
            self.page_number = int(node.attributes[PAGE] or 0)
        elif is_title(node, tag) and node.css_first(_ANY_HEADING) is None:
            self.labels.append(self.page.text(node))
        elif tag != "ac:parameter":
            yield self.enter_part(node, is_apart=bool(label) or tag in _APART)

    def enter_part(self, node: LexborNode, *, is_apart: bool) -> _Steps:
        """What stands apart ends its own headings, and a label under which nothing stands."""
        trail, done = self.trail, len(self.blocks)
        is_own = node.tag == "p" and not (self.depth or self.labels)
        bold = bold_beginning(node) if is_own else ""
        yield self.visit(node)
        self.flush()
        if bold:
            self.blocks[done:] = [replace(block, bold=bold) for block in self.blocks[done:]]
        if is_apart:
            self.add_labels()
            if trail != self.trail:
                self.trail, self.is_back = trail, True

    def enter_list(self, node: LexborNode, tag: str) -> _Steps:
        self.add_labels()
        indent = "  " * self.depth
        self.depth += 1
        number = whole_number(node.attributes.get("start"), 1) - 1
        for item in node.iter():
            if item.tag == "li":
                number = whole_number(item.attributes.get("value"), number + 1)
            kind = node.attributes.get("type")
            self.bullet = indent + (f"{_numeral(number, kind)}. " if tag == "ol" else "- ")
            yield self.enter(item)
        self.bullet = ""
        self.depth -= 1

    def enter_link(self, node: LexborNode, classes: frozenset[str]) -> _Steps:
        if self.is_quiet and (classes & _PERMALINKS or not _WORD.search(node.text())):
            return
        start, flushes = len(self.pieces), self.flushes
        yield self.visit(node)
        words = "".join(self.pieces[start:])
        if self.is_quiet or flushes != self.flushes or not _WORD.search(node.text()):
            return
        address = self.page.address(node, words)
        if bare_address(words) == bare_address(address):
            self.pieces[start:] = [words.replace(words.strip(), address)]
        elif address and address not in words:
            kept = words.rstrip()
            self.pieces[start:] = [f"{kept} ({address}){words[len(kept) :]}"]

    def enter_button(self, node: LexborNode) -> _Steps:
        """A button that unfolds what stands below it asks or names something."""
        if "aria-expanded" in node.attributes and "aria-haspopup" not in node.attributes:
            words = self.page.text(node)
            if words.endswith(("?", "？")) or words.count(" ") > 1:
                self.flush()
                self.labels.append(words)
        yield from ()

    def flush(self) -> None:
        text = "".join(self.pieces)
        self.pieces.clear()
        self.flushes += 1
        self.add(re.sub(r" *\n *", "\n", re.sub(" {2,}", " ", text)).strip())

    def add(self, text: str, *, is_shaped: bool = False) -> None:
        """Add a block, behind the labels that stand above it."""
        if not text.strip():
            return
        self.go_back()
        lead = " ".join(map(_with_colon, self.labels))
        lead += ("\n" if is_shaped else " ") if lead else ""
        is_below_table = bool(self.blocks) and self.blocks[-1].text[:1] == "|"
        is_item = text[0] != "`" and self.depth > is_below_table
        block = Block(self.bullet + lead + text, page=self.page_number, is_tight=is_item)
        self.blocks.append(block)
        self.labels.clear()
        self.bullet = ""

    def add_labels(self) -> None:
        """Say the labels now, on a line of their own."""
        if self.labels:
            text = " ".join(map(_with_colon, self.labels))
            self.labels.clear()
            self.add(text)

    def add_code(self, node: LexborNode) -> None:
        code = code_of(node)
        if self.is_plain:  # in the cell of a table
            self.add(" ".join(f"`{line.strip()}`" for line in code.split("\n") if line.strip()))
        else:
            self.add(fenced(code), is_shaped=True)

    def add_table(self, node: LexborNode) -> None:
        caption = next((child for child in node.iter() if child.tag == "caption"), None)
        if caption is not None:
            self.labels.append(self.page.text(caption))
        found = rows_of(node)
        heads = head_rows(found)
        rows = [[self.cell(cell, is_again=is_again) for cell, is_again in row] for row in found]
        while heads > 1 and len(rows[0]) == 1 < len(rows[1]):
            self.labels.append(rows.pop(0)[0])
            heads -= 1
        if heads > 1:
            rows[:heads] = [joined_head(rows[:heads])]
        if self.is_plain:  # in the cell of another table
            self.add("; ".join(", ".join(filter(None, row)) for row in rows if any(row)))
        else:
            self.add(table_text(rows, has_header=heads > 0), is_shaped=True)

    def cell(self, cell: LexborNode, *, is_again: bool) -> str:
        key = cell.mem_id
        if key not in self.cells:
            self.cells[key] = self.page.text(cell, is_quiet=False)
        text = self.cells[key]
        return "" if is_again and len(text) > MAX_REPEATED_CHARS else text

    def add_heading(self, node: LexborNode, level: int) -> None:
        text = self.page.text(node).strip("\u200b ").rstrip("¶#").rstrip()
        if text:
            anchor = anchor_of(node) or (self.slug(text) if self.slugs else None)
            block = Block(text, level=level, anchor=anchor, page=self.page_number)
            self.go_back()
            self.trail = (*(above for above in self.trail if above.level < level), block)
            self.blocks.append(block)

    def go_back(self) -> None:
        """Say again below which headings the text goes on, after a part with its own."""
        if self.is_back:
            self.blocks += self.trail
            self.is_back = False

    def slug(self, heading: str) -> str:
        kept = (c for c in heading.lower() if c in " -_" or unicodedata.category(c)[0] in "LNM")
        slug = "".join(kept).strip().replace(" ", "-")
        self.used[slug] += 1
        return slug if self.used[slug] == 1 else f"{slug}-{self.used[slug] - 1}"


def _with_colon(label: str) -> str:
    return label if _STOPS.search(label) else f"{label}:"


def _digits(text: str) -> str:
    return re.sub(r"[^\d+]", "", text)


def _is_digit(pieces: list[str]) -> bool:
    return bool(pieces) and pieces[-1][-1:].isdigit()


def _numeral(number: int, kind: str | None) -> str:
    if kind in ("a", "A") and 1 <= number <= 26:
        return chr(ord(kind) + number - 1)
    return str(number)

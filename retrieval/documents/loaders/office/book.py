"""Reads EPUB: the chapters of a book in the order in which they are read."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote, urldefrag

from selectolax.lexbor import LexborHTMLParser

from retrieval.documents.loaders.blocks import (
    Block,
    Loaded,
    counted,
    one_line,
    sections_of,
    title_of,
)
from retrieval.documents.loaders.markup import blocks_of_html
from retrieval.documents.loaders.office.package import Element, Package
from retrieval.documents.loaders.text import decode
from retrieval.errors import UnreadableError

_CONTAINER = "META-INF/container.xml"
_PAGES = frozenset(("application/xhtml+xml", "text/html", "application/x-dtbook+xml"))
_EMPTY = re.compile(
    r"<(?!(?:br|hr|img|col|input|link|meta|wbr|area|base)\b)([A-Za-z][\w:-]*)([^<>]*)/>"
)
_ASIDE = re.compile(r"<(/?)aside\b", re.IGNORECASE)


def load_book(data: bytes) -> list[Loaded]:
    """One document; a chapter without a heading has the one that the table of contents gives it.

    Raises:
        UnreadableError: If the file is damaged, protected, or unpacks to too much.
    """
    package = Package(data)
    container = package.xml(_CONTAINER)
    files = list(container.iter("rootfile")) if container is not None else []
    main = files[0].get("full-path", "") if files else ""
    root = package.xml(main)
    if root is None:
        raise UnreadableError("is damaged or not really an EPUB file")
    book = _Book(package, posixpath.dirname(main), root)
    blocks = book.blocks()
    # A book's first heading is its first chapter.
    title = next((own.text for own in root.iter("title") if own.text), None)
    return [
        Loaded(
            sections_of(blocks),
            title=one_line(title) if title else title_of(blocks),
            gaps=counted(
                book.missing,
                "chapter that is not in the file",
                "chapters that are not in the file",
            ),
        )
    ]


class _Book:
    """The pages of a book, and what its table of contents calls them."""

    def __init__(self, package: Package, folder: str, root: Element) -> None:
        self.missing = 0
        self._package = package
        self._items = {
            item.get("id", ""): (_path(folder, item.get("href", "")), item)
            for item in root.iter("item")
        }
        self._spine = [own.get("idref", "") for own in root.iter("itemref")]
        self._labels: dict[str, str] = {}
        for name, item in self._items.values():
            if "nav" in item.get("properties", "").split():
                self._add_labels(name, "nav a", "href")
            elif item.get("media-type") == "application/x-dtbncx+xml":
                self._add_labels(name, "navPoint", "src")

    def blocks(self) -> list[Block]:
        """The blocks of all pages but the table of contents."""
        locked = (self._package.read("META-INF/encryption.xml") or b"").decode("utf-8", "replace")
        blocks: list[Block] = []
        for id_ in self._spine:
            name, item = self._items.get(id_, ("", None))
            if item is None or "nav" in item.get("properties", "").split():
                continue
            if item.get("media-type") not in _PAGES:
                continue
            if f'"{name}"' in locked:
                raise UnreadableError("is protected against copying")
            data = self._package.read(name)
            self.missing += data is None
            blocks += self._chapter(name, _markup(data)) if data else []
        return blocks

    def _chapter(self, name: str, html: str) -> list[Block]:
        blocks = blocks_of_html(html)
        label = self._labels.get(name)
        if not blocks or blocks[0].level or not label:
            return blocks
        return [Block(label, level=1), *blocks]

    def _add_labels(self, name: str, selector: str, attribute: str) -> None:
        data = self._package.read(name)
        tree = LexborHTMLParser(_markup(data)) if data else None
        for node in tree.css(selector) if tree else ():
            holder = node if attribute in node.attributes else node.css_first(f"[{attribute}]")
            label = node if holder is node else node.css_first("text")
            if holder is not None and label is not None:
                href = urldefrag(holder.attributes.get(attribute) or "")[0]
                path = _path(posixpath.dirname(name), href)
                self._labels.setdefault(path, one_line(label.text()))


def _path(folder: str, href: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(href)))


def _markup(data: bytes) -> str:
    """XHTML as HTML; what stands aside in a book is a note or a box, and is read."""
    return _ASIDE.sub(r"<\1div", _EMPTY.sub(r"<\1\2></\1>", decode(data)))

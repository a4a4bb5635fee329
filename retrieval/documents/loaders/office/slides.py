"""Reads PowerPoint files: each slide as a page, with its notes and comments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from retrieval.documents.loaders.blocks import (
    Block,
    Loaded,
    comment,
    counted,
    sections_of,
    title_of,
)
from retrieval.documents.loaders.grid import Cell, blocks_of_grid, spread
from retrieval.documents.loaders.office.drawing import (
    description,
    drawn_lines,
    drawn_text,
    graphics,
    target,
)
from retrieval.documents.loaders.office.numbering import numeral
from retrieval.documents.loaders.office.package import Element, Package, is_on, local_name, whole
from retrieval.errors import UnreadableError

_TITLES = frozenset(("title", "ctrTitle"))
_REPEATED = frozenset(("ftr", "hdr"))
_LEFT_OUT = frozenset(("sldNum", "dt", "sldImg"))
_LISTED = frozenset(("body", "obj", ""))
_FRAMES = ("p|spPr/a|xfrm", "p|grpSpPr/a|xfrm", "p|xfrm")
_FORMS = {"alphaLc": "lowerLetter", "alphaUc": "upperLetter", "romanLc": "lowerRoman"}


def load_slides(data: bytes) -> list[Loaded]:
    """One document whose pages are the slides, by their numbers; hidden ones are left out.

    Raises:
        UnreadableError: If the file is damaged, protected, or unpacks to too much.
    """
    package = Package(data)
    root = package.xml(package.main)
    if root is None or root.tag != "p|presentation":
        raise UnreadableError("is damaged or not really a PowerPoint file")
    deck = _Deck(package, root)
    blocks = list(deck.blocks())
    gaps = (
        *((f"hidden slides: {', '.join(map(str, deck.hidden))}",) if deck.hidden else ()),
        *counted(deck.pictures, "picture"),
        *counted(deck.embedded, "embedded file"),
        *counted(deck.outside, "box beside its slide", "boxes beside their slides"),
    )
    return [Loaded(sections_of(blocks), title=title_of(blocks) or package.title(), gaps=gaps)]


class _Deck:
    """Reads the slides in order, and remembers what was left out."""

    def __init__(self, package: Package, root: Element) -> None:
        self.hidden: list[int] = []
        self.pictures = 0
        self.embedded = 0
        self.outside = 0
        self._package = package
        self._root = root
        self._part = ""
        size = root.find("p|sldSz")
        self._size = _pair(size, "cx", "cy") if size is not None else None
        self._footers: set[str] = set()
        self._authors = {
            author.get("id", ""): author.get("name", "")
            for kind in ("commentAuthors", "authors")
            for part in package.related(package.main, kind)
            for _, author in package.stream(part, "cmAuthor", "author")
        }

    def blocks(self) -> Iterator[Block]:
        """All that stands on the slides, each with the number of its slide."""
        start = whole(self._root.get("firstSlideNum"), 1, digits=4)
        relations = self._package.relations(self._package.main)
        listed = [own.get("r|id", "") for own in self._root.iter("p|sldId")]
        for number, id_ in enumerate(listed, start):
            relation = relations.get(id_)
            slide = self._package.xml(relation.target) if relation else None
            if relation is None or slide is None:
                continue
            if slide.get("show") in ("0", "false"):
                self.hidden.append(number)
                continue
            self._part = relation.target
            for block in self._slide(slide, number):
                yield replace(block, page=number)

    def _slide(self, slide: Element, number: int) -> Iterator[Block]:
        shapes = list(self._shapes(slide.find("p|cSld/p|spTree")))
        titles = [shape for shape in shapes if _kind(shape) in _TITLES]
        title = " ".join(" ".join(drawn_lines(shape)) for shape in titles).strip()
        blocks = [own for shape in shapes if shape not in titles for own in self._shape(shape)]
        blocks += self._beside()
        if title or blocks:
            # Without a heading of its own a slide would stand below that of the one before it.
            yield Block(title or f"Slide {number}", level=2)
        yield from blocks

    def _shapes(self, tree: Element | None, *, is_slide: bool = True) -> Iterator[Element]:
        """What is drawn, also in groups, but for what is hidden or beside the slide."""
        for shape in () if tree is None else tree:
            # What is in a group has places of the group's own.
            if is_slide and self._size and _is_outside(shape, self._size):
                self.outside += 1
            elif shape.tag == "p|grpSp":
                yield from self._shapes(shape, is_slide=False)
            elif not any(is_on(own, "hidden") for own in shape.iterfind("*/p|cNvPr")):
                yield shape

    def _shape(self, shape: Element) -> Iterator[Block]:
        kind = _kind(shape)
        if shape.tag == "p|sp" and kind not in _LEFT_OUT:
            blocks = list(self._text(shape, is_listed=kind in _LISTED))
            blocks[-1:] = [replace(own, text=self._linked(shape, own.text)) for own in blocks[-1:]]
            text = "\n".join(block.text for block in blocks)
            if kind not in _REPEATED or text not in self._footers:
                yield from blocks
            self._footers |= {text} if kind in _REPEATED else set()
        elif shape.tag == "p|graphicFrame":
            drawn = graphics(shape, self._package, self._part)
            tables = [block for table in shape.iter("a|tbl") for block in self._table(table)]
            self.embedded += not drawn and not tables and any(shape.iter("p|oleObj"))
            yield from [*drawn, *tables]
        elif shape.tag == "p|pic":
            words = description(shape)
            self.pictures += not words
            told = self._linked(shape, f"({words})" if words else "").strip()
            yield from [Block(told)] if told else []

    def _text(self, shape: Element, *, is_listed: bool) -> Iterator[Block]:
        """The paragraphs of a shape, as the items of a list where they are one."""
        body = shape.find("p|txBody")
        found = body.findall("a|p") if body is not None else []
        paragraphs = [(own, text) for own in found if (text := self._words(own))]
        counts: dict[int, int] = {}
        for n, (paragraph, text) in enumerate(paragraphs):
            depth, label = _bullet(paragraph, counts, is_listed=is_listed and len(paragraphs) > 1)
            yield Block(f"{'  ' * depth}{label} {text}" if label else text, is_tight=n > 0)

    def _words(self, paragraph: Element) -> str:
        text = drawn_text(paragraph).strip()
        for link in paragraph.iter("a|hlinkClick") if text else ():
            text += self._target(link, text)
        return text

    def _linked(self, shape: Element, words: str) -> str:
        """The words of a shape, with where it leads who clicks on it."""
        link = shape.find("*/p|cNvPr/a|hlinkClick")
        return words if link is None else words + self._target(link, words)

    def _target(self, link: Element, words: str) -> str:
        relation = self._package.relations(self._part).get(link.get("r|id", ""))
        return target(relation.target, words) if relation and relation.is_external else ""

    def _table(self, table: Element) -> list[Block]:
        rows = ([self._cell(cell) for cell in row.iter("a|tc")] for row in table.iter("a|tr"))
        return blocks_of_grid(spread(rows), is_checked=False)

    def _cell(self, cell: Element) -> Cell:
        texts = map(self._words, cell.iter("a|p"))
        blocks = [Block(text) for text in texts if text]
        return Cell(blocks, goes_on=is_on(cell, "vMerge"), is_across=is_on(cell, "hMerge"))

    def _beside(self) -> Iterator[Block]:
        """A slide's notes and comments."""
        for name in self._package.related(self._part, "notesSlide"):
            notes = self._package.xml(name)
            tree = notes.find("p|cSld/p|spTree") if notes is not None else None
            lines = [
                line
                for own in self._shapes(tree, is_slide=False)
                if _kind(own) == "body"
                for line in drawn_lines(own)
            ]
            if lines:
                yield Block("Notes: " + "\n".join(lines))
        for name in self._package.related(self._part, "comments"):
            for _, own in self._package.stream(name, "cm", "reply"):
                parts = (p.text for p in own.iter() if local_name(p) in ("t", "text"))
                author = self._authors.get(own.get("authorId", ""))
                yield comment(author, "".join(filter(None, parts)).strip())


def _is_outside(shape: Element, size: tuple[int, int]) -> bool:
    """Whether nothing of a shape, or of a group, is on a slide of this size."""
    frame = next((found for found in map(shape.find, _FRAMES) if found is not None), None)
    place = frame.find("a|off") if frame is not None else None
    extent = frame.find("a|ext") if frame is not None else None
    if place is None or extent is None:
        return False
    starts, lengths = _pair(place, "x", "y"), _pair(extent, "cx", "cy")
    return any(
        start >= side or start + max(length, 1) <= 0
        for start, length, side in zip(starts, lengths, size, strict=True)
    )


def _pair(element: Element, first: str, second: str) -> tuple[int, int]:
    one, other = (element.get(name, "") for name in (first, second))
    return _signed(one), _signed(other)


def _signed(text: str) -> int:
    return -whole(text[1:], digits=10) if text.startswith("-") else whole(text, digits=10)


def _kind(shape: Element) -> str | None:
    """What a placeholder is for, '' where it is not said, None if a shape is none."""
    placeholder = shape.find("*/p|nvPr/p|ph")
    return None if placeholder is None else placeholder.get("type", "")


def _bullet(paragraph: Element, counts: dict[int, int], *, is_listed: bool) -> tuple[int, str]:
    """How deep a paragraph stands in a list, and what stands before it."""
    properties = paragraph.find("a|pPr")
    level = properties.get("lvl", "0") if properties is not None else "0"
    depth = int(level) if level in tuple("012345678") else 0
    for deeper in [other for other in counts if other > depth]:
        del counts[deeper]
    numbered = properties.find("a|buAutoNum") if properties is not None else None
    if numbered is not None:
        counts[depth] = counts.get(depth, whole(numbered.get("startAt"), 1, digits=5) - 1) + 1
        kind = numbered.get("type", "")
        number = numeral(counts[depth], next((_FORMS[f] for f in _FORMS if kind.startswith(f)), ""))
        return depth, number + (")" if kind.endswith(("ParenR", "ParenBoth")) else ".")
    counts.pop(depth, None)
    has_own = properties is not None and properties.find("a|buChar") is not None
    is_plain = properties is not None and properties.find("a|buNone") is not None
    return depth, "-" if has_own or (is_listed and not is_plain) else ""

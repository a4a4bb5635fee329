"""Reads OpenDocument: texts, sheets and slides of LibreOffice and others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from retrieval.documents.loaders.blocks import (
    Block,
    Loaded,
    comment,
    counted,
    one_line,
    sections_of,
    title_of,
)
from retrieval.documents.loaders.grid import blocks_of_grid, inline_table
from retrieval.documents.loaders.office.drawing import target
from retrieval.documents.loaders.office.numbering import numeral
from retrieval.documents.loaders.office.package import Element, Package, whole
from retrieval.documents.loaders.office.sheets import Area, Sheet, read_sheets
from retrieval.errors import UnreadableError

_MAX_REPEATED = 1_000
_FORMS = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
# fmt: off
_LEFT_OUT = frozenset((
    "text|tracked-changes", "text|table-of-content", "text|alphabetical-index", "text|ruby-text",
    "text|illustration-index", "text|table-index", "text|hidden-text", "text|hidden-paragraph",
    "text|page-number", "text|page-count", "office|forms", "presentation|notes",
    "text|note-citation", "office|event-listeners", "table|shapes",
))
# fmt: on


def load_open_document(data: bytes) -> list[Loaded]:
    """One document: a text, a heading for each sheet, or a page for each slide.

    Raises:
        RestrictedError: If a sheet may say who reads its rows, also where it is hidden.
        UnreadableError: If the file is damaged, protected, or unpacks to too much.
    """
    package = Package(data)
    if b"encryption-data" in (package.read("META-INF/manifest.xml") or b""):
        raise UnreadableError("is protected with a password")
    content = package.xml("content.xml")
    body = content.find("office|body") if content is not None else None
    if content is None or body is None or not len(body):
        raise UnreadableError("is damaged or not really an OpenDocument file")
    walk = _Walk(package, content)
    kind = body[0]
    if kind.tag == "office|spreadsheet":
        blocks, gaps = read_sheets(walk.sheets(kind))
        walk.gaps += gaps
    elif kind.tag == "office|presentation":
        blocks = list(walk.slides(kind))
    else:
        blocks = [*walk.margins(), *walk.blocks(kind)]
    is_text = kind.tag == "office|text"
    title = (title_of(blocks) if is_text else None) or _recorded_title(package)
    return [
        Loaded(
            sections_of(blocks), title=title, gaps=(*walk.gaps, *counted(walk.pictures, "picture"))
        )
    ]


def _recorded_title(package: Package) -> str | None:
    root = package.xml("meta.xml")
    titles = root.iter("title") if root is not None else ()
    return next((one_line(own.text) for own in titles if own.text), None)


class _Walk:
    """Reads a file in order, and remembers what was left out."""

    def __init__(self, package: Package, content: Element) -> None:
        self.gaps: list[str] = []
        self.pictures = 0
        self._package = package
        self._styles_root = package.xml("styles.xml")
        roots = [root for root in (content, self._styles_root) if root is not None]
        self._styles = {own.get("name", ""): own for r in roots for own in r.iter("style|style")}
        self._lists = {own.get("name", ""): own for r in roots for own in r.iter("text|list-style")}
        self._after: list[Block] = []
        self._depth = 0

    def margins(self) -> list[Block]:
        """What stands above and below the pages, once however often it is repeated."""
        root = self._styles_root
        texts: dict[str, None] = {}
        for page in root.iter("style|master-page") if root is not None else ():
            for part in page:
                if part.tag.startswith(("style|header", "style|footer")):
                    texts.update(dict.fromkeys(block.text for block in self.blocks(part)))
        found = [text for text in texts if any(letter.isalnum() for letter in text)]
        return [Block(text, is_tight=n > 0) for n, text in enumerate(found)]

    def blocks(self, parent: Element) -> Iterator[Block]:
        """The paragraphs, lists and tables in an element, each followed by its notes."""
        for child in parent:
            yield from self._blocks_of(child)

    def _blocks_of(self, child: Element) -> Iterator[Block]:
        if child.tag in ("text|p", "text|h"):
            yield from self._paragraph(child)
        elif child.tag == "text|list":
            yield from self._list(child, 0, child.get("style-name", ""))
        elif child.tag == "table|table":
            yield from self._table(child)
        elif child.tag == "drawing|frame":
            words = self._frame(child)
            yield from [Block(words)] if words else []
        elif child.tag not in _LEFT_OUT and child.tag != "office|annotation":
            yield from self.blocks(child)
        if not self._depth and self._after:
            after, self._after = self._after, []
            yield from after

    def _paragraph(self, element: Element) -> Iterator[Block]:
        text = "" if self._is_hidden(element) else self._text(element).strip()
        if text:
            is_heading = element.tag == "text|h"
            yield Block(text, min(whole(element.get("outline-level"), 1), 6) if is_heading else 0)

    def _is_hidden(self, element: Element) -> bool:
        is_hidden = self._has(element, "display", "none")
        if is_hidden and "hidden text" not in self.gaps:
            self.gaps.append("hidden text")
        return is_hidden

    def _has(self, element: Element, name: str, value: str) -> bool:
        """Whether the style of an element sets a property so."""
        style = self._styles.get(element.get("style-name", ""))
        return style is not None and any(own.get(name) == value for own in style)

    def _text(self, element: Element) -> str:
        pieces = [element.text or ""]
        for child in element:
            pieces += [self._inline(child), child.tail or ""]
        return "".join(pieces)

    def _inline(self, element: Element) -> str:
        match element.tag:
            case "text|s":
                return " " * min(whole(element.get("c"), 1), _MAX_REPEATED)
            case "text|tab":
                return "\t"
            case "text|line-break":
                return "\n"
            case "text|a":
                words = self._text(element)
                return words + target(element.get("href", ""), words)
            case "text|note":
                self._after += [Block(f"Note: {text}")] if (text := self._inner(element)) else []
                return ""
            case "office|annotation":
                self._after.append(self._comment(element))
                return ""
            case "drawing|frame" | "drawing|g" | "drawing|custom-shape":
                return self._frame(element)
        return "" if element.tag in _LEFT_OUT or self._is_hidden(element) else self._text(element)

    def _comment(self, element: Element) -> Block:
        creator = element.find("creator")
        author = creator.text if creator is not None else None
        return comment(author, self._inner(element))

    def _inner(self, element: Element) -> str:
        """The words of what stands beside the text, or in a cell."""
        self._depth += 1
        texts = [block.text for block in self.blocks(element)]
        self._depth -= 1
        return "\n".join(texts)

    def _frame(self, frame: Element) -> str:
        """What stands in a line for a picture or formula; a box's blocks follow the line."""
        for child in frame:
            if child.tag == "drawing|object":
                path = f"{child.get('href', '').removeprefix('./')}/content.xml"
                root = self._package.xml(path)
                if root is not None:
                    return self._object(root)
        boxes = [own for own in frame if own.tag in ("drawing|text-box", "text|p", "table|table")]
        if boxes:
            self._depth += 1
            self._after += self.blocks(frame)
            self._depth -= 1
            return ""
        words = " ".join(
            own.text or ""
            for own in frame
            if own.tag in ("svg-compatible|desc", "svg-compatible|title")
        ).strip()
        if not words and any(own.tag == "drawing|image" for own in frame):
            self.pictures += 1
        return f"({one_line(words)})" if words else ""

    def _object(self, root: Element) -> str:
        formulas = [own.text or "" for own in root.iter("annotation")]
        if formulas:
            return " ".join(formulas).strip()
        for table in root.iter("table|table"):
            drawn = blocks_of_grid(self._sheet(table).grid(), is_checked=False)
            self._after += [Block("Chart:"), *drawn]
        return ""

    def _list(self, element: Element, depth: int, style: str) -> Iterator[Block]:
        form = self._form(style, depth)
        number = 0
        for item in element:
            if item.tag not in ("text|list-item", "text|list-header"):
                continue
            number = whole(item.get("start-value"), number + 1, digits=6)
            label = "-" if form is None else f"{numeral(number, form)}."
            for child in item:
                if child.tag == "text|list":
                    yield from self._list(child, depth + 1, child.get("style-name", style))
                    continue
                for block in self._blocks_of(child):
                    if block.level:
                        yield block
                        continue
                    yield replace(block, text=f"{'  ' * depth}{label} {block.text}", is_tight=True)
                    label = " " * len(label)

    def _form(self, style: str, depth: int) -> str | None:
        """How the items of a list are numbered, None for bullets."""
        levels = self._lists.get(style)
        for level in () if levels is None else levels:
            if level.get("level") == str(depth + 1) and level.tag == "text|list-level-style-number":
                told = level.get("num-format", "1")
                return _FORMS.get(told, "decimal") if told else "none"
        return None

    def _table(self, table: Element) -> Iterator[Block]:
        grid = self._sheet(table).grid()
        if max((len(row) for row in grid), default=0) < 2:
            yield from (Block(row[0]) for row in grid if row and row[0])
        else:
            drawn = blocks_of_grid(grid, is_checked=False)
            yield from [Block(inline_table(b.text)) for b in drawn] if self._depth else drawn

    def sheets(self, body: Element) -> Iterator[Sheet]:
        """The sheets, each with its comments beside it."""
        for table in body.findall("table|table"):
            sheet = self._sheet(table)
            sheet.beside, self._after = self._after, []
            yield sheet

    def _sheet(self, table: Element) -> Sheet:
        is_hidden = self._has(table, "display", "false")
        sheet = Sheet(table.get("name", ""), is_hidden=is_hidden)
        first = 1
        for column in table.iter("table|table-column"):
            count = _count(column, "number-columns-repeated")
            if column.get("visibility") == "collapse":
                sheet.hidden_columns.append(range(first, first + count))
            first += count
        number = 1
        for row in _rows(table):
            cells, merged = self._cells(row, number)
            count = _count(row, "number-rows-repeated")
            for repeated in range(number, number + min(count, _MAX_REPEATED if cells else 0)):
                sheet.rows[repeated] = dict(cells)
                if row.get("visibility") == "collapse":
                    sheet.hidden_rows.add(repeated)
            sheet.merged += merged
            number += count
        sheet.finish()
        return sheet

    def _cells(self, row: Element, number: int) -> tuple[dict[int, str], list[Area]]:
        cells: dict[int, str] = {}
        merged: list[Area] = []
        column = 1
        for cell in row:
            if cell.tag not in ("table|table-cell", "table|covered-table-cell"):
                continue
            count = _count(cell, "number-columns-repeated")
            for annotation in cell.findall("office|annotation"):
                self._after.append(self._comment(annotation))
            text = self._inner(cell) if cell.tag == "table|table-cell" else ""
            if text.strip():
                cells.update(dict.fromkeys(range(column, column + min(count, _MAX_REPEATED)), text))
            down = _count(cell, "number-rows-spanned")
            across = _count(cell, "number-columns-spanned")
            if down * across > 1:
                merged.append((number, number + down - 1, column, column + across - 1))
            column += count
        return cells, merged

    def slides(self, body: Element) -> Iterator[Block]:
        """What stands on the slides, with their notes; hidden ones are left out."""
        hidden = []
        for number, page in enumerate(body.findall("drawing|page"), 1):
            if self._has(page, "visibility", "hidden"):
                hidden.append(str(number))
                continue
            for block in self._slide(page, number):
                yield replace(block, page=number)
        self.gaps += [f"hidden slides: {', '.join(hidden)}"] if hidden else []

    def _slide(self, page: Element, number: int) -> list[Block]:
        titles = [own for own in page.findall("drawing|frame") if own.get("class") == "title"]
        title = " ".join(self._inner(own) for own in titles).strip()
        blocks = [own for shape in page if shape not in titles for own in self._shape(shape)]
        notes = [self._inner(own) for own in page.iterfind("presentation|notes/drawing|frame")]
        text = "\n".join(filter(None, notes))
        blocks += [Block(f"Notes: {text}")] if text else []
        after, self._after = self._after, []
        blocks += after
        return (
            [Block(one_line(title) or f"Slide {number}", level=2), *blocks]
            if title or blocks
            else []
        )

    def _shape(self, shape: Element) -> list[Block]:
        if shape.tag == "drawing|frame" and not any(own.tag == "drawing|text-box" for own in shape):
            words = self._frame(shape)
            after, self._after = self._after, []
            return [*([Block(words)] if words else []), *after]
        if shape.tag in _LEFT_OUT or shape.tag == "office|annotation":
            self._after += [self._comment(shape)] if shape.tag == "office|annotation" else []
            return []
        return list(self.blocks(shape))


def _rows(table: Element) -> Iterator[Element]:
    for child in table:
        if child.tag == "table|table-row":
            yield child
        elif child.tag in ("table|table-header-rows", "table|table-row-group", "table|table-rows"):
            yield from _rows(child)


def _count(element: Element, name: str) -> int:
    return max(whole(element.get(name), digits=7), 1)

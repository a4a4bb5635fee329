"""Reads Word files: what is printed, with notes and comments after what they belong to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from retrieval.documents.loaders.block_headings import with_bold_lines, with_questions
from retrieval.documents.loaders.blocks import (
    Block,
    Loaded,
    comment,
    counted,
    sections_of,
    title_of,
)
from retrieval.documents.loaders.grid import Cell, blocks_of_grid, inline_table, spread
from retrieval.documents.loaders.html.colours import WHITE, Colour
from retrieval.documents.loaders.office.drawing import (
    description,
    formula,
    graphics,
    is_true,
    target,
)
from retrieval.documents.loaders.office.numbering import Numbering
from retrieval.documents.loaders.office.package import Element, Package, whole
from retrieval.documents.loaders.office.word_colours import (
    behind_cell,
    behind_paragraph,
    behind_part,
    behind_table,
    is_unseen,
)
from retrieval.documents.loaders.office.word_styles import Style, Styles
from retrieval.errors import UnreadableError

_LINK = re.compile(r"\s*HYPERLINK\s+\"([^\"]+)\"", re.IGNORECASE)
_PAGE_NUMBER = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES)\b", re.IGNORECASE)
_ONLY_NUMBERED = re.compile(
    r"(?:page|seite|pagina|página|of|von|de|di|van|sur|第|页|頁|共|[\W\d_])*", re.IGNORECASE
)
_PLAIN = {"w|tab": "\t", "w|ptab": "\t", "w|br": "\n", "w|cr": "\n", "w|noBreakHyphen": "-"}
_SYMBOLS = {"F0FE": "☒", "F052": "☑", "F0A8": "☐", "F06F": "☐", "F0FC": "✓", "F0E0": "→"}
# fmt: off
_WRAPPERS = frozenset((
    "w|ins", "w|moveTo", "w|hyperlink", "w|smartTag", "w|customXml", "w|sdt", "w|sdtContent",
    "w|fldSimple", "w|dir", "w|bdo", "w|rubyBase", "m|oMathPara",
))
# fmt: on
_MAX_SPAN = 63  # columns that a table of Word's may have


def load_word(data: bytes) -> list[Loaded]:
    """One document, tracked changes as accepted; headers and footers come first, and once.

    Raises:
        UnreadableError: If the file is damaged, protected, or unpacks to too much.
    """
    package = Package(data)
    root = package.xml(package.main)
    body = root.find("w|body") if root is not None else None
    if root is None or body is None:
        raise UnreadableError("is damaged or not really a Word file")
    walk = _Walk(package, package.main, behind_part(root))
    blocks = with_questions(with_bold_lines([*walk.margins(root), *walk.blocks(body)]))
    gaps = (
        *counted(walk.pictures, "picture"),
        *counted(walk.embedded, "embedded file"),
        *(("hidden text",) if walk.has_hidden else ()),
    )
    # An office file's recorded title is often its template's.
    return [Loaded(sections_of(blocks), title=title_of(blocks) or package.title(), gaps=gaps)]


@dataclass(slots=True)
class _Field:
    """A field such as a link or a date: its code, and where what is shown for it starts."""

    start: int
    code: str = ""
    is_shown: bool = False


class _Walk:
    """Reads the parts of a file in order, and remembers what was left out."""

    def __init__(self, package: Package, part: str, behind: Colour | None) -> None:
        self.pictures = 0
        self.embedded = 0
        self.has_hidden = False
        self._behind = behind
        self._package = package
        self._part = part
        self._styles = Styles(self._related("styles"))
        self._numbering = Numbering(self._related("numbering"))
        self._notes = {
            (tag, element.get("id", "")): (name, element)
            for tag in ("w|footnote", "w|endnote", "w|comment")
            for name in package.related(part, f"{tag[2:]}s")
            for element in self._notes_in(name, tag)
        }
        self._fields: list[_Field] = []
        self._pieces: list[str] = []
        self._carried = ""
        self._after: list[Block] = []
        self._depth = 0

    def _related(self, kind: str) -> Element | None:
        name = next(iter(self._package.related(self._part, kind)), None)
        return self._package.xml(name) if name else None

    def _notes_in(self, part: str, tag: str) -> list[Element]:
        root = self._package.xml(part)
        found = root.findall(tag) if root is not None else []
        return [element for element in found if element.get("type") in (None, "normal")]

    def margins(self, root: Element) -> list[Block]:
        """What stands above and below the pages, once however often it is repeated."""
        settings = self._related("settings")
        has_even = settings is not None and is_true(settings.find("w|evenAndOddHeaders"))
        relations = self._package.relations(self._part)
        texts: dict[str, None] = {}
        for section in root.iter("w|sectPr"):
            has_first = is_true(section.find("w|titlePg"))
            for reference in (
                *section.iter("w|headerReference"),
                *section.iter("w|footerReference"),
            ):
                relation = relations.get(reference.get("r|id", ""))
                kind = reference.get("type")
                if relation and (has_first or kind != "first") and (has_even or kind != "even"):
                    texts.update(dict.fromkeys(self._margin(relation.target)))
        return [Block(text, is_tight=n > 0) for n, text in enumerate(texts)]

    def _margin(self, part: str) -> list[str]:
        root = self._package.xml(part)
        if root is None:
            return []
        pictures = self.pictures
        with self._inside(part, behind_part(root)):
            texts = [block.text for block in self.blocks(root)] + [b.text for b in self._after]
        self._after.clear()
        self.pictures = pictures  # a logo is no loss
        return [text for text in texts if not _ONLY_NUMBERED.fullmatch(text)]

    @contextmanager
    def _inside(self, part: str, behind: Colour | None) -> Iterator[None]:
        """Read another part, or what must stay together: notes wait for the end of it."""
        outer, self._part = self._part, part
        self._depth += 1
        with self._on(behind):
            yield
        self._depth -= 1
        self._part = outer

    @contextmanager
    def _on(self, behind: Colour | None) -> Iterator[None]:
        """Read what stands on a colour of its own."""
        outer, self._behind = self._behind, behind
        yield
        self._behind = outer

    def blocks(self, parent: Element) -> Iterator[Block]:
        """The paragraphs and tables in an element, each followed by its notes."""
        for child in parent:
            if child.tag == "w|p":
                yield from self._paragraph(child)
            elif child.tag == "w|tbl":
                yield from self._table(child)
            elif child.tag in _WRAPPERS:
                yield from self.blocks(child)
            self.embedded += child.tag == "w|altChunk"
            if not self._depth and self._after:
                after, self._after = self._after, []
                yield from after

    def _paragraph(self, element: Element) -> Iterator[Block]:
        if self._fields and not self._fields[-1].is_shown:
            self._fields.clear()  # a code without an end would hide all that follows
        style = self._styles.of(element.find("w|pPr"))
        outer, self._pieces, self._carried = self._pieces, [self._carried], ""
        with self._on(None if style.is_shaded else behind_paragraph(element, self._behind)):
            self._read(element, is_hidden=style.is_hidden)
        text, self._pieces = "".join(self._pieces), outer
        if element.find("w|pPr/w|rPr/w|del") is not None:
            self._carried = text  # the end of this paragraph was deleted
        elif text.strip() and not style.is_contents:
            yield self._block(text.strip(), style, bold=_bold_beginning(element))

    def _block(self, text: str, style: Style, *, bold: str) -> Block:
        label = self._numbering.label(*style.list) if style.list else ""
        if style.level:
            return Block(" ".join(f"{label.strip('-')} {text}".split()), style.level)
        if not style.list or not label:
            return Block(text, bold=bold)
        return Block(f"{'  ' * style.list[1]}{label} {text}", is_tight=True)

    def _read(self, parent: Element, *, is_hidden: bool) -> None:
        """Add what a reader sees of an element to the pieces."""
        for child in parent:
            if child.tag == "w|r":
                hides = self._styles.hides(child, is_hidden=is_hidden)
                self._run(child, is_hidden=hides or is_unseen(child, self._behind))
            elif child.tag in _WRAPPERS and not _PAGE_NUMBER.match(child.get("instr", "")):
                start = len(self._pieces)
                self._read(child, is_hidden=is_hidden)
                self._add_link(child, start)
            elif child.tag == "m|oMath" and not is_hidden:
                self._pieces.append(formula(child))

    def _add_link(self, element: Element, start: int) -> None:
        relation = self._package.relations(self._part).get(element.get("r|id", ""))
        told = _LINK.match(element.get("instr", ""))
        address = relation.target if relation and relation.is_external else told and told[1]
        if element.tag in ("w|hyperlink", "w|fldSimple") and address:
            self._pieces.append(target(address, "".join(self._pieces[start:])))

    def _run(self, run: Element, *, is_hidden: bool) -> None:
        for child in run:
            if child.tag == "w|fldChar":
                self._field(child)
            elif child.tag == "w|instrText":
                if self._fields:
                    self._fields[-1].code += child.text or ""
            elif is_hidden:
                self.has_hidden |= child.tag == "w|t" and bool(child.text)
            elif all(field.is_shown for field in self._fields):
                self._shown(child)

    def _field(self, element: Element) -> None:
        match element.get("fldCharType"):
            case "begin":
                self._fields.append(_Field(len(self._pieces)))
                self._pieces.append(_form_value(element))
            case "separate" if self._fields:
                self._fields[-1].is_shown = not _PAGE_NUMBER.match(self._fields[-1].code)
            case "end" if self._fields:
                field = self._fields.pop()
                if link := _LINK.match(field.code):
                    self._pieces.append(target(link[1], "".join(self._pieces[field.start :])))

    def _shown(self, element: Element) -> None:
        tag = element.tag
        if tag == "w|t":
            self._pieces.append(element.text or "")
        elif tag in _PLAIN:
            self._pieces.append(_PLAIN[tag])
        elif tag == "w|sym":
            self._pieces.append(_symbol(element.get("char", "")))
        elif tag in ("w|footnoteReference", "w|endnoteReference", "w|commentReference"):
            self._note(tag.removesuffix("Reference"), element.get("id", ""))
        elif tag in ("w|drawing", "w|pict", "w|object"):
            self._drawing(element)
        elif tag == "w|ruby":
            self._read(element, is_hidden=False)

    def _note(self, tag: str, id_: str) -> None:
        # Once, though it may be referred to again.
        part, element = self._notes.pop((tag, id_), ("", None))
        if element is None:
            return
        fields, self._fields = self._fields, []
        with self._inside(part, WHITE):
            text = "\n".join(block.text for block in self.blocks(element))
        self._fields = fields
        if text and tag == "w|comment":
            self._after.append(comment(element.get("author"), text))
        elif text:
            self._after.append(Block(f"Note: {text}"))

    def _drawing(self, element: Element) -> None:
        boxes = list(_outermost(element, "w|txbxContent"))
        for box in boxes:
            with self._inside(self._part, None):
                self._after += self.blocks(box)
        drawn = graphics(element, self._package, self._part)
        self._after += drawn
        if boxes or drawn:
            return
        if words := description(element):
            self._pieces.append(f"({words})")
        elif element.tag == "w|object":
            self.embedded += 1
        elif any(child.tag in ("pic|pic", "imagedata") for child in element.iter()):
            self.pictures += 1

    def _table(self, table: Element) -> Iterator[Block]:
        with self._inside(self._part, behind_table(table, self._behind)):
            rows = [self._cells(row) for row in _children(table, "w|tr") if not _is_gone(row)]
        contents = [block for row in rows for cell in row for block in cell.blocks]
        if max((len(row) for row in rows), default=0) < 2 or any(b.level for b in contents):
            yield from contents  # a box, or a page laid out in columns
            return
        drawn = blocks_of_grid(spread(rows), is_checked=False)
        yield from [Block(inline_table(block.text)) for block in drawn] if self._depth else drawn

    def _cells(self, row: Element) -> list[Cell]:
        cells = [Cell()] * _count(row.find("w|trPr/w|gridBefore"))
        for element in _children(row, "w|tc"):
            merged = element.find("w|tcPr/w|vMerge")
            goes_on = merged is not None and merged.get("val") != "restart"
            with self._on(behind_cell(element, self._behind)):
                cells.append(Cell(tuple(self.blocks(element)), goes_on=goes_on))
            cells += [Cell(is_across=True)] * (_count(element.find("w|tcPr/w|gridSpan")) - 1)
        return cells


def _bold_beginning(paragraph: Element) -> str:
    """The words in bold letters that a paragraph begins with."""
    words = ""
    for run in paragraph.iter("w|r"):
        text = "".join(element.text or "" for element in run.findall("w|t"))
        if text.strip() and not is_true(run.find("w|rPr/w|b")):
            break
        words += text
    return words.strip()


def _is_gone(row: Element) -> bool:
    return row.find("w|trPr/w|del") is not None or is_true(row.find("w|trPr/w|hidden"))


def _count(element: Element | None) -> int:
    return min(whole(element.get("val"), digits=3), _MAX_SPAN) if element is not None else 0


def _children(parent: Element, tag: str) -> Iterator[Element]:
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag in _WRAPPERS:
            yield from _children(child, tag)


def _outermost(element: Element, tag: str) -> Iterator[Element]:
    for child in element:
        if child.tag == tag:
            yield child
        else:
            yield from _outermost(child, tag)


def _symbol(code: str) -> str:
    if code.upper() in _SYMBOLS:
        return _SYMBOLS[code.upper()]
    is_own = re.fullmatch(r"[0-9A-Fa-f]{4}", code) and not code.upper().startswith(
        ("F0", "D8", "DC")
    )
    return chr(int(code, 16)) if is_own else ""


def _form_value(field: Element) -> str:
    """What is shown of a box to tick or a list to choose from."""
    tick = field.find("w|ffData/w|checkBox")
    if tick is not None:
        own = tick.find("w|checked")
        return "☒" if is_true(tick.find("w|default") if own is None else own) else "☐"
    entries = field.findall("w|ffData/w|ddList/w|listEntry")
    chosen = _count(field.find("w|ffData/w|ddList/w|result"))
    return entries[chosen].get("val", "") if chosen < len(entries) else ""

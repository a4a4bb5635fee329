"""Reads PDF: what is seen on its pages, in sections by heading and page."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

import pypdfium2 as pdfium
import pypdfium2.raw as c

from retrieval.documents.loaders import ocr
from retrieval.documents.loaders.blocks import (
    MAX_TITLE_CHARS,
    Block,
    Loaded,
    one_line,
    sections_of,
    table_text,
    top_heading,
)
from retrieval.documents.loaders.pdf.edges import without_running_heads
from retrieval.documents.loaders.pdf.layout import STOP, Element, Text, elements_of
from retrieval.documents.loaders.pdf.page import Page, drawn, read_page
from retrieval.documents.loaders.pdf.ruled_tables import tables_in
from retrieval.documents.loaders.pdf.words import Word, joined
from retrieval.errors import UnreadableError
from retrieval.language import CJK

# What converters put there: file names, and the program that printed the page.
_RUBBISH_TITLE = re.compile(r"\.\w{2,5}$|^Microsoft |^untitled|^\(anonymous\)$", re.IGNORECASE)
_NUMBERED = re.compile(r"^\W*[\d.]+\s")
_PUNCTUATION = re.compile(r"[\W_]+")
_WORDS = re.compile(rf"[^\W\d_]{{2}}|[{CJK}]")
_NO_HEADING = re.compile(r"[.,;]$|://|@")
_OF_A_PAGE = re.compile(r"\W*(?:page|slide|seite|folie|sheet|幻灯片|第)?[\W\d_]*页?", re.IGNORECASE)
_CJK = re.compile(f"[{CJK}]")
_NOTE = re.compile(r"(?:\d{1,2}|[*†‡])\s?\S")
_MIN_CUT = 40
"""A shorter text that ends without a stop is no sentence."""
_AMOUNT = re.compile(r"[\d.,%€$£¥ +-]+")
_HAS_NUMBER = re.compile(r"(?<!\d)(?!(?:19|20)\d\d(?!\d))\d")

_OBJECT = re.compile(rb"(\d{1,9}\s+\d{1,5})\s+obj\b")
_MAX_BEFORE = 1_000
_END = b"\n%%EOF mended\n"
_OCR_SCALE = 200 / 72
_NAMED_PAGES = 20
_MAX_BOOKMARKS = 5_000
_HEADING_RATIO = 1.15
"""A line this much taller than the body's letters is a heading."""

_Bookmarks = dict[int, list[tuple[int, str]]]

_REASONS = {
    c.FPDF_ERR_PASSWORD: "is protected with a password",
    c.FPDF_ERR_SECURITY: "is encrypted in a way that is not supported",
}


def load_pdf(data: bytes, may_read: ocr.MayRead) -> list[Loaded]:
    """One document with sections for its headings and pages; pages without text are its gap.

    Raises:
        UnreadableError: If the file is damaged, needs a password or holds no text.
    """
    document = _opened(data)
    document.init_forms()
    reader = _Reader(document, may_read)
    pages = [reader.page(n) for n in range(len(document))]
    if not any(page.words or page.notes for page in pages):
        raise UnreadableError(f"is a PDF without a text layer; {reader.advice}")
    labels = [document.get_page_label(n) for n in range(len(pages))]
    blocks = _across_pages(_blocks(without_running_heads(pages, labels), _bookmarks(document)))
    title = _title(document.get_metadata_value("Title")) or top_heading(blocks)
    gaps = [*reader.gaps(pages), *_attached(document)]
    return [Loaded(sections_of(blocks), title=title, gaps=tuple(gaps))]


def _opened(data: bytes) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        # A file that was cut off has lost the word on where it begins.
        catalog = data.find(b"/Catalog")
        begun = _OBJECT.findall(data, max(catalog - _MAX_BEFORE, 0), max(catalog, 0))
        if error.err_code == c.FPDF_ERR_FORMAT and begun and not data.endswith(_END):
            return _opened(data + b"\ntrailer\n<< /Root %s R >>" % begun[-1] + _END)
        reason = _REASONS.get(error.err_code or 0, "is a damaged PDF")
        raise UnreadableError(reason) from error


class _Reader:
    """Reads the pages of a document, and keeps the numbers of those that were hard to read."""

    def __init__(self, document: pdfium.PdfDocument, may_read: ocr.MayRead) -> None:
        self._document = document
        self._may_read = may_read
        self._damaged: list[int] = []
        self._scanned: list[int] = []
        self._late: list[int] = []

    def page(self, index: int) -> Page:
        try:
            page = self._document[index]
        except pdfium.PdfiumError:
            self._damaged.append(index + 1)
            return Page(0)
        with contextlib.closing(page):
            read = read_page(page, self._document.formenv)
            if not read.is_picture or not ocr.IS_INSTALLED:
                return read
            if not self._may_read():
                self._late.append(index + 1)
                return read
            words = _scanned(page)
        if _length(words) <= 1.3 * _length(read.words):
            return read
        self._scanned.append(index + 1)
        return replace(read, words=words, lines=[])

    @property
    def advice(self) -> str:
        """Why pages that may be scanned hold no text."""
        if not ocr.IS_INSTALLED:
            return "it may be scanned, and OCR is not installed"
        return "it may be scanned, and OCR is off" if self._late else "OCR finds no text in it"

    def gaps(self, pages: Sequence[Page]) -> Iterator[str]:
        """What a reader of the document is to know of its pages."""
        known = {*self._damaged, *self._late}
        numbered = list(enumerate(pages, 1))
        empty = [n for n, page in numbered if not (page.words or page.notes or n in known)]
        hidden = [n for n, page in numbered if page.hidden and n not in self._scanned]
        beside = [n for n, page in numbered if page.has_picture]
        for found, what in (
            (empty, "hold no text"),
            (self._damaged, "are damaged"),
            (self._late, "are pictures that were not read: there are too many for OCR"),
            (self._scanned, "were read by OCR"),
            (hidden, "hold words that cannot be seen, which are left out"),
            (beside, "hold large pictures that are not read"),
        ):
            if found:
                yield _gap(found, len(pages), what)


def _scanned(page: pdfium.PdfPage) -> list[Word]:
    from PIL import Image

    scale = min(_OCR_SCALE, ocr.MAX_SIDE / max(*page.get_size(), 1))
    return [
        Word(word.text, *(side / scale for side in (word.x0, word.top, word.x1, word.bottom)))
        for word in ocr.words_in(Image.fromarray(drawn(page, scale)))
    ]


def _length(words: Iterable[Word]) -> int:
    return sum(len(word.text) for word in words)


def _attached(document: pdfium.PdfDocument) -> Iterator[str]:
    if count := document.count_attachments():
        yield f"{count} attached {'file was' if count == 1 else 'files were'} not read"


def _gap(found: Sequence[int], pages: int, what: str) -> str:
    numbers = ", ".join(map(str, found[:_NAMED_PAGES]))
    more = ", …" if len(found) > _NAMED_PAGES else ""
    return f"{len(found)} of {pages} pages {what}: {numbers}{more}"


def _bookmarks(document: pdfium.PdfDocument) -> _Bookmarks:
    """The levels and titles of the bookmarks, by the page that they lead to."""
    found: _Bookmarks = {}
    for n, bookmark in enumerate(document.get_toc(max_depth=6)):
        if n == _MAX_BOOKMARKS:
            break
        target = bookmark.get_dest()
        index = target.get_index() if target else None
        title = one_line(bookmark.get_title())
        if index is not None and not _OF_A_PAGE.fullmatch(title):
            found.setdefault(index, []).append((min(bookmark.level + 1, 6), title))
    return found


def _blocks(pages: Sequence[Page], bookmarks: _Bookmarks) -> Iterator[Block]:
    read = [list(elements_of([*chain(*tables_in(page.words, page.lines))])) for page in pages]
    levels = _levels(element for elements in read for element in elements)
    header: tuple[str, ...] = ()
    for number, (page, elements) in enumerate(zip(pages, read, strict=True), 1):
        listed = {_key(title): level for level, title in bookmarks.get(number - 1, [])}
        said = {_key(element.text) for element in elements if isinstance(element, Text)}
        for level, title in bookmarks.get(number - 1, []):
            if _key(title) not in said:  # on scans, and where it is written otherwise
                yield Block(title, level, page=number)
        for n, element in enumerate(elements):
            if isinstance(element, Text):
                level = _level(element, levels, listed)
                yield Block(element.text, level, page=number, is_tight=element.is_tight)
                header = ()
                continue
            # A table that goes on from the page before has the same columns.
            goes_on = n == 0 and len(header) == len(element.rows[0]) and header != element.rows[0]
            rows = (header, *element.rows) if goes_on else element.rows
            yield Block(table_text(rows, has_header=_has_header(rows[0])), page=number)
            header = rows[0] if _has_header(rows[0]) else ()
        yield from (Block(note, page=number) for note in page.notes)


def _across_pages(blocks: Iterable[Block]) -> list[Block]:
    """The blocks; a sentence that goes on on the next page stands where it begins."""
    found: list[Block] = []
    for block in blocks:
        begun = _begun(found, block) if not block.level and _goes_on(block.text) else None
        if begun is None:
            found.append(block)
        else:
            found[begun] = replace(found[begun], text=joined((found[begun].text, block.text)))
    return found


def _goes_on(text: str) -> bool:
    """Whether a text may begin in mid-sentence."""
    return text[:1].islower() or _CJK.match(text) is not None


def _begun(blocks: Sequence[Block], rest: Block) -> int | None:
    """Which of the blocks ends the page before in mid-sentence, but for notes at its foot."""
    for n in range(len(blocks) - 1, -1, -1):
        block = blocks[n]
        if block.level or block.page is None or block.page + 1 != rest.page:
            return None
        if not _NOTE.match(block.text):
            is_cut = len(block.text) >= _MIN_CUT and not STOP.search(block.text)
            return n if is_cut and not block.text.startswith("|") else None
    return None


def _levels(elements: Iterable[Element]) -> dict[float, int]:
    """The level of headings by the height of their letters."""
    sizes: Counter[float] = Counter()
    for element in elements:
        if isinstance(element, Text):
            sizes[_size(element)] += len(element.text)
    sizes.pop(0, None)  # what was read by OCR
    if not sizes:
        return {}
    body = sizes.most_common(1)[0][0]
    larger = sorted((size for size in sizes if size > _HEADING_RATIO * body), reverse=True)
    return {size: min(n, 6) for n, size in enumerate(larger, 1)}


def _size(text: Text) -> float:
    return round(2 * text.size) / 2


def _level(text: Text, levels: dict[float, int], listed: dict[str, int]) -> int:
    is_short = len(text.text) <= MAX_TITLE_CHARS
    if not is_short or _NO_HEADING.search(text.text) or not _WORDS.search(text.text):
        return 0
    return listed.pop(_key(text.text), 0) or levels.get(_size(text), 0)


def _key(title: str) -> str:
    """What a title has in common with how the bookmark for it is written."""
    return _PUNCTUATION.sub("", _NUMBERED.sub("", title)).casefold()


def _has_header(row: Sequence[str]) -> bool:
    # Of two columns the first often names what the second says, from the first row on.
    is_pair = len(row) == 2 and _HAS_NUMBER.search(row[1])
    return sum(map(bool, row)) >= len(row) - 1 and not (is_pair or any(map(_AMOUNT.fullmatch, row)))


def _title(title: str) -> str | None:
    line = one_line(title)
    return line if line and not _RUBBISH_TITLE.search(line) else None

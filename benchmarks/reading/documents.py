"""The same documents as files of every type, and what is in them."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from html import escape
from itertools import pairwise
from pathlib import Path

from docx import Document as Word
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from openpyxl import Workbook
from pptx import Presentation
from pptx.util import Inches
from reportlab.lib import colors
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Table

EXAMPLES = Path(__file__).parents[2] / "examples"
_FRONT_MATTER = re.compile(r"---\n.*?\n---\n", re.DOTALL)
_PARSER = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True, slots=True)
class Block:
    """A heading (`level` 1 to 6), a paragraph, list item or code (0), or a table (its `rows`)."""

    text: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Truth:
    """What a file holds: its blocks in reading order. The first is its title."""

    name: str
    blocks: tuple[Block, ...]


AWKWARD = """# Suppliers & terms

What we pay for parts < 5 EUR & services > 3 days. Name:\tIlse Brandt\tPhone:\t5512

## Prices 2026

| Item | Unit | Price | Until | Note |
|---|---|---|---|---|
| Buoy, small | piece | 310.50 | | from stock |
| Buoy, large | piece | | 30 June | ask Ilse |
| Cable (R&D) | metre | 7.5 | 31 May | |

## Per diem

| Country | Hotel | Meals |
|---|---|---|
| Peru | 80 | |
| Chile | | 42 |
| 中国 | 600 | 180 |
"""


def truths(limit: int | None = None) -> list[Truth]:
    """The Markdown files of the sample handbook and its sources, and an awkward one."""
    files = sorted((*EXAMPLES.glob("handbook/**/*.md"), *EXAMPLES.glob("sources/*.md")))
    texts = [(f"{file.parent.name}-{file.stem}", file.read_text("utf-8")) for file in files[:limit]]
    return [
        Truth(name, tuple(_blocks(_FRONT_MATTER.sub("", text, count=1))))
        for name, text in [("suppliers", AWKWARD), *texts]
    ]


def _blocks(markdown: str) -> Iterator[Block]:
    for node in SyntaxTreeNode(_PARSER.parse(markdown)).walk():
        if node.type == "heading":
            yield Block(_words(node), level=int(node.tag[1]))
        elif node.type == "table":
            rows = [row for part in node.children for row in part.children]
            yield Block(rows=tuple(tuple(_words(cell) for cell in row.children) for row in rows))
        elif node.type == "paragraph":
            yield Block(_words(node))
        elif node.type in ("fence", "code_block"):
            yield Block(node.content.strip())


def _words(node: SyntaxTreeNode) -> str:
    leaves = (leaf for leaf in node.walk() if leaf.type in ("text", "code_inline", "softbreak"))
    return "".join(leaf.content or " " for leaf in leaves)


def write_markdown(truth: Truth) -> bytes:
    """With a bar table for each table."""
    return "\n\n".join(_markdown(block) for block in truth.blocks).encode()


def _markdown(block: Block) -> str:
    if not block.rows:
        return f"{'#' * block.level} {escape(block.text, quote=False)}".strip()
    head, *rows = (f"| {' | '.join(escape(c, quote=False) for c in row)} |" for row in block.rows)
    return "\n".join([head, "|---" * len(block.rows[0]) + "|", *rows])


def write_html(truth: Truth) -> bytes:
    """A page with a header, a menu and a footer around what it says."""
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{escape(truth.blocks[0].text)}'
        '</title></head><body><header><nav><a href="/">Home</a> <a href="/all">All pages</a></nav>'
        f"</header><main>{_html(truth.blocks)}</main><footer>Skerrow</footer></body></html>"
    ).encode()


def _html(blocks: Sequence[Block]) -> str:
    return "\n".join(
        f"<table>{''.join(_html_row(row, 'td' if n else 'th') for n, row in enumerate(b.rows))}"
        "</table>"
        if b.rows
        else f"<h{b.level}>{escape(b.text)}</h{b.level}>"
        if b.level
        else f"<p>{escape(b.text)}</p>"
        for b in blocks
    )


def _html_row(row: Sequence[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in row)}</tr>"


def write_mail(truth: Truth) -> bytes:
    """HTML beside plain text that only says so."""
    message = EmailMessage()
    message["From"], message["To"] = "Ilse Brandt <ilse@skerrow.example.com>", "all@example.com"
    message["Subject"], message["Date"] = truth.blocks[0].text, "Mon, 04 May 2026 09:00:00 +0200"
    message.set_content("This message is best read in a program that shows HTML.")
    message.add_alternative(f"<html><body>{_html(truth.blocks)}</body></html>", subtype="html")
    return message.as_bytes()


def write_epub(truth: Truth) -> bytes:
    """A book with a chapter for each section below the title."""
    starts = [n for n, block in enumerate(truth.blocks) if block.level == 2]
    edges = [0, *starts, len(truth.blocks)]
    chapters = [_html(truth.blocks[a:b]) for a, b in pairwise(edges) if a < b]
    names = [f"c{n}.xhtml" for n in range(len(chapters))]
    items = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>'
        for n, name in enumerate(names)
    )
    spine = "".join(f'<itemref idref="i{n}"/>' for n in range(len(names)))
    title = escape(truth.blocks[0].text)
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<?xml version="1.0"?><container version="1.0" '
        'xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile '
        'full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        "book.opf": '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" '
        'version="3.0" unique-identifier="id"><metadata xmlns:dc='
        f'"http://purl.org/dc/elements/1.1/"><dc:identifier id="id">x</dc:identifier><dc:title>'
        f"{title}</dc:title><dc:language>en</dc:language></metadata><manifest>{items}</manifest>"
        f"<spine>{spine}</spine></package>",
    }
    for name, body in zip(names, chapters, strict=True):
        files[name] = (
            '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml">'
            f"<head><title>{title}</title></head><body>{body}</body></html>"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def write_notebook(truth: Truth) -> bytes:
    """A cell of Markdown for each block."""
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": [_markdown(block)]}
        for block in truth.blocks
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def write_docx(truth: Truth) -> bytes:
    """With Word's own styles for headings."""
    word = Word()
    for block in truth.blocks:
        if block.rows:
            table = word.add_table(len(block.rows), len(block.rows[0]))
            for n, row in enumerate(block.rows):
                for cell, text in zip(table.rows[n].cells, row, strict=True):
                    cell.text = text
        elif block.level:
            word.add_heading(block.text, block.level)
        else:
            word.add_paragraph(block.text)
    buffer = io.BytesIO()
    word.save(buffer)
    return buffer.getvalue()


def write_pptx(truth: Truth) -> bytes:
    """A slide for each heading; the last paragraph below it is in the speaker's notes."""
    deck = Presentation()
    layout = deck.slide_layouts[5]  # a title alone
    for heading, blocks in _sections(truth):
        slide = deck.slides.add_slide(layout)
        slide.shapes.title.text = heading.text
        box = slide.shapes.add_textbox(Inches(1), Inches(1.5), Inches(8), Inches(3))
        texts = [block.text for block in blocks if not block.rows]
        box.text_frame.text = "\n".join(texts[:-1] or texts)
        if texts[1:]:
            slide.notes_slide.notes_text_frame.text = texts[-1]
        for block in blocks:
            if block.rows:
                size = len(block.rows), len(block.rows[0])
                place = Inches(1), Inches(4), Inches(8), Inches(2)
                table = slide.shapes.add_table(*size, *place).table
                for n, row in enumerate(block.rows):
                    for m, text in enumerate(row):
                        table.cell(n, m).text = text
    buffer = io.BytesIO()
    deck.save(buffer)
    return buffer.getvalue()


def _sections(truth: Truth) -> list[tuple[Block, list[Block]]]:
    sections: list[tuple[Block, list[Block]]] = []
    for block in truth.blocks:
        if block.level:
            sections.append((block, []))
        else:
            sections[-1][1].append(block)
    return sections


def write_xlsx(truth: Truth) -> bytes:
    """A sheet for each table, whose first row is the heading above it."""
    book = Workbook()
    book.remove(book.active)
    for heading, blocks in _sections(truth):
        for block in blocks:
            if block.rows:
                sheet = book.create_sheet(re.sub(r"\W+", " ", heading.text)[:31])
                sheet.append([heading.text])
                for row in block.rows:
                    sheet.append([_number(cell) for cell in row])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _number(cell: str) -> str | float | int | None:
    if re.fullmatch(r"[1-9]\d*", cell):
        return int(cell)
    return float(cell) if re.fullmatch(r"\d+\.\d*[1-9]", cell) else cell or None


def write_csv(truth: Truth) -> bytes:
    """The first table."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows(next(block.rows for block in truth.blocks if block.rows))
    return buffer.getvalue().encode()


def write_pdf(truth: Truth) -> bytes:
    """Ruled tables, and headings by their size alone; Chinese in a font that is not embedded."""
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    is_chinese = re.search(r"[\u4e00-\u9fff]", write_markdown(truth).decode()) is not None
    font, wrap = ("STSong-Light", "CJK") if is_chinese else ("Helvetica", None)
    text = ParagraphStyle("text", fontName=font, fontSize=10, leading=15, wordWrap=wrap)
    story: list[Flowable] = []
    for block in truth.blocks:
        if block.rows:
            cells = [[Paragraph(escape(cell), text) for cell in row] for row in block.rows]
            story.append(Table(cells, style=[("GRID", (0, 0), (-1, -1), 0.5, colors.grey)]))
        else:
            size = 22 - 3 * block.level if block.level else 10
            style = ParagraphStyle("own", text, fontSize=size, leading=size * 1.5, spaceAfter=6)
            story.append(Paragraph(escape(block.text).replace("\n", "<br/>"), style))
    buffer = io.BytesIO()
    SimpleDocTemplate(buffer).build(story)
    return buffer.getvalue()


def has_tables(truth: Truth) -> bool:
    """Whether there is a sheet to write."""
    return any(block.rows for block in truth.blocks)


def tables_alone(truth: Truth) -> Truth:
    """What a workbook holds of it."""
    kept = [
        block
        for heading, blocks in _sections(truth)
        for tables in [[block for block in blocks if block.rows]]
        for block in ((Block(heading.text), *tables) if tables else ())
    ]
    return Truth(truth.name, tuple(kept))


def first_table(truth: Truth) -> Truth:
    """What a CSV file holds of it."""
    return Truth(truth.name, (next(block for block in truth.blocks if block.rows),))


def whole(truth: Truth) -> Truth:
    """What other files hold of it."""
    return truth


WRITERS: dict[str, tuple[Callable[[Truth], bytes], Callable[[Truth], Truth]]] = {
    ".md": (write_markdown, whole),
    ".html": (write_html, whole),
    ".docx": (write_docx, whole),
    ".pptx": (write_pptx, whole),
    ".xlsx": (write_xlsx, tables_alone),
    ".csv": (write_csv, first_table),
    ".pdf": (write_pdf, whole),
    ".epub": (write_epub, whole),
    ".eml": (write_mail, whole),
    ".ipynb": (write_notebook, whole),
}
"""By suffix: what writes the file, and what of the document is then in it."""

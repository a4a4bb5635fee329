"""Make the PDF and DOCX files of the sample handbook from the texts in `sources/`.

Needs `reportlab` and `python-docx`, which nothing else here does. The Chinese PDF names the
standard font STSong-Light instead of embedding one, which keeps it small. Run it after a source
has changed: `python examples/make_binaries.py`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from docx import Document
from docx.document import Document as DocxDocument
from reportlab.lib import colors
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Table

SOURCES = Path(__file__).parent / "sources"
HANDBOOK = Path(__file__).parent / "handbook"
EPOCH = dt.datetime(2026, 6, 2, tzinfo=dt.UTC)


def blocks(text: str) -> Iterator[tuple[int, str] | list[list[str]]]:
    """Headings and paragraphs with their level (0 for text), and tables as rows of cells."""
    for block in re.split(r"\n{2,}", text.strip()):
        lines = block.splitlines()
        if lines[0].startswith("|"):
            yield [
                [cell.strip() for cell in line.strip("|").split("|")]
                for line in lines
                if not line.startswith("|---")
            ]
            continue
        for line in lines if re.match(r"#|\d+\. ", block) else [" ".join(lines)]:
            marks = re.match(r"#*", line)
            yield len(marks[0]) if marks else 0, line.lstrip("# ")


def make_pdf(source: Path, target: Path, *, font: str, bold: str, title: str) -> None:
    wrap = "CJK" if font == "STSong-Light" else None
    text = ParagraphStyle("text", fontName=font, fontSize=10, leading=15, wordWrap=wrap)
    styles = {
        0: ParagraphStyle("body", text, spaceAfter=6),
        1: ParagraphStyle("title", text, fontName=bold, fontSize=18, leading=26, spaceAfter=10),
        2: ParagraphStyle("heading", text, fontName=bold, fontSize=13, leading=20, spaceBefore=8),
    }
    story: list[Flowable] = []
    for block in blocks(source.read_text(encoding="utf-8")):
        if isinstance(block, list):
            grid = [("GRID", (0, 0), (-1, -1), 0.5, colors.grey)]
            story.append(
                Table([[Paragraph(escape(c), text) for c in row] for row in block], style=grid)
            )
        else:
            story.append(Paragraph(escape(block[1]), styles[block[0]]))
    SimpleDocTemplate(
        str(target), pagesize=A5, title=title, author="Skerrow Instruments", invariant=1
    ).build(story)


def make_docx(source: Path, target: Path) -> None:
    document = Document()
    for block in blocks(source.read_text(encoding="utf-8")):
        if isinstance(block, list):
            add_table(document, block)
        elif block[0]:
            document.add_heading(block[1], level=block[0])
            document.core_properties.title = document.core_properties.title or block[1]
        else:
            document.add_paragraph(block[1])
    document.core_properties.author = "Skerrow Instruments"
    document.core_properties.created = document.core_properties.modified = EPOCH
    document.save(str(target))


def add_table(document: DocxDocument, rows: list[list[str]]) -> None:
    table = document.add_table(rows=0, cols=len(rows[0]), style="Table Grid")
    for row in rows:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text


def main() -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    (HANDBOOK / "support").mkdir(parents=True, exist_ok=True)
    make_pdf(
        SOURCES / "product-faq.md",
        HANDBOOK / "support" / "product-faq.pdf",
        font="Helvetica",
        bold="Helvetica-Bold",
        title="Product FAQ",
    )
    make_pdf(
        SOURCES / "zh-calibration.md",
        HANDBOOK / "zh" / "calibration.pdf",
        font="STSong-Light",
        bold="STSong-Light",
        title="校准车间操作手册",
    )
    make_docx(SOURCES / "support-tiers.md", HANDBOOK / "support" / "support-tiers.docx")
    make_docx(SOURCES / "zh-expenses.md", HANDBOOK / "zh" / "expenses.docx")


if __name__ == "__main__":
    main()

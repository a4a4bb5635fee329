"""Reads PDF: the text layer, a section for each page."""

from __future__ import annotations

import io
import re
from collections import Counter

from retrieval.documents.loaders.blocks import Block, Loaded, one_line, sections_of
from retrieval.documents.loaders.text import unwrap
from retrieval.errors import UnreadableError

# What converters put there: file names, and the program that printed the page.
_RUBBISH_TITLE = re.compile(r"\.\w{2,5}$|^Microsoft |^untitled", re.IGNORECASE)

_NAMED_PAGES = 20


def load_pdf(data: bytes) -> list[Loaded]:
    """One document with a section for each page that has text; the others are its gap.

    Raises:
        UnreadableError: If the file is damaged, needs a password or has only pictures.
    """
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, FileNotDecryptedError, PyPdfError

    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError("is protected with a password")
        pages = without_running_heads([page.extract_text() for page in reader.pages])
        title = str(reader.metadata.title or "") if reader.metadata else ""
    except (DependencyError, FileNotDecryptedError) as error:
        raise UnreadableError("is protected with a password") from error
    except PyPdfError as error:
        raise UnreadableError(f"is a damaged PDF ({error})") from error
    blocks = [Block(unwrap(text), page=n) for n, text in enumerate(pages, 1) if text.strip()]
    if not blocks:
        raise UnreadableError("is a PDF without a text layer; it may be scanned and need OCR")
    empty = [n for n, text in enumerate(pages, 1) if not text.strip()]
    gaps = (_gap(empty, len(pages)),) if empty else ()
    return [Loaded(sections_of(blocks), title=_title(title), gaps=gaps)]


def _gap(empty: list[int], pages: int) -> str:
    numbers = ", ".join(map(str, empty[:_NAMED_PAGES]))
    more = ", …" if len(empty) > _NAMED_PAGES else ""
    return f"{len(empty)} of {pages} pages hold no text: {numbers}{more}"


def without_running_heads(pages: list[str]) -> list[str]:
    """The pages without first and last lines that most of them share; the first keeps its own.

    Numbers may differ: `Page 3` runs through a document just as its name does.
    """
    split = [page.strip().split("\n") for page in pages]
    for edge in (0, -1):
        seen = Counter(_shape(lines[edge]) for lines in split)
        for lines in split[1:]:
            if len(lines) > 1 and seen[_shape(lines[edge])] > max(2, len(pages) // 2):
                del lines[edge]
    return ["\n".join(lines) for lines in split]


def _shape(line: str) -> str:
    return re.sub(r"\d+", "0", line.strip())


def _title(title: str) -> str | None:
    line = one_line(title)
    return line if line and not _RUBBISH_TITLE.search(line) else None

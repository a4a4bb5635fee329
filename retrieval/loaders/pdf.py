"""Reads PDF: the text layer, a section for each page."""

from __future__ import annotations

import io
import re

from retrieval.errors import UnreadableError
from retrieval.loaders.blocks import Block, Loaded, one_line, sections_of
from retrieval.loaders.text import unwrap

# What converters put there: file names, and the program that printed the page.
_RUBBISH_TITLE = re.compile(r"\.\w{2,5}$|^Microsoft |^untitled", re.IGNORECASE)


def load_pdf(data: bytes) -> list[Loaded]:
    """One document with a section for each page that has text.

    Raises:
        UnreadableError: If the file is damaged, needs a password or has only pictures.
    """
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, FileNotDecryptedError, PyPdfError

    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError("is protected with a password")
        pages = [unwrap(page.extract_text().replace("\0", "")) for page in reader.pages]
        title = str(reader.metadata.title or "") if reader.metadata else ""
    except (DependencyError, FileNotDecryptedError) as error:
        raise UnreadableError("is protected with a password") from error
    except PyPdfError as error:
        raise UnreadableError(f"is a damaged PDF ({error})") from error
    if not any(page.strip() for page in pages):
        raise UnreadableError("is a PDF without a text layer; it may be scanned and need OCR")
    blocks = [Block(text, page=number) for number, text in enumerate(pages, 1) if text.strip()]
    return [Loaded(sections_of(blocks), title=_title(title))]


def _title(title: str) -> str | None:
    line = one_line(title)
    return line if line and not _RUBBISH_TITLE.search(line) else None

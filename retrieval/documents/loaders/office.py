"""Reads Word, PowerPoint, Excel and EPUB files through kreuzberg."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any, cast

from selectolax.lexbor import LexborHTMLParser

from retrieval.documents.loaders.blocks import Loaded, one_line, sections_of, title_of
from retrieval.documents.loaders.front_matter import refuse
from retrieval.documents.loaders.markup import PAGE, blocks_of_html
from retrieval.errors import UnreadableError
from retrieval.labels import names_audience

MAX_ENTRIES = 10_000
MAX_UNPACKED_BYTES = 512 * 2**20
MAX_RATIO = 100
"""Real documents pack 3 to 30 times smaller; what packs tighter is a zip bomb."""

_SMALL_BYTES = 16 * 2**20
_OPEN_XML = "application/vnd.openxmlformats-officedocument."
_MIME = {
    ".docx": f"{_OPEN_XML}wordprocessingml.document",
    ".pptx": f"{_OPEN_XML}presentationml.presentation",
    ".xlsx": f"{_OPEN_XML}spreadsheetml.sheet",
    ".epub": "application/epub+zip",
}
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_MARKER = "@@page-{page_num}@@"
_MARKED = re.compile(r"<p>@@page-(\d+)@@</p>")


def load_office(data: bytes, suffix: str) -> list[Loaded]:
    """One document; a presentation's slides count as pages.

    Raises:
        RestrictedError: If a sheet may say who reads its rows.
        UnreadableError: If the file is damaged, protected, or unpacks to too much.
    """
    check_archive(data)
    html, title = _extract(data, suffix)
    if suffix == ".xlsx":
        cells = LexborHTMLParser(html).css("tr:first-child > *")
        refuse(filter(names_audience, (cell.text() for cell in cells)), where=" of a column")
    blocks = blocks_of_html(_MARKED.sub(rf'<hr {PAGE}="\1">', html))
    # A book's first heading is its first chapter; an office file's recorded title is often its
    # template's.
    own = title or title_of(blocks) if suffix == ".epub" else title_of(blocks) or title
    return [Loaded(sections_of(blocks), title=own)]


def check_archive(data: bytes) -> None:
    """Refuse what is not a zip file, or would unpack to far more than it should.

    Raises:
        UnreadableError: With the reason.
    """
    if data.startswith(_OLD_OFFICE):
        raise UnreadableError("is protected with a password, or in the format of Office 97")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise UnreadableError("is damaged: it is not the zip archive it should be") from error
    unpacked = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_ENTRIES:
        raise UnreadableError(f"is an archive of {len(entries)} files, more than {MAX_ENTRIES}")
    if unpacked > max(_SMALL_BYTES, min(MAX_UNPACKED_BYTES, MAX_RATIO * len(data))):
        raise UnreadableError(f"unpacks to {unpacked // 2**20} MB, which looks like a zip bomb")
    if any(entry.flag_bits & 1 for entry in entries):
        raise UnreadableError("is protected with a password")


def _extract(data: bytes, suffix: str) -> tuple[str, str | None]:
    import kreuzberg

    # Slides only: elsewhere kreuzberg counts the page breaks it happens to see.
    pages = kreuzberg.PageConfig(insert_page_markers=suffix == ".pptx", marker_format=_MARKER)
    config = kreuzberg.ExtractionConfig(
        output_format="html",
        use_cache=False,
        enable_quality_processing=False,
        pages=pages,
        content_filter=kreuzberg.ContentFilterConfig(strip_repeating_text=False),
    )
    try:
        result = kreuzberg.extract_bytes_sync(data, _MIME[suffix], config)
    except kreuzberg.KreuzbergError as error:
        raise UnreadableError(f"is damaged or not really a {suffix} file") from error
    metadata = cast("dict[str, Any]", result.metadata)
    title = metadata.get("title") or (metadata.get("core_properties") or {}).get("title")
    return result.content, one_line(str(title)) if title else None

"""Turns a file's bytes into titled sections, whatever its format. Runs inside the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace

from retrieval.documents.loaders.asciidoc import load_asciidoc
from retrieval.documents.loaders.blocks import FilePath, Loaded, counted
from retrieval.documents.loaders.calendar import load_calendar
from retrieval.documents.loaders.captions import load_captions
from retrieval.documents.loaders.corpus import is_corpus, load_corpus
from retrieval.documents.loaders.csv_table import load_csv
from retrieval.documents.loaders.data import load_data
from retrieval.documents.loaders.front_matter import refuse_unread
from retrieval.documents.loaders.mail import load_mail, load_mailbox
from retrieval.documents.loaders.markup import (
    load_html,
    load_markdown,
    load_mdx,
    load_mhtml,
)
from retrieval.documents.loaders.notebook import load_notebook
from retrieval.documents.loaders.ocr import MayRead
from retrieval.documents.loaders.office.book import load_book
from retrieval.documents.loaders.office.old_office import OLD_SUFFIXES, load_old_office
from retrieval.documents.loaders.office.open_document import load_open_document
from retrieval.documents.loaders.office.rich_text import MARK as RICH_TEXT
from retrieval.documents.loaders.office.rich_text import load_rich_text
from retrieval.documents.loaders.office.sheets import load_workbook
from retrieval.documents.loaders.office.slides import load_slides
from retrieval.documents.loaders.office.word import load_word
from retrieval.documents.loaders.org import load_org
from retrieval.documents.loaders.outlook import load_outlook
from retrieval.documents.loaders.pdf.document import load_pdf
from retrieval.documents.loaders.pictures import SUFFIXES as PICTURES
from retrieval.documents.loaders.pictures import load_picture
from retrieval.documents.loaders.restructured import load_rst
from retrieval.documents.loaders.slack_export import (
    companions_of_day,
    is_in_export,
    is_slack_day,
    load_slack_day,
)
from retrieval.documents.loaders.tex import load_tex
from retrieval.documents.loaders.text import load_lines, load_text
from retrieval.errors import NoDocumentError, UnreadableError

LOADERS_VERSION = 8
"""Raised when a loader reads a file otherwise than before: then unchanged files are read again."""

MAX_CHARS = 20_000_000
"""Longer documents are refused: their passages would fill the memory of the process that asked."""

_BY_SUFFIX: dict[str, Callable[[bytes], list[Loaded]]] = {
    ".md": load_markdown,
    ".markdown": load_markdown,
    ".mdx": load_mdx,
    ".txt": load_text,
    ".text": load_text,
    ".html": load_html,
    ".htm": load_html,
    ".xhtml": load_html,
    ".mhtml": load_mhtml,
    ".mht": load_mhtml,
    ".eml": load_mail,
    ".docx": load_word,
    ".docm": load_word,
    ".dotx": load_word,
    ".dotm": load_word,
    ".xlsx": load_workbook,
    ".xlsm": load_workbook,
    ".xltx": load_workbook,
    ".xltm": load_workbook,
    ".pptx": load_slides,
    ".pptm": load_slides,
    ".ppsx": load_slides,
    ".ppsm": load_slides,
    ".potx": load_slides,
    ".potm": load_slides,
    ".epub": load_book,
    ".msg": load_outlook,
    ".rtf": load_rich_text,
    ".mbox": load_mailbox,
    ".ics": load_calendar,
    ".odt": load_open_document,
    ".ods": load_open_document,
    ".odp": load_open_document,
    ".ott": load_open_document,
    ".ots": load_open_document,
    ".otp": load_open_document,
    ".csv": load_csv,
    ".tsv": load_csv,
    ".ipynb": load_notebook,
    ".rst": load_rst,
    ".adoc": load_asciidoc,
    ".asciidoc": load_asciidoc,
    ".org": load_org,
    ".tex": load_tex,
    ".vtt": load_captions,
    ".srt": load_captions,
}
_DATA = frozenset((".json", ".jsonl", ".ndjson", ".yaml", ".yml"))

SUFFIXES = frozenset(_BY_SUFFIX) | OLD_SUFFIXES | PICTURES | _DATA | {".pdf"}
"""What can be read, besides a corpus; JSON and YAML only where they are prose."""

# fmt: off
IGNORED = frozenset((
    ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".bmp", ".ico", ".tif", ".tiff", ".heic",
    ".mp3", ".mp4", ".m4a", ".mov", ".wav", ".webm", ".avi", ".mkv", ".ogg", ".flac",
    ".woff", ".woff2", ".ttf", ".otf", ".eot", ".lock", ".log",
    ".css", ".scss", ".less", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".vue", ".map",
    ".py", ".pyi", ".pyc", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".java", ".kt", ".scala",
    ".go", ".rs", ".rb", ".php", ".pl", ".pm", ".lua", ".swift", ".m", ".r", ".jl", ".sql",
    ".sh", ".bash", ".zsh", ".bat", ".ps1", ".so", ".o", ".a", ".dll", ".dylib", ".exe", ".bin",
    ".class", ".jar", ".wasm",
)) - PICTURES
# fmt: on
"""Types that come along with documents and hold no text of their own; they are counted."""


HIDDEN = (".", "~$")
"""How the names of files begin that people do not see; Office's while a document is open."""

SYSTEM_FILES = frozenset(("Thumbs.db", "desktop.ini"))


def is_readable(path: FilePath, text_types: Collection[str] = ()) -> bool:
    """Whether a file is of a type that can be read, `text_types` as plain text."""
    return path.suffix.lower() in SUFFIXES.union(text_types) or is_corpus(path)


def why_left_out(path: FilePath, text_types: Collection[str] = ()) -> str | None:
    """Why a file is not looked into, in a few words or by its suffix; None if it is."""
    if path.name.startswith(HIDDEN) or path.name in SYSTEM_FILES:
        return "hidden file"
    suffix = path.suffix.lower()
    if suffix == ".json" and is_in_export(path) and not is_slack_day(path):
        return suffix  # who is in which channel is nobody's to find
    return suffix if comes_along(path, text_types) else None


def comes_along(path: FilePath, text_types: Collection[str] = ()) -> bool:
    """Whether a file is by its name one that comes along with documents, and no plain text."""
    suffix = path.suffix.lower()
    return suffix in IGNORED and suffix not in text_types


def companions(path: FilePath) -> bytes:
    """What decides, besides a file's own bytes, what is read of it and for whom; often nothing."""
    return companions_of_day(path) if is_slack_day(path) else b""


def load(
    path: FilePath,
    data: bytes,
    text_types: Collection[str] = (),
    *,
    may_read: MayRead = lambda: True,
) -> list[Loaded]:
    """The documents in a file whose bytes are `data`; at least one, each with text.

    Of `text_types`, such as `.log`, lines are kept as they are. `may_read` is asked before each
    page that is read by OCR, which takes seconds.

    Raises:
        NoDocumentError: If the file holds data and no document.
        RestrictedError: If the file may be meant for some people alone, and for whom is not clear.
        UnreadableError: If there is nothing to read; the message completes "the file ...".
    """
    loaded = [d for d in _load(path, data, text_types, may_read) if d.sections]
    if not loaded:
        raise UnreadableError("holds no text")
    for document in loaded:
        # Below a heading a document speaks of its audience, and names none.
        if document.audience is None and not document.sections[0].headings:
            refuse_unread(document.sections[0].text)
    if sum(len(s.text) for document in loaded for s in document.sections) > MAX_CHARS:
        raise UnreadableError(f"holds more than {MAX_CHARS:,} characters")
    return list(map(_with_damage, loaded))


def _with_damage(document: Loaded) -> Loaded:
    """The document, with a gap where characters of it are damaged."""
    damaged = sum(section.text.count("\ufffd") for section in document.sections)
    gaps = counted(damaged, "character is damaged", "characters are damaged")
    return replace(document, gaps=(*document.gaps, *gaps)) if gaps else document


def _load(
    path: FilePath, data: bytes, text_types: Collection[str], may_read: MayRead
) -> list[Loaded]:
    suffix = path.suffix.lower()
    if is_corpus(path):
        return load_corpus(data)
    if suffix == ".pdf":
        return load_pdf(data, may_read)
    if suffix in PICTURES:
        return load_picture(data, may_read)
    if suffix in OLD_SUFFIXES:
        is_rich_text = data.startswith(RICH_TEXT)
        return load_rich_text(data) if is_rich_text else load_old_office(data, suffix)
    if is_slack_day(path):
        return load_slack_day(data, path)
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix](data)
    if suffix in _DATA:
        with suppress(*([NoDocumentError] if suffix in text_types else [])):
            return load_data(data, path)
    return load_lines(data, path)

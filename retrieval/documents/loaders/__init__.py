"""Turns a file's bytes into titled sections, whatever its format. Runs inside the sandbox."""

from __future__ import annotations

from collections.abc import Callable

from retrieval.documents.loaders.blocks import FilePath, Loaded
from retrieval.documents.loaders.corpus import is_corpus, load_corpus
from retrieval.documents.loaders.mail import load_mail
from retrieval.documents.loaders.markup import load_html, load_markdown
from retrieval.documents.loaders.ocr import MayRead
from retrieval.documents.loaders.office import load_office
from retrieval.documents.loaders.pdf import load_pdf
from retrieval.documents.loaders.pictures import SUFFIXES as PICTURES
from retrieval.documents.loaders.pictures import load_picture
from retrieval.documents.loaders.slack_export import is_slack_day, load_slack_day
from retrieval.documents.loaders.text import load_csv, load_text
from retrieval.errors import UnreadableError

LOADERS_VERSION = 2
"""Raised when a loader reads a file otherwise than before: then unchanged files are read again."""

MAX_CHARS = 20_000_000
"""Longer documents are refused: their passages would fill the memory of the process that asked."""

_BY_SUFFIX: dict[str, Callable[[bytes], list[Loaded]]] = {
    ".md": load_markdown,
    ".markdown": load_markdown,
    ".txt": load_text,
    ".text": load_text,
    ".html": load_html,
    ".htm": load_html,
    ".xhtml": load_html,
    ".eml": load_mail,
    ".csv": load_csv,
    ".tsv": load_csv,
}
_OFFICE = frozenset((".docx", ".pptx", ".xlsx", ".epub"))

SUFFIXES = frozenset(_BY_SUFFIX) | _OFFICE | PICTURES | {".json", ".pdf"}
"""What can be read, besides a corpus; `.json` only as a day of a Slack export."""

# fmt: off
IGNORED = frozenset((
    ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".bmp", ".ico", ".tif", ".tiff", ".heic",
    ".mp3", ".mp4", ".m4a", ".mov", ".wav", ".webm", ".avi", ".css", ".js", ".mjs", ".map",
    ".woff", ".woff2", ".ttf", ".otf", ".eot", ".json", ".lock", ".pyc", ".log",
)) - PICTURES
# fmt: on
"""Types that come along with documents and hold no text of their own; they are counted."""


def is_readable(path: FilePath) -> bool:
    """Whether a file is of a type that can be read."""
    return path.suffix.lower() in SUFFIXES or is_corpus(path)


def why_left_out(path: FilePath) -> str | None:
    """Why a file is not looked into, in a few words or by its suffix; None if it is."""
    if path.name.startswith("."):
        return "hidden file"
    suffix = path.suffix.lower()
    return suffix if suffix in IGNORED and not is_slack_day(path) else None


def load(path: FilePath, data: bytes, *, may_read: MayRead = lambda: True) -> list[Loaded]:
    """The documents in a file whose bytes are `data`; at least one, each with text.

    `may_read` is asked before each page that is read by OCR, which takes seconds.

    Raises:
        RestrictedError: If the file may be meant for some people alone, and for whom is not clear.
        UnreadableError: If there is nothing to read; the message completes "the file ...".
    """
    loaded = [document for document in _load(path, data, may_read) if document.sections]
    if not loaded:
        raise UnreadableError("holds no text")
    if sum(len(s.text) for document in loaded for s in document.sections) > MAX_CHARS:
        raise UnreadableError(f"holds more than {MAX_CHARS:,} characters")
    return loaded


def _load(path: FilePath, data: bytes, may_read: MayRead) -> list[Loaded]:
    suffix = path.suffix.lower()
    if is_corpus(path):
        return load_corpus(data)
    if suffix in _OFFICE:
        return load_office(data, suffix)
    if suffix == ".pdf":
        return load_pdf(data, may_read)
    if suffix in PICTURES:
        return load_picture(data, may_read)
    if suffix == ".json":
        return load_slack_day(data, path)
    return _BY_SUFFIX[suffix](data)

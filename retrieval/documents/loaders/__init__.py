"""Turns a file's bytes into titled sections, whatever its format. Runs inside the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from retrieval.documents.loaders.blocks import Loaded
from retrieval.documents.loaders.corpus import is_corpus, load_corpus
from retrieval.documents.loaders.mail import load_mail
from retrieval.documents.loaders.markup import load_html, load_markdown
from retrieval.documents.loaders.office import load_office
from retrieval.documents.loaders.pdf import load_pdf
from retrieval.documents.loaders.slack_export import load_slack_day
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
    ".pdf": load_pdf,
    ".eml": load_mail,
    ".csv": load_csv,
    ".tsv": load_csv,
}
_OFFICE = frozenset((".docx", ".pptx", ".xlsx", ".epub"))

SUFFIXES = frozenset(_BY_SUFFIX) | _OFFICE | {".json"}
"""What can be read, besides a corpus; `.json` only as a day of a Slack export."""


def is_readable(path: Path) -> bool:
    """Whether a file is of a type that can be read."""
    return path.suffix.lower() in SUFFIXES or is_corpus(path)


def load(path: Path, data: bytes) -> list[Loaded]:
    """The documents in a file whose bytes are `data`; at least one, each with text.

    Raises:
        RestrictedError: If the file may be meant for some people alone, and for whom is not clear.
        UnreadableError: If there is nothing to read; the message completes "the file ...".
    """
    loaded = [document for document in _load(path, data) if document.sections]
    if not loaded:
        raise UnreadableError("holds no text")
    if sum(len(s.text) for document in loaded for s in document.sections) > MAX_CHARS:
        raise UnreadableError(f"holds more than {MAX_CHARS:,} characters")
    return loaded


def _load(path: Path, data: bytes) -> list[Loaded]:
    suffix = path.suffix.lower()
    if is_corpus(path):
        return load_corpus(data)
    if suffix in _OFFICE:
        return load_office(data, suffix)
    if suffix == ".json":
        return load_slack_day(data, path)
    return _BY_SUFFIX[suffix](data)
